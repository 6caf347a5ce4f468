using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// A flow variable <c>[N,H,W,C]</c> on a device: its values, which may be released and rebuilt, and its gradient while
/// the tape walks back over it.
/// </summary>
public sealed class Tensor
{
    private readonly Device device;
    private View data;
    private View gradient;

    /// <summary>A tensor without values yet.</summary>
    /// <exception cref="ArgumentException">A dimension is not positive.</exception>
    public Tensor(Device device, Pixels pixels, int channels)
    {
        if (pixels.N <= 0 || pixels.H <= 0 || pixels.W <= 0 || channels <= 0)
            throw new ArgumentException(
                $"tensor: [{pixels.N},{pixels.H},{pixels.W},{channels}] has a dimension that is not positive");
        this.device = device;
        Pixels = pixels;
        Channels = channels;
    }

    /// <summary>N, H and W.</summary>
    public Pixels Pixels { get; }

    /// <summary>C.</summary>
    public int Channels { get; }

    /// <summary>True while the values are in memory.</summary>
    public bool HasData => !data.IsNone;

    /// <summary>Values <c>[N·H·W, C]</c>.</summary>
    /// <exception cref="InvalidOperationException">The values were released and not rebuilt.</exception>
    public View Data => HasData ? data : throw new InvalidOperationException($"tensor {this}: its values were released");

    /// <summary>Gradient <c>[N·H·W, C]</c>, rented on first use with arbitrary contents.</summary>
    public View Gradient => gradient.IsNone ? gradient = device.Arena.Rent(Pixels.Count, Channels) : gradient;

    /// <summary>Rents memory for the values; their contents are arbitrary.</summary>
    public Tensor Allocate()
    {
        if (!HasData) data = device.Arena.Rent(Pixels.Count, Channels);
        return this;
    }

    /// <summary>Returns the values' memory.</summary>
    public void ReleaseData()
    {
        device.Arena.Return(data);
        data = View.None;
    }

    /// <summary>Returns values and gradient.</summary>
    public void Release()
    {
        ReleaseData();
        device.Arena.Return(gradient);
        gradient = View.None;
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{Pixels.N},{Pixels.H},{Pixels.W},{Channels}]";
}
