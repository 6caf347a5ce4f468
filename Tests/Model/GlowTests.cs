using GlowGpu.Engine;
using GlowGpu.Kernels.Host;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Model;

/// <summary>What the model promises beside its numbers.</summary>
[TestFixture]
public sealed class GlowTests
{
    private static readonly GlowConfig Config = new() { ImageSize = [8, 8], Levels = 2, Depth = 2, Width = 10 };

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void InitializationNormalizesEveryActnorm(TestDevice device)
    {
        using ModelUnderTest model = new(device, Config with { Depth = 3 }, seed: 5);
        Batch batch = Images(16, seed: 1);
        model.Glow.Initialize(batch, Noise.Center);
        Assert.That(model.Glow.Initialized, Is.True);
        double[] half = new double[batch.Bytes.Length];
        Array.Fill(half, 0.5);
        int seen = 0;
        ReferenceGlow reference = new(model.Glow.Config, model.Parameters())
        {
            Layer = (name, output) =>
            {
                if (!name.EndsWith("actnorm", StringComparison.Ordinal)) return;
                seen++;
                for (int c = 0; c < output.C; c++)
                {
                    double[] channel = [.. Enumerable.Range(0, output.Pixels)
                        .Select(p => output.Data[p * output.C + c])];
                    Tolerance.Close($"{name}: mean of channel {c}", channel.Average(), 0, device.Network(1e-4), 1);
                    Tolerance.Close($"{name}: variance of channel {c}", channel.Average(static v => v * v), 1,
                        device.Network(1e-3));
                }
            },
        };
        reference.Encode(DequantizeReference.Forward(batch.Bytes.Wide(), Config.NBits, half), batch.Count, null);
        Assert.That(seen, Is.EqualTo(2 * 3 * 3), "levels × steps × three actnorms");
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void FreshModelHasThePublishedInitialValues(TestDevice device)
    {
        foreach (string invconv in new[] { "dense", "plu" })
        {
            using ModelUnderTest model = new(device, Config with { Invconv = invconv, Width = 64, Classes = 3 },
                seed: 5);
            Dictionary<string, double[]> parameters = model.Parameters();
            foreach (Parameter parameter in model.Glow.Parameters.All)
            {
                double[] value = parameters[parameter.Name];
                if (parameter.Name.EndsWith("conv1.weight", StringComparison.Ordinal)
                    || parameter.Name.EndsWith("conv2.weight", StringComparison.Ordinal))
                {
                    Tolerance.Close($"mean of {parameter.Name}", value.Average(), 0, 5 / Math.Sqrt(value.Length), 0.05);
                    Tolerance.Close($"deviation of {parameter.Name}", Tolerance.Rms(value), 0.05,
                        5 / Math.Sqrt(2 * value.Length));
                }
                else if (!parameter.Name.Contains("invconv", StringComparison.Ordinal))
                {
                    Assert.That(value, Is.All.Zero, parameter.Name);
                }
            }
            for (int l = 0; l < 2; l++)
                for (int k = 0; k < 2; k++) CheckRotation(parameters, $"levels.{l}.steps.{k}.invconv",
                    Config.LevelChannels(l), invconv == "plu");
        }
    }

    [Test]
    public void SeedAloneDecidesTheDraw()
    {
        Dictionary<string, double[]>? first = null;
        foreach (TestDevice device in Devices.All)
        {
            using ModelUnderTest model = new(device, Config, seed: 21);
            Dictionary<string, double[]> parameters = model.Parameters();
            first ??= parameters;
            foreach ((string name, double[] expected) in first)
                Tolerance.SameBits($"{device}: {name}", parameters[name].Narrow(), expected.Narrow());
        }
        using ModelUnderTest other = new(Devices.Host, Config, seed: 22);
        Assert.That(other.Parameters()["levels.0.steps.0.coupling.conv1.weight"],
            Is.Not.EqualTo(first!["levels.0.steps.0.coupling.conv1.weight"]));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void NothingIsAllocatedFromTheSecondStepOn(TestDevice device)
    {
        foreach (MemoryMode memory in Enum.GetValues<MemoryMode>())
        {
            using ModelUnderTest model = new(device, Config, seed: 2);
            Batch batch = Images(3, seed: 1);
            model.Glow.Initialize(batch, Noise.Center);
            model.Glow.LossAndGradients(batch, Noise.Center, memory, 0);
            int allocations = model.Arena.Allocations;
            long bytes = model.Arena.Bytes;
            for (int step = 0; step < 3; step++) model.Glow.LossAndGradients(batch, Noise.Center, memory, 0);
            Assert.That(model.Arena.Allocations, Is.EqualTo(allocations), memory.ToString());
            Assert.That(model.Arena.Bytes, Is.EqualTo(bytes), memory.ToString());
            Assert.That(model.Arena.Rented, Is.Zero, "everything rented was returned");
        }
    }

    [TestCase(MemoryMode.Stored, 0, 1)]
    [TestCase(MemoryMode.Reversible, 0, 2)]
    [TestCase(MemoryMode.Stored, 3, 2)]
    public void SteadyTrainingStepOnTheHostAllocatesNoManagedMemory(MemoryMode memory, int classes, int threads)
    {
        using Device device = new(new HostBackend(threads));
        using GlowGpu.Model.Glow glow = new(Config with { Classes = classes }, device, seed: 2);
        using Adamax optimizer = new(device.Backend, glow.Parameters, 0.9, 0.999, 1e-8, averageDecay: 0.99);
        Batch batch = Images(3, seed: 1, classes: classes);
        glow.Initialize(batch, Noise.Center);
        double norm = 0;
        void Step() => norm = glow.Train(batch, Noise.Center, memory, 0.01, optimizer, 1e-3, clipNorm: 1).GradientNorm;
        for (int i = 0; i < 3; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++) Step();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(norm, Is.Positive);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void LargestVariablesOfALevelAreThoseOfItsLayers(TestDevice device)
    {
        // Before training a coupling only scales the second half by sigmoid(2), and splits and prior are standard
        // normal: a level ends in its latents, and before that they were larger.
        using ModelUnderTest model = new(device, Config with { Depth = 1, Permutation = "reverse" }, seed: 2);
        Latents latents = Sampler.Draw(Config, 2, 1, seed: 3);
        double scale = 1 / (1 + Math.Exp(-2));
        int channels = Config.LatentShape(1).C;
        double top = latents.Eps[1].Select((z, i) => Math.Abs(z) / (i % channels < channels / 2 ? 1 : scale)).Max();
        double bottom = Math.Max(top, latents.Eps[0].Max(Math.Abs) / scale);
        // The largest value is positive in one and negative in the other.
        Latents mirrored = new(2, [.. latents.Eps.Select(static e => Array.ConvertAll(e, static z => -z))]);
        foreach (Latents each in new[] { latents, mirrored })
            Assert.That(model.Glow.LevelMaxima(model.Glow.Decode(each, null), 2, null),
                Is.EqualTo(new[] { bottom, top }).Within(1e-4).Percent);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void EveryCallReturnsWhatItRented(TestDevice device)
    {
        using ModelUnderTest model = new(device, Config with { Classes = 3 }, seed: 2);
        Batch batch = Images(3, seed: 1, classes: 3);
        model.Glow.Initialize(batch, Noise.Center);
        Assert.That(model.Arena.Rented, Is.Zero, "initialize");
        model.Glow.Evaluate(batch, Noise.Center, 0.1);
        Assert.That(model.Arena.Rented, Is.Zero, "evaluate");
        (Latents latents, _) = model.Glow.Encode(batch, Noise.Center);
        Assert.That(model.Arena.Rented, Is.Zero, "encode");
        model.Glow.Decode(latents, batch.Labels);
        Assert.That(model.Arena.Rented, Is.Zero, "decode");
        model.Glow.FirstNonFiniteLayer(batch, Noise.Center);
        Assert.That(model.Arena.Rented, Is.Zero, "first non-finite layer");
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void ReversibleMemoryDoesNotGrowWithDepth(TestDevice device)
    {
        Assert.That(Peak(16, MemoryMode.Reversible), Is.EqualTo(Peak(4, MemoryMode.Reversible)));
        Assert.That(Peak(16, MemoryMode.Stored), Is.GreaterThan(2 * Peak(4, MemoryMode.Stored)));

        long Peak(int depth, MemoryMode memory)
        {
            using ModelUnderTest model = new(device, Config with { Depth = depth }, seed: 2);
            model.Glow.LossAndGradients(Images(2, seed: 1), Noise.Center, memory, 0);
            return model.Arena.Bytes;
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void BatchSizeMayChange(TestDevice device)
    {
        using ModelUnderTest model = new(device, Config, seed: 2);
        Batch three = Images(3, seed: 1), one = new(1, three.Bytes[..Config.Dimensions], null);
        double[] together = model.Glow.Evaluate(three, Noise.Center).LogLikelihoods;
        double alone = model.Glow.Evaluate(one, Noise.Center).LogLikelihoods[0];
        Tolerance.Close("log_likelihood", alone, together[0], device.Network(1e-6));
        Assert.That(model.Glow.Evaluate(three, Noise.Center).LogLikelihoods, Is.EqualTo(together));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void EvaluateGivesTheLossOfTheTrainingStep(TestDevice device)
    {
        using ModelUnderTest model = new(device, Config with { Classes = 4 }, seed: 2);
        Batch batch = Images(5, seed: 1, classes: 4);
        Noise noise = new(Dequantization.Uniform, 3, 12);
        BatchResult trained = model.Glow.LossAndGradients(batch, noise, MemoryMode.Stored, 0.1);
        BatchResult evaluated = model.Glow.Evaluate(batch, noise, 0.1);
        Assert.That(evaluated.Loss, Is.EqualTo(trained.Loss));
        Assert.That(evaluated.LogLikelihoods, Is.EqualTo(trained.LogLikelihoods));
        // Zero weights: all classes alike, log2 of their number.
        Tolerance.Close("class bits", trained.ClassBits, 2, 1e-6);
        Tolerance.Close("loss", trained.Loss, trained.BitsPerDim + 0.1 * trained.ClassBits, 1e-12);
    }

    [TestCase("levels.0.steps.0.actnorm.bias", "levels.0.steps.0.actnorm")]
    [TestCase("levels.0.steps.1.coupling.conv3.bias", "levels.0.steps.1.coupling")]
    [TestCase("levels.1.steps.0.coupling.conv1.actnorm.bias", "levels.1.steps.0.coupling")]
    [TestCase("levels.1.steps.1.actnorm.bias", "levels.1.steps.1.actnorm")]
    [TestCase("levels.0.split.conv.bias", "levels.0.split")]
    [TestCase("prior.conv.bias", "prior")]
    public void FirstLayerThatIsNotFiniteIsNamed(string parameter, string layer)
    {
        using ModelUnderTest model = new(Devices.Host, Config, ReferenceModels.Parameters(Config, 3));
        Batch batch = Images(2, seed: 1);
        Assert.That(model.Glow.FirstNonFiniteLayer(batch, Noise.Center), Is.Null);
        double[] values = model.Parameters()[parameter];
        values[0] = double.NaN;
        model.Write(parameter, values);
        Assert.That(model.Glow.FirstNonFiniteLayer(batch, Noise.Center), Is.EqualTo(layer));
    }

    [Test]
    public void ConditionalModelNeedsLabels()
    {
        using ModelUnderTest model = new(Devices.Host, Config with { Classes = 3 }, seed: 1);
        Batch batch = Images(2, seed: 1);
        Assert.That(() => model.Glow.Evaluate(batch, Noise.Center),
            Throws.ArgumentException.With.Message.EqualTo(
                "model: it is conditional on 3 classes, so 2 labels are needed"));
        Assert.That(() => model.Glow.Evaluate(batch with { Labels = [0, 3] }, Noise.Center),
            Throws.TypeOf<GlowException>()
                .With.Message.EqualTo("labels: image 1 has class 3; the model knows classes 0 to 2"));
        Assert.That(() => model.Glow.Evaluate(batch with { Labels = [0, 2] }, Noise.Center), Throws.Nothing);
    }

    [Test]
    public void ImagesOfAnOddSizeAreRefused() =>
        Assert.That(() => new ModelUnderTest(Devices.Host, Config with { ImageSize = [8, 6] }, seed: 1),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(
                "config: images of 8×6 cannot be squeezed 2 times; height and width must be multiples of 4"));

    [Test]
    public void ConstantsKeepTheirTypeAndLength()
    {
        using ModelUnderTest model = new(Devices.Host, Config with { Permutation = "shuffle" }, seed: 1);
        Assert.That(() => model.Glow.SetConstant("levels.0.steps.0.permutation", new int[11]),
            Throws.ArgumentException);
        Assert.That(() => model.Glow.SetConstant("levels.0.steps.0.permutation", new float[12]),
            Throws.ArgumentException);
        Assert.That(() => model.Glow.SetConstant("levels.0.steps.9.permutation", new int[12]),
            Throws.ArgumentException);
    }

    [TestCase(8)]
    [TestCase(5)]
    [TestCase(1)]
    public void BytesAreFlooredScaledAndClipped(int bits)
    {
        float[] x = [-10, -0.5f, -0.499f, 0, 0.4999f, 0.5f, 3, .. new Draw(1).Uniform(100, -0.6, 0.6)];
        Assert.That(Glow.ToBytes(x, bits), Is.EqualTo(DequantizeReference.ToBytes(x.Wide(), bits)));
        // A number that ½ swallows lies in the bin below all the same.
        Assert.That(Glow.ToBytes([-1e-30f, 0], bits), Is.EqualTo(DequantizeReference.ToBytes([-1e-9, 0], bits)));
        Assert.That(() => Glow.ToBytes([0, 0], bits, new byte[3]),
            Throws.ArgumentException.With.Message.StartsWith("bytes: there is room for 3, but there are 2 values"));
        Assert.That(Glow.ToBytes([float.NaN, float.PositiveInfinity, float.NegativeInfinity], bits),
            Is.EqualTo(new byte[] { 0, 255, 0 }));
    }

    private static void CheckRotation(Dictionary<string, double[]> parameters, string name, int c, bool plu)
    {
        double[] w = plu
            ? ChannelMixReference.Plu(Array.ConvertAll(parameters[name + ".p"], static v => (int)v),
            parameters[name + ".lower"],
                parameters[name + ".upper"], parameters[name + ".log_s"], parameters[name + ".sign_s"])
            : parameters[name + ".weight"];
        double[] transposed = new double[c * c], identity = new double[c * c];
        for (int i = 0; i < c * c; i++) transposed[i % c * c + i / c] = w[i];
        for (int i = 0; i < c; i++) identity[i * c + i] = 1;
        Tolerance.Close($"{name}: W·Wᵀ", Matrix.Multiply(w, transposed, c), identity, 1e-5, c, c);
    }

    private static Batch Images(int count, int seed, int classes = 0)
    {
        Draw draw = new(seed);
        return new Batch(count, draw.Integers(count * Config.Dimensions, 256),
            classes == 0 ? null : draw.Integers(count, classes));
    }
}
