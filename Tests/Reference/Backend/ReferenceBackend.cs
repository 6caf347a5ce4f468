using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Tests.Reference.Backend;

/// <summary>
/// The operation set on top of the references: every operation reads its views into double, computes naively and rounds
/// once. It shows that the contract and the tests of it can be met, and is what the fast backends are compared with.
/// </summary>
public sealed class ReferenceBackend : IBackend
{
    /// <inheritdoc/>
    public string Name => "reference";

    /// <inheritdoc/>
    public IChannelAffine ChannelAffine { get; } = new ReferenceChannelAffine();

    /// <inheritdoc/>
    public IChannelMap ChannelMap { get; } = new ReferenceChannelMap();

    /// <inheritdoc/>
    public ICouplingNet CouplingNet { get; } = new ReferenceCouplingNet();

    /// <inheritdoc/>
    public ICouple Couple { get; } = new ReferenceCouple();

    /// <inheritdoc/>
    public IGaussianScore GaussianScore { get; } = new ReferenceGaussianScore();

    /// <inheritdoc/>
    public IZeroConv ZeroConv { get; } = new ReferenceZeroConv();

    /// <inheritdoc/>
    public IPrior Prior { get; } = new ReferencePrior();

    /// <inheritdoc/>
    public ISqueeze Squeeze { get; } = new ReferenceSqueeze();

    /// <inheritdoc/>
    public IChannelStats ChannelStats { get; } = new ReferenceChannelStats();

    /// <inheritdoc/>
    public IClassHead ClassHead { get; } = new ReferenceClassHead();

    /// <inheritdoc/>
    public IDequantize Dequantize { get; } = new ReferenceDequantize();

    /// <inheritdoc/>
    public IOptimizerStep OptimizerStep { get; } = new ReferenceOptimizerStep();

    /// <inheritdoc/>
    public IConvolution Convolution { get; } = new ReferenceConvolution();

    /// <inheritdoc/>
    public IBatchNorm BatchNorm { get; } = new ReferenceBatchNorm();

    /// <inheritdoc/>
    public IMaskedCouple MaskedCouple { get; } = new ReferenceMaskedCouple();

    /// <inheritdoc/>
    public IScaledPrior ScaledPrior { get; } = new ReferenceScaledPrior();

    /// <inheritdoc/>
    public IBuffer Allocate(long length) => new HostBuffer(length);

    /// <inheritdoc/>
    public void Synchronize() { }

    /// <inheritdoc/>
    public void Fill(View target, float value)
    {
        double[] values = new double[target.Count];
        Array.Fill(values, value);
        target.Store(values);
    }

    /// <inheritdoc/>
    public void Copy(View source, View target) => target.Store(source.Load());

    /// <inheritdoc/>
    public void Dispose() { }
}

/// <summary>Views as arrays of double.</summary>
internal static class ViewAccess
{
    /// <summary>Values of a view, gaps dropped.</summary>
    public static double[] Load(this View view)
    {
        float[] row = new float[view.Cols];
        double[] values = new double[view.Count];
        for (int r = 0; r < view.Rows; r++)
        {
            view.Buffer.Read(view.Offset + (long)r * view.Stride, row);
            for (int c = 0; c < row.Length; c++) values[r * row.Length + c] = row[c];
        }
        return values;
    }

    /// <summary>Values of a view that may be None.</summary>
    public static double[]? LoadOptional(this View view) => view.IsNone ? null : view.Load();

    /// <summary>Pixels of a view as images.</summary>
    public static Nhwc Load(this View view, Pixels pixels) => new(view.Load(), pixels.N, pixels.H, pixels.W, view.Cols);

    /// <summary>Overwrites a view; nothing happens when it is None.</summary>
    public static void Store(this View view, double[]? values)
    {
        if (view.IsNone || values is null) return;
        float[] row = new float[view.Cols];
        for (int r = 0; r < view.Rows; r++)
        {
            for (int c = 0; c < row.Length; c++) row[c] = (float)values[r * row.Length + c];
            view.Buffer.Write(view.Offset + (long)r * view.Stride, row);
        }
    }

    /// <summary>Adds to a view.</summary>
    public static void Add(this View view, double[] values)
    {
        if (view.IsNone) return;
        double[] sum = view.Load();
        for (int i = 0; i < sum.Length; i++) sum[i] += values[i];
        view.Store(sum);
    }
}
