using BenchmarkDotNet.Attributes;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>Operations bound by memory: channel affine (8·P·C bytes forward), couple, Gaussian score, squeeze.</summary>
[MemoryDiagnoser]
public class StreamingBench
{
    private HostShape host = null!;
    private Pixels pixels;
    private View x, y, w, b, dx, dw, db, h, dh, logs, eps;

    /// <summary>Level of the model.</summary>
    [Params(0, 1, 2)]
    public int Level { get; set; }

    /// <summary>Images.</summary>
    [Params(8, 64)]
    public int Batch { get; set; }

    /// <summary>Fills all operands.</summary>
    [GlobalSetup]
    public void Setup()
    {
        host = new HostShape();
        pixels = HostShape.Level(Level, Batch);
        int c = HostShape.Channels(Level), p = pixels.Count;
        (x, y, dx) = (host.Fill(p, c), host.Fill(p, c), host.Fill(p, c));
        (w, b, dw, db) = (host.Fill(c, c, 0.1f), host.Fill(1, c), host.Fill(c, c), host.Fill(1, c));
        (h, dh, logs, eps) = (host.Fill(p, c, 0.1f), host.Fill(p, c), host.Fill(1, Batch), host.Fill(p, c / 2));
    }

    /// <summary>Frees it.</summary>
    [GlobalCleanup]
    public void Cleanup() => host.Dispose();

    /// <summary>y = x·w + b.</summary>
    [Benchmark]
    public void ChannelAffine() => host.Backend.ChannelAffine.Apply(x, w, b, y);

    /// <summary>dx, dw, db.</summary>
    [Benchmark]
    public void ChannelAffineBackward() => host.Backend.ChannelAffine.Backward(y, x, w, dx, dw, db);

    /// <summary>Affine coupling, forward and inverse (so that values stay bounded).</summary>
    [Benchmark]
    public void CoupleThereAndBack()
    {
        View z2 = x.Columns(x.Cols / 2, x.Cols / 2);
        host.Backend.Couple.Forward(CouplingKind.Affine, pixels, z2, h, logs);
        host.Backend.Couple.Inverse(CouplingKind.Affine, pixels, z2, h, logs);
    }

    /// <summary>Log-density of half of the channels.</summary>
    [Benchmark]
    public void GaussianScore() =>
        host.Backend.GaussianScore.Forward(pixels, StatsLayout.Interleaved, x.Columns(0, x.Cols / 2), h, logs, eps);
}
