using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ClassHeadTests
{
    private const float GLoss = 0.125f;

    /// <summary>z <c>[N,H,W,C]</c> and so many classes.</summary>
    public sealed record Case(PixelShape Z, int Classes, Layout Layout) : ITestShape
    {
        public bool Tiny => Z.Tiny;

        public double Relative => 32 * Tolerance.Ulp * Math.Sqrt(Math.Max(Z.H * Z.W, Z.C));

        public override string ToString() => $"{Z} {Classes} classes {Layout}";
    }

    private static IReadOnlyList<Case> Shapes { get; } =
    [
        new(new PixelShape(1, 1, 1, 2), 1, Layout.Dense), new(new PixelShape(2, 2, 3, 6), 4, Layout.Dense),
        new(new PixelShape(3, 4, 1, 12), 10, Layout.Dense), new(new PixelShape(5, 4, 4, 24), 3, Layout.Dense),
        new(new PixelShape(2, 7, 9, 30), 17, Layout.Dense), new(new PixelShape(17, 1, 2, 5), 100, Layout.Dense),
        new(new PixelShape(2, 2, 2, 6), 3, Layout.FirstHalf),
    ];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void ForwardGivesMeanLogitsAndLoss(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] logits = ClassHeadReference.Logits(data.Images, data.W.Wide(), data.Bias.Wide(), data.Logs.Wide());
        Tolerance.Close("mean", got["mean"], ClassHeadReference.Mean(data.Images), shape.Relative,
            shape.Z.N, shape.Z.C);
        Tolerance.Close("logits", got["logits"], logits, shape.Relative, shape.Z.N, shape.Classes);
        double[] loss = ClassHeadReference.Loss(logits, data.Labels.Wide());
        for (int n = 0; n < loss.Length; n++) Tolerance.Close($"loss[{n}]", got["loss"][n], loss[n], shape.Relative, 1);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] z = data.Z.Wide(), w = data.W.Wide(), bias = data.Bias.Wide(), logs = data.Logs.Wide(),
            labels = data.Labels.Wide();
        double Loss(double[] zv, double[] wv, double[] bv, double[] lv) =>
            GLoss * ClassHeadReference.Loss(ClassHeadReference.Logits(data.Images with { Data = zv }, wv, bv, lv),
                labels).Sum();
        Tolerance.Close("dz", got["dz"],
            [.. ClassHeadReference.Backward(data.Images, w, bias, logs, labels, GLoss).Dz.Data.Zip(data.Dz,
                static (d, before) => d + before)],
            shape.Relative, shape.Z.P, shape.Z.C);
        if (shape.Classes == 1)
        {
            // One class is certain: the loss is zero whatever the parameters are.
            Assert.That(got["dw"].Concat(got["dbias"]).Concat(got["dlogs"]), Is.All.Zero);
            return;
        }
        GradientCheck.Check("w", v => Loss(z, v, bias, logs), w, got["dw"], shape.Relative);
        GradientCheck.Check("bias", v => Loss(z, w, v, logs), bias, got["dbias"], shape.Relative);
        GradientCheck.Check("logs", v => Loss(z, w, bias, v), logs, got["dlogs"], shape.Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) => Agreement.Check(device,
        backend => Run(backend, new Data(shape)), shape.Relative);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ExtremeLogitsStayFinite(TestDevice device)
    {
        Case shape = new(new PixelShape(2, 1, 1, 2), 3, Layout.Dense);
        Data data = new(shape);
        (data.Bias[0], data.Bias[1], data.Bias[2]) = (1000, -1000, 0);
        Array.Clear(data.Logs);
        (data.Labels[0], data.Labels[1]) = (0, 1);
        Results got = Run(device.Backend, data);
        double[] logits = ClassHeadReference.Logits(data.Images, data.W.Wide(), data.Bias.Wide(), data.Logs.Wide());
        Tolerance.Close("loss", got["loss"], ClassHeadReference.Loss(logits, data.Labels.Wide()), shape.Relative);
        foreach (float[] values in got.Values) Assert.That(values, Is.All.Matches<float>(float.IsFinite));
    }

    private static Results Run(IBackend backend, Data data)
    {
        (PixelShape z, int classes, Layout layout) = data.Case;
        using Guarded memory = new(backend);
        ClassHeadParameters parameters = new(memory.Input("w", data.W), memory.Input("bias", data.Bias),
            memory.Input("logs", data.Logs));
        ClassHeadParameters gradients = new(
            memory.Output("dw", 1, data.W.Length), memory.Output("dbias", 1, classes),
                memory.Output("dlogs", 1, classes));
        View top = memory.Input("z", data.Z, z.P, z.C, layout), labels = memory.Input("labels", data.Labels);
        View mean = memory.Output("mean", z.N, z.C), logits = memory.Output("logits", z.N, classes),
            loss = memory.Output("loss", 1, z.N);
        View dz = memory.InOut("dz", data.Dz, z.P, z.C, layout);
        backend.ClassHead.Forward(z.Pixels, top, parameters, labels, mean, logits, loss);
        backend.ClassHead.Backward(z.Pixels, parameters, labels, mean, logits, GLoss, dz, gradients);
        memory.Check();
        return new Results
        {
            ["mean"] = memory.Read(mean),
            ["logits"] = memory.Read(logits),
            ["loss"] = memory.Read(loss),
            ["dz"] = memory.Read(dz),
            ["dw"] = memory.Read(gradients.W),
            ["dbias"] = memory.Read(gradients.Bias),
            ["dlogs"] = memory.Read(gradients.Logs),
        };
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            Draw draw = new(shape.Z.P + 31 * shape.Classes);
            Case = shape;
            Z = draw.Normal(shape.Z.P * shape.Z.C);
            W = draw.Normal(shape.Z.C * shape.Classes, 0.5);
            Bias = draw.Normal(shape.Classes, 0.5);
            Logs = draw.Normal(shape.Classes, 0.1);
            Labels = draw.Integers(shape.Z.N, shape.Classes);
            Dz = draw.Normal(shape.Z.P * shape.Z.C, 0.1);
        }

        public Case Case { get; }
        public float[] Z { get; }
        public float[] W { get; }
        public float[] Bias { get; }
        public float[] Logs { get; }
        public float[] Labels { get; }
        public float[] Dz { get; }
        public Nhwc Images => new(Z.Wide(), Case.Z.N, Case.Z.H, Case.Z.W, Case.Z.C);
    }
}
