using BenchmarkDotNet.Attributes;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>The coupling network: forward is 2·P·Width·(9·In1 + Width + 9·Out) flops, backward twice that.</summary>
[MemoryDiagnoser]
public class CouplingNetBench
{
    private HostShape host = null!;
    private CouplingNetShape shape;
    private Pixels pixels;
    private CouplingNetParameters parameters, gradients;
    private View z1, dz1, h, dh, packed, saved;

    /// <summary>Level of the model.</summary>
    [Params(0, 1, 2)]
    public int Level { get; set; }

    /// <summary>Hidden channels.</summary>
    [Params(128, 512)]
    public int Width { get; set; }

    /// <summary>Images.</summary>
    [Params(8)]
    public int Batch { get; set; }

    /// <summary>Fills everything that backward reads.</summary>
    [GlobalSetup]
    public void Setup()
    {
        host = new HostShape();
        pixels = HostShape.Level(Level, Batch);
        int c = HostShape.Channels(Level);
        shape = new CouplingNetShape(c / 2, Width, c, true);
        parameters = Parameters();
        gradients = Parameters();
        (z1, dz1) = (host.Fill(pixels.Count, c / 2), host.Fill(pixels.Count, c / 2));
        (h, dh) = (host.Fill(pixels.Count, c), host.Fill(pixels.Count, c));
        packed = host.Fill(1, checked((int)host.Backend.CouplingNet.PackedLength(shape)));
        saved = host.Fill(1, checked((int)host.Backend.CouplingNet.SavedLength(shape, pixels.Count)));
        Pack();
        Forward();
    }

    /// <summary>Frees it.</summary>
    [GlobalCleanup]
    public void Cleanup() => host.Dispose();

    /// <summary>Folding and packing of the weights.</summary>
    [Benchmark]
    public void Pack() => host.Backend.CouplingNet.Pack(shape, parameters, packed);

    /// <summary>h from z1.</summary>
    [Benchmark]
    public void Forward() => host.Backend.CouplingNet.Forward(shape, pixels, z1, packed, h, saved);

    /// <summary>dz1 and all nine gradients.</summary>
    [Benchmark]
    public void Backward() =>
        host.Backend.CouplingNet.Backward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients);

    private CouplingNetParameters Parameters() => new(
        host.Fill(1, 9 * shape.In1 * Width, 0.05f), host.Fill(1, Width), host.Fill(1, Width, 0.1f),
        host.Fill(1, Width * Width, 0.05f), host.Fill(1, Width), host.Fill(1, Width, 0.1f),
        host.Fill(1, 9 * shape.In3 * shape.Out, 0.05f), host.Fill(1, shape.Out), host.Fill(1, shape.Out, 0.1f));
}
