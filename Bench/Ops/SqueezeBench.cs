using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>The squeeze into a level (<see cref="ISqueeze"/>).</summary>
public class SqueezeBench : OpBench
{
    private View x, y;

    private Pixels Large => new(Pixels.N, 2 * Pixels.H, 2 * Pixels.W);

    /// <summary>Space to depth.</summary>
    [Benchmark]
    public void Forward()
    {
        Backend.Squeeze.Forward(Large, x, y);
        Wait();
    }

    /// <summary>Depth to space; also the backward pass.</summary>
    [Benchmark]
    public void Inverse()
    {
        Backend.Squeeze.Inverse(Large, y, x);
        Wait();
    }

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("Squeeze forward", Forward, Cost.Squeeze(y.Count)),
        new("Squeeze inverse", Inverse, Cost.Squeeze(y.Count)),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        (x, y) = (Fill(Large.Count, Shape.Channels / 4), Output(Pixels.Count, Shape.Channels));
        Forward();
        Inverse();
    }
}
