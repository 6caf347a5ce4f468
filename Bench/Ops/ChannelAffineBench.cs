using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>Actnorm and 1×1 convolution in one (<see cref="IChannelAffine"/>).</summary>
public class ChannelAffineBench : OpBench
{
    private View x, y, w, b, dx, dw, db;

    /// <summary>y = x·w + b.</summary>
    [Benchmark]
    public void Forward()
    {
        Backend.ChannelAffine.Apply(x, w, b, y);
        Wait();
    }

    /// <summary>dx, dw, db.</summary>
    [Benchmark]
    public void Backward()
    {
        Backend.ChannelAffine.Backward(y, x, w, dx, dw, db);
        Wait();
    }

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("ChannelAffine forward", Forward, Cost.ChannelAffine(Pixels.Count, Shape.Channels),
            PeerWork.ChannelForward),
        new("ChannelAffine backward", Backward, Cost.ChannelAffineBackward(Pixels.Count, Shape.Channels),
            PeerWork.ChannelBackward),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        int p = Pixels.Count, c = Shape.Channels;
        (x, y, dx) = (Fill(p, c), Output(p, c), Output(p, c));
        (w, b, dw, db) = (Fill(c, c, 0.2), Fill(1, c), Output(c, c), Output(1, c));
        Forward();
        Backward();
    }
}
