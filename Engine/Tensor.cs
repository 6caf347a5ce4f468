using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// A flow variable <c>[N,H,W,C]</c> on a device: its values, which may be released and rebuilt, and its gradient while
/// the tape walks back over it. A window of some channels shares the memory of the tensor it was cut from.
/// </summary>
public sealed class Tensor
{
    private readonly Device device;
    private readonly Tensor? parent;
    private readonly int firstChannel;
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

    private Tensor(Tensor parent, int firstChannel, int channels) : this(parent.device, parent.Pixels, channels)
    {
        if (firstChannel < 0 || firstChannel + channels > parent.Channels)
            throw new ArgumentException(
                $"tensor: channels [{firstChannel}, {firstChannel + channels}) do not lie inside {parent}");
        this.parent = parent;
        this.firstChannel = firstChannel;
    }

    /// <summary>
    /// The tensor that <paramref name="kept"/> holds if it has this shape, else a new one, kept there: a layer makes
    /// the same tensor in every pass, and a steady training step allocates none.
    /// </summary>
    public static Tensor Reuse(ref Tensor? kept, Device device, Pixels pixels, int channels)
    {
        if (kept is null || kept.Pixels != pixels || kept.Channels != channels) kept = new Tensor(device,
            pixels, channels);
        return kept;
    }

    /// <summary>N, H and W.</summary>
    public Pixels Pixels { get; }

    /// <summary>C.</summary>
    public int Channels { get; }

    /// <summary>True when the memory belongs to another tensor.</summary>
    public bool IsWindow => parent is not null;

    /// <summary>True while the values are in memory.</summary>
    public bool HasData => parent?.HasData ?? !data.IsNone;

    /// <summary>Values <c>[N·H·W, C]</c>.</summary>
    /// <exception cref="InvalidOperationException">The values were released and not rebuilt.</exception>
    public View Data
    {
        get
        {
            if (parent is not null) return parent.Data.Columns(firstChannel, Channels);
            return HasData ? data : throw new InvalidOperationException($"tensor {this}: its values are not in memory");
        }
    }

    /// <summary>Gradient <c>[N·H·W, C]</c>, rented on first use with arbitrary contents.</summary>
    public View Gradient
    {
        get
        {
            if (parent is not null) return parent.Gradient.Columns(firstChannel, Channels);
            if (gradient.IsNone) gradient = device.Arena.Rent(Pixels.Count, Channels);
            return gradient;
        }
    }

    /// <summary>The channels <c>[first, first + count)</c> as a tensor that shares this one's memory.</summary>
    public Tensor Window(int first, int count) => new(this, first, count);

    /// <summary>
    /// As <see cref="Window(int, int)"/>, the tensor that <paramref name="kept"/> holds if it is that window.
    /// </summary>
    public Tensor Window(int first, int count, ref Tensor? kept)
    {
        if (kept is null || kept.parent != this || kept.firstChannel != first || kept.Channels != count) kept = Window(
            first, count);
        return kept;
    }

    /// <summary>Rents memory for the values; their contents are arbitrary.</summary>
    public Tensor Allocate()
    {
        if (!HasData) data = device.Arena.Rent(Pixels.Count, Channels);
        return this;
    }

    /// <summary>Returns the values' memory (of a window: those of the tensor it was cut from).</summary>
    public void ReleaseData()
    {
        parent?.ReleaseData();
        device.Arena.Return(data);
        data = View.None;
    }

    /// <summary>Returns values and gradient.</summary>
    public void Release()
    {
        ReleaseData();
        parent?.Release();
        device.Arena.Return(gradient);
        gradient = View.None;
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{Pixels.N},{Pixels.H},{Pixels.W},{Channels}]";
}
