using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Model;

/// <summary>What makes the model a flow: exact densities, exact gradients, and a way back.</summary>
[TestFixture]
public sealed class FlowTests
{
    /// <summary>A small model.</summary>
    public sealed record Case(string Coupling, string Permutation, string Invconv, int Levels, int Depth) : ITestShape
    {
        public bool Tiny => Levels == 1;

        public GlowConfig Config => ReferenceModels.Tiny(Coupling, Permutation,
            Invconv) with
        { Levels = Levels, Depth = Depth };

        public override string ToString() => $"{Coupling} {Permutation} {Invconv} L={Levels} K={Depth}";
    }

    private static IEnumerable<Case> Configurations =>
    [
        // One step by itself: each kind of mixing with each kind of coupling.
        new("additive", "reverse", "dense", 1, 1), new("additive", "shuffle", "dense", 1, 1),
            new("additive", "invconv", "dense", 1, 1),
        new("additive", "invconv", "plu", 1, 1), new("affine", "reverse", "dense", 1, 1),
            new("affine", "invconv", "plu", 1, 1),
        // With a split.
        new("additive", "reverse", "dense", 2, 1), new("affine", "shuffle", "dense", 2, 2),
            new("affine", "invconv", "dense", 2, 2),
        new("affine", "invconv", "plu", 2, 3),
    ];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Configurations);

    [TestCaseSource(nameof(Cases))]
    public void LogLikelihoodIsThatOfTheFullJacobian(TestDevice device, Case configuration)
    {
        GlowConfig config = configuration.Config;
        Dictionary<string, double[]> parameters = ReferenceModels.Parameters(config, seed: 3);
        using ModelUnderTest model = new(device, config, parameters);
        float[] x = new Draw(5).Uniform(config.Dimensions, -0.5, 0.5);
        (Latents latents, BatchResult result) = model.Glow.Encode(x, 1, null);
        // The change of variables straight from its definition; no formula of any layer's log-determinant is in it.
        double logDet = NumericJacobian.LogDeterminant(
            v => [.. new ReferenceGlow(config, parameters).Encode(v, 1, null).Eps.SelectMany(static e => e.Data)],
                x.Wide());
        double expected = logDet - config.Dimensions * Math.Log(config.Bins)
            - 0.5 * latents.Eps.SelectMany(static e => e).Sum(static e => e * (double)e + Math.Log(2 * Math.PI));
        Tolerance.Close("log_likelihood", result.LogLikelihoods[0], expected, device.Network(2e-6));
    }

    [TestCaseSource(nameof(Cases))]
    public void BothMemoryModesGiveTheGradientsOfTheLoss(TestDevice device, Case configuration)
    {
        GlowConfig config = configuration.Config;
        Dictionary<string, double[]> parameters = ReferenceModels.Parameters(config, seed: 4);
        float[] x = new Draw(6).Uniform(2 * config.Dimensions, -0.5, 0.5);
        double relative = device.Network(5e-5);
        foreach (MemoryMode memory in Enum.GetValues<MemoryMode>())
        {
            using ModelUnderTest model = new(device, config, parameters);
            model.Glow.LossAndGradients(x, 2, null, memory, 0);
            foreach ((string name, float[] gradient) in model.Gradients())
            {
                double[] value = parameters[name];
                GradientCheck.Check($"{memory} {name}", v =>
                {
                    parameters[name] = v;
                    double loss = new ReferenceGlow(config, parameters).Loss(x.Wide(), 2, null, 0);
                    parameters[name] = value;
                    return loss;
                }, value, gradient, relative, Smoothness.Kinked);
            }
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void DecodeInvertsEncode(TestDevice device, Case configuration)
    {
        GlowConfig config = configuration.Config;
        using ModelUnderTest model = new(device, config, ReferenceModels.Parameters(config, seed: 7));
        float[] x = new Draw(8).Uniform(3 * config.Dimensions, -0.5, 0.5);
        float[] again = model.Glow.Decode(model.Glow.Encode(x, 3, null).Latents, null);
        // What the inverse of an ill-conditioned W makes of rounding errors.
        Tolerance.Close("x", again, x.Wide(), 1e-4, 3, config.Height, config.ImageWidth, config.Channels);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void DeepModelStaysInvertibleInTraining(TestDevice device)
    {
        GlowConfig config = new() { ImageSize = [16, 16], Levels = 3, Depth = 32, Width = 16 };
        using ModelUnderTest model = new(device, config, seed: 11);
        Batch batch = Images(config, 8, seed: 1);
        Noise noise = new(Dequantization.Uniform, 5, 0);
        model.Glow.Initialize(batch, noise);
        using Adamax optimizer = new(device.Backend, model.Glow.Parameters, 0.9, 0.999, 1e-8, null);
        // Without a warm-up the first full step of so deep a model throws the loss far off.
        Schedule schedule = new(1e-3, WarmupSteps: 20);
        double first = double.NaN, last = double.NaN;
        for (int step = 1; step <= 10; step++)
        {
            last = model.Glow.LossAndGradients(batch, noise, MemoryMode.Stored, 0).Loss;
            if (step == 1) first = last;
            optimizer.Step(schedule.At(step), 1);
        }
        Assert.That(last, Is.LessThan(first), "loss of the batch trained on");
        float[] x = new Draw(12).Uniform(4 * config.Dimensions, -0.5, 0.5);
        float[] again = model.Glow.Decode(model.Glow.Encode(x, 4, null).Latents, null);
        double worst = x.Zip(again, static (a, b) => Math.Abs((double)a - b)).Max();
        Assert.That(worst, Is.LessThan(1e-3), "largest error of decode(encode(x))");
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void MemoryModesAgreeOnADeepModel(TestDevice device)
    {
        GlowConfig config = new() { ImageSize = [8, 8], Levels = 2, Depth = 16, Width = 16 };
        using ModelUnderTest model = new(device, config, seed: 3);
        Batch batch = Images(config, 4, seed: 2);
        model.Glow.Initialize(batch, Noise.Center);
        using (Adamax optimizer = new(device.Backend, model.Glow.Parameters, 0.9, 0.999, 1e-8, null))
            for (int step = 0; step < 3; step++)
            {
                model.Glow.LossAndGradients(batch, Noise.Center, MemoryMode.Stored, 0);
                optimizer.Step(1e-3, 1);
            }
        BatchResult stored = model.Glow.LossAndGradients(batch, Noise.Center, MemoryMode.Stored, 0);
        Dictionary<string, float[]> expected = model.Gradients();
        BatchResult reversible = model.Glow.LossAndGradients(batch, Noise.Center, MemoryMode.Reversible, 0);
        Assert.That(reversible.Loss, Is.EqualTo(stored.Loss), "both modes have the same forward");
        foreach ((string name, float[] gradient) in model.Gradients())
            Tolerance.Close(name, gradient, expected[name].Wide(), 1e-3);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void RunsAreEqualBitForBit(TestDevice device)
    {
        GlowConfig config = new() { ImageSize = [8, 12], Levels = 2, Depth = 2, Width = 20, Classes = 3 };
        Batch batch = Images(config, 3, seed: 3, classes: 3);
        foreach (MemoryMode memory in Enum.GetValues<MemoryMode>())
        {
            (double lossA, Dictionary<string, float[]> a) = Trained(device, config, batch, memory);
            (double lossB, Dictionary<string, float[]> b) = Trained(device, config, batch, memory);
            Assert.That(lossB, Is.EqualTo(lossA));
            foreach (string name in a.Keys) Tolerance.SameBits(name, b[name], a[name]);
            if (device.Kind != DeviceKind.Host) continue;
            (double lossHost, Dictionary<string, float[]> host) = Trained(Devices.Host, config, batch, memory);
            Assert.That(lossA, Is.EqualTo(lossHost), "the number of threads changes nothing");
            foreach (string name in a.Keys) Tolerance.SameBits($"{name} on {device}", a[name], host[name]);
        }
    }

    private static (double Loss, Dictionary<string, float[]> Parameters) Trained(TestDevice device, GlowConfig config,
        Batch batch, MemoryMode memory)
    {
        using ModelUnderTest model = new(device, config, seed: 9);
        Noise noise = new(Dequantization.Uniform, 77, 0);
        model.Glow.Initialize(batch, noise);
        using Adam optimizer = new(device.Backend, model.Glow.Parameters, 0.9, 0.999, 1e-8, 0.9);
        double loss = 0;
        for (int step = 0; step < 3; step++)
        {
            loss = model.Glow.LossAndGradients(batch, noise with { Counter = (ulong)step * 1000 }, memory, 0.01).Loss;
            optimizer.Step(1e-3, 1);
        }
        return (loss, model.Glow.Parameters.All.ToDictionary(static p => p.Name,
            p => model.Glow.Parameters.Value(p.Name).ToArray()));
    }

    // Smooth waves with a little noise: there is something to learn.
    private static Batch Images(GlowConfig config, int count, int seed, int classes = 0)
    {
        Draw draw = new(seed);
        float[] bytes = draw.Normal(count * config.Dimensions, 8), phase = draw.Uniform(count, 0, 6);
        for (int i = 0; i < bytes.Length; i++)
        {
            int pixel = i / config.Channels, y = pixel / config.ImageWidth % config.Height,
                x = pixel % config.ImageWidth;
            double wave = 128 + 70 * Math.Sin(phase[i / config.Dimensions] + 0.5 * x + 0.3 * y + i % config.Channels);
            bytes[i] = (float)Math.Clamp(Math.Round(wave + bytes[i]), 0, 255);
        }
        return new Batch(count, bytes, classes == 0 ? null : draw.Integers(count, classes));
    }
}
