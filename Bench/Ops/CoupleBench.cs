using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>The coupling of the model (<see cref="ICouple"/>), in place on the second half of the channels.</summary>
public class CoupleBench : OpBench
{
    // Scales that round to 1: z2 stays bounded however often either direction runs in place.
    private const float Scale = 20;

    private View z, dz, h, dh, logDet;

    private CouplingKind Kind => Shape.Config.Coupling == "affine" ? CouplingKind.Affine : CouplingKind.Additive;

    /// <summary>z2 ← (z2 + shift)·scale, or z2 + h.</summary>
    [Benchmark]
    public void Forward()
    {
        Backend.Couple.Forward(Kind, Pixels, Second(z), h, logDet);
        Wait();
    }

    /// <summary>z2 ← z2/scale − shift, or z2 − h.</summary>
    [Benchmark]
    public void Inverse()
    {
        Backend.Couple.Inverse(Kind, Pixels, Second(z), h, logDet);
        Wait();
    }

    /// <summary>dz2 and dh from the output.</summary>
    [Benchmark]
    public void Backward()
    {
        Backend.Couple.Backward(Kind, Pixels, Second(z), h, Second(dz), dh, -1e-3f);
        Wait();
    }

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new("Couple forward", Forward, Cost.Couple(Kind, Pixels.Count, Shape.Half)),
        new("Couple inverse", Inverse, Cost.Couple(Kind, Pixels.Count, Shape.Half)),
        new("Couple backward", Backward, Cost.CoupleBackward(Kind, Pixels.Count, Shape.Half)),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        int p = Pixels.Count, c = Shape.Channels;
        int cols = Kind == CouplingKind.Affine ? c : Shape.Half;
        (z, dz, h, dh) = (Fill(p, c), Fill(p, c), Fill(p, cols, 0.01), Output(p, cols));
        if (Kind == CouplingKind.Affine)
        {
            float[] values = h.ToArray();
            for (int i = 1; i < values.Length; i += 2) values[i] += Scale;
            h.Write(values);
        }
        logDet = Fill(1, Pixels.N);
        Forward();
        Inverse();
        Backward();
    }

    private View Second(View view) => view.Columns(Shape.Half, Shape.Half);
}
