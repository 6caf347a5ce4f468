using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>Log-density of half of the channels, as a split scores them (<see cref="IGaussianScore"/>).</summary>
public class GaussianScoreBench : OpBench
{
    private View z, dz, stats, dstats, logP;

    /// <summary>Adds the log-density of every image.</summary>
    [Benchmark]
    public void Forward()
    {
        Backend.GaussianScore.Forward(Pixels, StatsLayout.Interleaved, Second(z), stats, logP, View.None);
        Wait();
    }

    /// <summary>Gradients of z and of the statistics.</summary>
    [Benchmark]
    public void Backward()
    {
        Backend.GaussianScore.Backward(Pixels, StatsLayout.Interleaved, Second(z), stats, -1e-3f, Second(dz), dstats);
        Wait();
    }

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("GaussianScore forward", Forward, Cost.GaussianScore(Pixels.Count, Shape.Half)),
        new("GaussianScore backward", Backward, Cost.GaussianScoreBackward(Pixels.Count, Shape.Half)),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        int p = Pixels.Count, c = Shape.Channels;
        (z, dz, stats, dstats) = (Fill(p, c), Fill(p, c), Fill(p, c, 0.1), Output(p, c));
        logP = Fill(1, Pixels.N);
        Forward();
        Backward();
    }

    private View Second(View view) => view.Columns(Shape.Half, Shape.Half);
}
