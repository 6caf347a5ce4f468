using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ChannelMapTests
{
    private const float GLogDet = -0.0625f;
    private const string Advice = "go back to an earlier checkpoint and train on with a lower learning rate, "
        + "or use the plu parameterisation, which stays invertible";

    private static IEnumerable<ChannelMapCase> Shapes =>
        from mixing in Enum.GetValues<ChannelMixing>()
        from c in new[] { 2, 6, 12, 24, 30, 48, 96 }
        select new ChannelMapCase([new(c, mixing, 16)]);

    // Steps of different sizes and kinds at once, as a whole model has them.
    private static readonly ChannelMapCase Several = new(
    [
        new(12, ChannelMixing.Dense, 16), new(12, ChannelMixing.Plu, 16), new(24, ChannelMixing.Permutation, 4),
            new(48, ChannelMixing.Dense, 1),
    ]);

    // As wide as the top of a large model, and one past a multiple of every group.
    private static readonly ChannelMapCase[] Wide = [new([new(192, ChannelMixing.Dense, 4)]),
        new([new(129, ChannelMixing.Plu, 4)])];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes.Append(Several).Concat(Wide));

    private static IEnumerable<TestCaseData> GradientCases =>
        Devices.With(Shapes.Append(Several).Where(static s => s.Steps.All(static t => t.Channels <= 48)));

    [TestCaseSource(nameof(Cases))]
    public void PrepareFoldsActNormIntoTheMixing(TestDevice device, ChannelMapCase shape)
    {
        using ChannelMapMemory memory = new(device.Backend, shape);
        memory.Prepare();
        double logDet = 0, scale = 0;
        for (int i = 0; i < shape.Steps.Length; i++)
        {
            ChannelMapData data = memory.Data[i];
            int c = data.Channels;
            double[] w = data.FoldedWeight(), bias = data.Bias.Wide();
            double[] b = new double[c];
            for (int k = 0; k < c * c; k++) b[k % c] += bias[k / c] * w[k];
            Tolerance.Close($"W {i}", memory.Map(i).W, w, 32 * Tolerance.Ulp, c, c);
            Tolerance.Close($"B {i}", memory.Map(i).B, b, 32 * Tolerance.Ulp);
            // In double up to the end, so the condition of W costs nothing.
            Tolerance.Close($"V {i}", memory.Map(i).V, Matrix.Inverse(w, c), 32 * Tolerance.Ulp, c, c);
            Tolerance.SameBits($"C {i}", memory.Map(i).C, Array.ConvertAll(data.Bias, static v => -v));
            double part = data.LogDet();
            logDet += part;
            scale += Math.Abs(part);
        }
        Tolerance.Close("logdet", memory.LogDet(), logDet, 8 * Tolerance.Ulp, scale);
    }

    [TestCaseSource(nameof(GradientCases))]
    public void BackwardGivesTheGradients(TestDevice device, ChannelMapCase shape)
    {
        using ChannelMapMemory memory = new(device.Backend, shape);
        memory.Prepare();
        memory.Backward(GLogDet);
        for (int i = 0; i < shape.Steps.Length; i++)
        {
            ChannelMapData data = memory.Data[i];
            foreach ((string name, float[] values, float[] gradient) in memory.Trainable(i))
                GradientCheck.Check($"step {i} {name}", v => data.With(name, v).Loss(GLogDet), values.Wide(),
                    gradient, 64 * Tolerance.Ulp);
            if (data.Mixing != ChannelMixing.Plu) continue;
            int c = data.Channels;
            float[] lower = memory.Gradient(i, "lower"), upper = memory.Gradient(i, "upper");
            for (int row = 0; row < c; row++)
                for (int col = 0; col < c; col++)
                {
                    if (col >= row) Assert.That(lower[row * c + col], Is.Zero, $"gradient of lower[{row},{col}]");
                    if (col <= row) Assert.That(upper[row * c + col], Is.Zero, $"gradient of upper[{row},{col}]");
                }
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, ChannelMapCase shape) => Agreement.Check(device, backend =>
    {
        using ChannelMapMemory memory = new(backend, shape);
        memory.Prepare();
        memory.Backward(GLogDet);
        return memory.All();
    }, 64 * Tolerance.Ulp);

    [TestCaseSource(nameof(Cases))]
    public void InverseMapUndoesForwardMap(TestDevice device, ChannelMapCase shape)
    {
        using ChannelMapMemory memory = new(device.Backend, shape);
        memory.Prepare();
        for (int i = 0; i < shape.Steps.Length; i++)
        {
            int c = memory.Data[i].Channels, p = 5;
            float[] x = new Draw(i).Normal(p * c);
            using Guarded tensors = new(device.Backend);
            View input = tensors.Input("x", x, p, c), y = tensors.Output("y", p, c),
                back = tensors.Output("back", p, c);
            ChannelMaps maps = memory.Steps[i].Maps;
            device.Backend.ChannelAffine.Apply(input, maps.W, maps.B, y);
            device.Backend.ChannelAffine.Apply(y, maps.V, maps.C, back);
            tensors.Check();
            Tolerance.Close($"x {i}", tensors.Read(back), x.Wide(), 128 * Tolerance.Ulp, p, c);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void ConditionOfTheWeightCostsNothing(TestDevice device)
    {
        // Rows from 1 to 1e-4 in length, mixed: a condition of more than 1e4, at which float32 alone would leave
        // three digits.
        const int C = 16;
        using ChannelMapMemory memory = new(device.Backend, new([new(C, ChannelMixing.Dense, 4)]));
        double[] left = new Draw(5).Mixing(C).Wide(), right = new Draw(6).Mixing(C).Wide();
        for (int i = 0; i < C * C; i++) right[i] *= Math.Pow(10, -4.0 * (i / C) / (C - 1));
        float[] w = Matrix.Multiply(left, right, C).Narrow();
        memory.WriteWeight(0, w);
        memory.Prepare();
        double[] inverse = Matrix.Inverse(w.Wide(), C);
        float[] logs = memory.Data[0].Logs;
        for (int i = 0; i < C * C; i++) inverse[i] *= Math.Exp(-3.0 * logs[i % C]);
        Tolerance.Close("V", memory.Map(0).V, inverse, 8 * Tolerance.Ulp, C, C);
        Tolerance.Close("logdet", memory.LogDet(),
            4 * (3 * logs.Wide().Sum() + Matrix.LogAbsDeterminant(w.Wide(), C)), 8 * Tolerance.Ulp);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void NegativeDeterminantIsAsGoodAsAPositiveOne(TestDevice device)
    {
        ChannelMapCase shape = new([new(6, ChannelMixing.Dense, 9)]);
        using ChannelMapMemory memory = new(device.Backend, shape);
        float[] w = memory.Data[0].Weight;
        memory.Prepare();
        double before = memory.LogDet();
        for (int j = 0; j < 6; j++) (w[j], w[6 + j]) = (w[6 + j], w[j]);
        memory.WriteWeight(0, w);
        memory.Prepare();
        Tolerance.Close("logdet", memory.LogDet(), before, 8 * Tolerance.Ulp);
        Assert.That(memory.LogDet(), Is.Not.NaN);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void SingularWeightIsNamed(TestDevice device)
    {
        ChannelMapCase shape = new([new(6, ChannelMixing.Dense, 9), new(6, ChannelMixing.Dense, 9)]);
        using ChannelMapMemory memory = new(device.Backend, shape);
        float[] w = memory.Data[1].Weight;
        Array.Copy(w, 0, w, 6, 6);
        memory.WriteWeight(1, w);
        Assert.That(() => memory.Prepare(), Throws.InstanceOf<ArithmeticException>().With.Message.Matches(
            @"^levels\.0\.steps\.1: the channel mixing matrix is singular \(pivot \d of 6 is \S+ of its column\); "
                + Advice + "$"));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void ZeroWeightIsNamed(TestDevice device)
    {
        using ChannelMapMemory memory = new(device.Backend, new([new(12, ChannelMixing.Dense, 4)]));
        memory.WriteWeight(0, new float[144]);
        Assert.That(() => memory.Prepare(), Throws.InstanceOf<ArithmeticException>().With.Message.Matches(
            @"^levels\.0\.steps\.0: the channel mixing matrix is singular \(pivot 1 of 12 is \S+ of its column\); "
                + Advice + "$"));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void NonFiniteWeightIsNamed(TestDevice device)
    {
        using ChannelMapMemory memory = new(device.Backend, new([new(6, ChannelMixing.Dense, 4)]));
        float[] w = memory.Data[0].Weight;
        w[8] = float.NaN;
        memory.WriteWeight(0, w);
        Assert.That(() => memory.Prepare(), Throws.InstanceOf<ArithmeticException>().With.Message.EqualTo(
            "levels.0.steps.0: the channel mixing matrix is not finite (NaN at row 1, column 2); "
            + "go back to an earlier checkpoint and train on with a lower learning rate"));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void FactorsThatFailAreNamed(TestDevice device)
    {
        using ChannelMapMemory memory = new(device.Backend,
            new([new(6, ChannelMixing.Dense, 4), new(6, ChannelMixing.Plu, 4)]));
        float[] logS = memory.Data[1].LogS;
        logS[3] = float.NegativeInfinity;
        memory.WriteLogS(1, logS);
        Assert.That(() => memory.Prepare(), Throws.InstanceOf<ArithmeticException>().With.Message.EqualTo(
            "levels.0.steps.1: the channel mixing matrix is singular (pivot 4 of 6 is 0e+0 of its column); " + Advice));
        logS[3] = float.PositiveInfinity;
        memory.WriteLogS(1, logS);
        Assert.That(() => memory.Prepare(), Throws.InstanceOf<ArithmeticException>().With.Message.StartsWith(
            "levels.0.steps.1: the channel mixing matrix is not finite ("));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void AConstantThatChangesIsNoticed(TestDevice device)
    {
        ChannelMapCase shape = new([new(6, ChannelMixing.Permutation, 4)]);
        using ChannelMapMemory memory = new(device.Backend, shape);
        memory.Prepare();
        float[] before = memory.Map(0).W;
        Array.Reverse(memory.Data[0].Order);
        memory.Prepare();
        float[] after = memory.Map(0).W;
        for (int i = 0; i < 36; i++) Assert.That(after[i], Is.EqualTo(before[i / 6 * 6 + 5 - i % 6]));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void PreparingAgainAfterAFailureWorks(TestDevice device)
    {
        using ChannelMapMemory memory = new(device.Backend, new([new(6, ChannelMixing.Dense, 4)]));
        float[] w = memory.Data[0].Weight;
        memory.WriteWeight(0, new float[36]);
        Assert.That(() => memory.Prepare(), Throws.InstanceOf<ArithmeticException>());
        memory.WriteWeight(0, w);
        memory.Prepare();
        Tolerance.Close("logdet", memory.LogDet(), memory.Data[0].LogDet(), 8 * Tolerance.Ulp, 1);
    }
}
