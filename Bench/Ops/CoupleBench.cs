using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>The affine coupling (<see cref="ICouple"/>), in place on the second half of the channels.</summary>
public class CoupleBench : OpBench
{
    // Scales so close to 1 that z2 stays bounded however often either direction runs in place.
    private const float Scale = 30;

    private View z, dz, h, dh, logDet;

    /// <summary>z2 ← (z2 + shift)·scale.</summary>
    [Benchmark]
    public void Forward() => Backend.Couple.Forward(CouplingKind.Affine, Pixels, Second(z), h, logDet);

    /// <summary>z2 ← z2/scale − shift.</summary>
    [Benchmark]
    public void Inverse() => Backend.Couple.Inverse(CouplingKind.Affine, Pixels, Second(z), h, logDet);

    /// <summary>dz2 and dh from the output.</summary>
    [Benchmark]
    public void Backward() => Backend.Couple.Backward(CouplingKind.Affine, Pixels, Second(z), h, Second(dz), dh, -1e-3f);

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("Couple forward", Forward, Cost.Couple(Pixels.Count, Shape.Half)),
        new("Couple inverse", Inverse, Cost.Couple(Pixels.Count, Shape.Half)),
        new("Couple backward", Backward, Cost.CoupleBackward(Pixels.Count, Shape.Half)),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        int p = Pixels.Count, c = Shape.Channels;
        (z, dz, h, dh) = (Fill(p, c), Fill(p, c), Fill(p, c, 0.01), Output(p, c));
        float[] values = h.ToArray();
        for (int i = 1; i < values.Length; i += 2) values[i] += Scale;
        h.Write(values);
        logDet = Fill(1, Pixels.N);
        Forward();
        Inverse();
        Backward();
    }

    private View Second(View view) => view.Columns(Shape.Half, Shape.Half);
}
