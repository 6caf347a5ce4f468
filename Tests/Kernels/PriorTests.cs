using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class PriorTests
{
    private const int Classes = 5;

    /// <summary>A prior of C channels; the shape's C counts channels, not statistics.</summary>
    public sealed record Case(PixelShape Z, bool Learned, bool Conditional, bool EdgeBias) : ITestShape
    {
        public bool Tiny => Z.Tiny;

        public double Relative => 16 * Tolerance.Ulp * Math.Sqrt(Z.P);

        public override string ToString() =>
            $"{Z}{(Learned ? " learned" : "")}{(Conditional ? " conditional" : "")}{(EdgeBias ? " edge" : "")}";
    }

    private static IEnumerable<Case> Shapes =>
        from z in new PixelShape[] { new(1, 1, 1, 2), new(2, 2, 3, 6), new(3, 4, 1, 12), new(2, 5, 7, 24),
            new(4, 3, 3, 30), new(1, 1, 97, 3) }
        from learned in new[] { true, false }
        from conditional in new[] { true, false }
        from edge in learned ? new[] { true, false } : [true]
        select new Case(z, learned, conditional, edge);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void StatisticsMatchReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Tolerance.Close("stats", Run(device.Backend, data)["stats"], Statistics(data, data.Weights), shape.Relative,
            shape.Z.P, 2 * shape.Z.C);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        PriorWeights w = data.Weights;
        double Loss(PriorWeights weights) => Statistics(data, weights).Zip(data.Dstats, static (v, g) => v * g).Sum();
        if (shape.Learned)
        {
            GradientCheck.Check("w", v => Loss(w with { W = v }), w.W!, got["dw"], shape.Relative);
            GradientCheck.Check("bias", v => Loss(w with { Bias = v }), w.Bias!, got["dbias"], shape.Relative);
            GradientCheck.Check("logs", v => Loss(w with { Logs = v }), w.Logs!, got["dlogs"], shape.Relative);
            // The input is zero, so that only the weights of the edge channel can matter.
            int statistics = 2 * shape.Z.C, inputs = statistics + (shape.EdgeBias ? 1 : 0);
            for (int i = 0; i < got["dw"].Length; i++)
                if (!shape.EdgeBias || i / statistics % inputs != statistics) Assert.That(got["dw"][i], Is.Zero,
                    $"dw[{i}]");
        }
        if (!shape.Conditional) return;
        GradientCheck.Check("class w", v => Loss(w with { ClassW = v }), w.ClassW!, got["dclassW"], shape.Relative);
        GradientCheck.Check("class bias", v => Loss(w with { ClassBias = v }), w.ClassBias!, got["dclassBias"],
            shape.Relative);
        GradientCheck.Check("class logs", v => Loss(w with { ClassLogs = v }), w.ClassLogs!, got["dclassLogs"],
            shape.Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) => Agreement.Check(device,
        backend => Run(backend, new Data(shape)), shape.Relative);

    private static double[] Statistics(Data data, PriorWeights weights)
    {
        PixelShape z = data.Case.Z;
        return PriorReference.Forward(z.N, z.H, z.W, z.C, weights, data.Labels.Wide(), data.Case.EdgeBias).Data;
    }

    private static Results Run(IBackend backend, Data data)
    {
        Case shape = data.Case;
        PixelShape z = shape.Z;
        int statistics = 2 * z.C;
        using Guarded memory = new(backend);
        View In(bool present, string name, float[] values) => present ? memory.Input(name, values) : View.None;
        View Out(bool present, string name, float[] like) => present ? memory.Output(name, 1, like.Length) : View.None;
        PriorParameters parameters = new(
            new ZeroConvParameters(In(shape.Learned, "w", data.W), In(shape.Learned, "bias", data.Bias),
                In(shape.Learned, "logs", data.Logs)),
            In(shape.Conditional, "class w", data.ClassW), In(shape.Conditional, "class bias", data.ClassBias),
            In(shape.Conditional, "class logs", data.ClassLogs));
        PriorParameters gradients = new(
            new ZeroConvParameters(Out(shape.Learned, "dw", data.W), Out(shape.Learned, "dbias", data.Bias),
                Out(shape.Learned, "dlogs", data.Logs)),
            Out(shape.Conditional, "dclassW", data.ClassW), Out(shape.Conditional, "dclassBias", data.ClassBias),
            Out(shape.Conditional, "dclassLogs", data.ClassLogs));
        View labels = In(shape.Conditional, "labels", data.Labels), stats = memory.Output("stats", z.P, statistics);
        View dstats = memory.Input("dstats", data.Dstats, z.P, statistics);
        backend.Prior.Forward(shape.EdgeBias, z.Pixels, parameters, labels, stats);
        backend.Prior.Backward(shape.EdgeBias, z.Pixels, parameters, labels, dstats, gradients);
        memory.Check();
        Results results = new() { ["stats"] = memory.Read(stats) };
        void Keep(string name, View view)
        {
            if (!view.IsNone) results[name] = memory.Read(view);
        }
        Keep("dw", gradients.Conv.W);
        Keep("dbias", gradients.Conv.Bias);
        Keep("dlogs", gradients.Conv.Logs);
        Keep("dclassW", gradients.ClassW);
        Keep("dclassBias", gradients.ClassBias);
        Keep("dclassLogs", gradients.ClassLogs);
        return results;
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            int statistics = 2 * shape.Z.C, inputs = statistics + (shape.EdgeBias ? 1 : 0);
            Draw draw = new(shape.Z.P + 31 * shape.Z.C);
            Case = shape;
            W = draw.Normal(9 * inputs * statistics, 0.3);
            Bias = draw.Normal(statistics, 0.5);
            Logs = draw.Normal(statistics, 0.1);
            ClassW = draw.Normal(Classes * statistics, 0.5);
            ClassBias = draw.Normal(statistics, 0.5);
            ClassLogs = draw.Normal(statistics, 0.1);
            Labels = draw.Integers(shape.Z.N, Classes);
            Dstats = draw.Normal(shape.Z.P * statistics);
        }

        public Case Case { get; }
        public float[] W { get; }
        public float[] Bias { get; }
        public float[] Logs { get; }
        public float[] ClassW { get; }
        public float[] ClassBias { get; }
        public float[] ClassLogs { get; }
        public float[] Labels { get; }
        public float[] Dstats { get; }

        public PriorWeights Weights => new(
            Case.Learned ? W.Wide() : null, Case.Learned ? Bias.Wide() : null, Case.Learned ? Logs.Wide() : null,
            Case.Conditional ? ClassW.Wide() : null, Case.Conditional ? ClassBias.Wide() : null,
                Case.Conditional ? ClassLogs.Wide() : null);
    }
}
