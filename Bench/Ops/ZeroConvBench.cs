using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Ops;

/// <summary>The convolution of a split (<see cref="IZeroConv"/>); the last level has none.</summary>
public class ZeroConvBench : OpBench
{
    private ZeroConvShape conv;
    private ZeroConvParameters parameters, gradients;
    private View x, dx, h, dh, packed;

    /// <summary>h from x.</summary>
    [Benchmark]
    public void Forward()
    {
        Backend.ZeroConv.Forward(conv, Pixels, x, packed, h);
        Wait();
    }

    /// <summary>dx and the three gradients.</summary>
    [Benchmark]
    public void Backward()
    {
        Backend.ZeroConv.Backward(conv, Pixels, x, h, packed, parameters, dh, dx, gradients);
        Wait();
    }

    /// <inheritdoc/>
    public override bool Applies(OpShape shape) => shape.Level < shape.Config.Levels - 1;

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("ZeroConv forward", Forward, Cost.ZeroConv(conv, Pixels.Count), PeerWork.ConvForward),
        new("ZeroConv backward", Backward, Cost.ZeroConvBackward(conv, Pixels.Count), PeerWork.ConvBackward),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        conv = GlowParameters.Split(Shape.Config, Shape.Level);
        int p = Pixels.Count, weights = 9 * conv.In1 * conv.Out;
        parameters = new(Fill(1, weights, 0.05), Fill(1, conv.Out, 0.1), Fill(1, conv.Out, 0.1));
        gradients = new(Output(1, weights), Output(1, conv.Out), Output(1, conv.Out));
        (x, dx) = (Fill(p, conv.In), Fill(p, conv.In));
        (h, dh) = (Output(p, conv.Out), Fill(p, conv.Out));
        packed = Block(Backend.ZeroConv.PackedLength(conv));
        Backend.ZeroConv.Pack(conv, parameters, packed);
        Forward();
        Backward();
    }
}
