using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Ops;

/// <summary>The coupling network (<see cref="ICouplingNet"/>).</summary>
public class CouplingNetBench : OpBench
{
    private CouplingNetShape net;
    private CouplingNetParameters parameters, gradients;
    private View z1, dz1, h, dh, packed, saved;

    /// <summary>Folding and packing of the weights.</summary>
    [Benchmark]
    public void Pack()
    {
        Backend.CouplingNet.Pack(net, Pixels, parameters, packed);
        Wait();
    }

    /// <summary>h from z1, hidden layers kept for backward.</summary>
    [Benchmark]
    public void Forward()
    {
        Backend.CouplingNet.Forward(net, Pixels, z1, packed, h, saved);
        Wait();
    }

    /// <summary>h from z1, nothing kept: sampling, and forward in reversible mode.</summary>
    [Benchmark]
    public void ForwardOnly()
    {
        Backend.CouplingNet.Forward(net, Pixels, z1, packed, h, View.None);
        Wait();
    }

    /// <summary>dz1 and all nine gradients.</summary>
    [Benchmark]
    public void Backward()
    {
        Backend.CouplingNet.Backward(net, Pixels, z1, h, saved, packed, parameters, dh, dz1, gradients);
        Wait();
    }

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("CouplingNet pack", Pack, Cost.Pack(net)),
        new("CouplingNet forward, nothing kept", ForwardOnly, Cost.CouplingNet(net, Pixels, kept: false),
            PeerWork.NetForward),
        new("CouplingNet forward", Forward, Cost.CouplingNet(net, Pixels, kept: true), PeerWork.NetForward),
        new("CouplingNet backward", Backward, Cost.CouplingNetBackward(net, Pixels), PeerWork.NetBackward),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        net = GlowParameters.Network(Shape.Config, Shape.Level);
        int p = Pixels.Count;
        parameters = Parameters(static (self, count, deviation) => self.Fill(1, count, deviation));
        gradients = Parameters(static (self, count, _) => self.Output(1, count));
        (z1, dz1) = (Fill(p, net.In), Fill(p, net.In));
        (h, dh) = (Output(p, net.Out), Fill(p, net.Out));
        packed = Block(Backend.CouplingNet.PackedLength(net, Pixels));
        saved = Block(Backend.CouplingNet.SavedLength(net, Pixels));
        Pack();
        Forward();
        Backward();
    }

    private CouplingNetParameters Parameters(Func<CouplingNetBench, int, double, View> make) => new(
        make(this, 9 * net.In1 * net.Width, 0.05), make(this, net.Width, 0.1), make(this, net.Width, 0.1),
        make(this, net.Width * net.Width, 0.05), make(this, net.Width, 0.1), make(this, net.Width, 0.1),
        make(this, 9 * net.In3 * net.Out, 0.05), make(this, net.Out, 0.1), make(this, net.Out, 0.1));
}
