using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Import;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Import;

/// <summary>
/// Exported models come back as the same function, and those of rosinality/glow-pytorch as the same tensors.
/// </summary>
public sealed class ExportTests
{
    // Two conversions, and channels that are shifted by 1 and back.
    private const double Likelihood = 5e-6;
    private const double Latent = 5e-5;

    private static readonly GlowConfig[] WithoutEdges =
    [
        new GlowConfig { ImageSize = [16, 8], Levels = 3, Depth = 2, Width = 6, EdgeBias = false },
        new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 2, Width = 7, EdgeBias = false,
            Invconv = "plu", Coupling = "additive", NBits = 5 },
        new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 1, Width = 5, EdgeBias = false,
            Permutation = "shuffle", LearnTop = false },
        new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 2, Width = 5, EdgeBias = false,
            Permutation = "reverse", Coupling = "additive" },
        new GlowConfig { ImageSize = [8, 8], Levels = 1, Depth = 2, Width = 5, EdgeBias = false },
    ];

    private static IEnumerable<string> Unconditional => ImportFixture.All.Where(static n => !n.Contains("classes",
        StringComparison.Ordinal));

    private TemporaryFolder folder = null!;
    private Device device = null!;

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        device = DeviceFactory.Open("cpu", 1);
    }

    [TearDown]
    public void End()
    {
        device.Dispose();
        folder.Dispose();
    }

    private string Model => folder.File("m.safetensors");

    private string State => folder.File("s.safetensors");

    private string Back => folder.File("b.safetensors");

    [TestCaseSource(typeof(ImportFixture), nameof(ImportFixture.Rosinality))]
    public void An_imported_state_dict_comes_out_with_the_same_tensors(string name)
    {
        ImportFixture fixture = ImportFixture.Open(name);
        fixture.Import().Save(Model, new Dictionary<string, string>());
        GlowConfig config = (GlowConfig)ModelFile.ReadConfig(Model);
        RosinalityModel made = RosinalityExport.Write(Model, State, config.Width);
        Assert.That(made,
            Is.EqualTo(new RosinalityModel(config.Channels, config.Depth, config.Levels, config.Coupling == "affine",
            config.Invconv == "plu" || config.Levels == 1, config.Width)));
        using SafeTensorsReader exported = SafeTensorsReader.Open(State);
        string prefix = name == "rosinality-additive-dense-grey" ? "module." : "";
        string[] expected = [.. fixture.State.Under(prefix)];
        Assert.That(exported.Tensors.Select(static t => t.Name), Is.EquivalentTo(expected));
        foreach (string tensor in expected)
        {
            Assert.That(exported.Find(tensor)!.Shape, Is.EqualTo(fixture.State.Shape(prefix + tensor)), tensor);
            double[] values = fixture.State.Doubles(prefix + tensor), got = exported.ReadDoubles(tensor);
            // A negative scale moves into the matrix, and factors are not unique: those are compared as their product.
            if (tensor.EndsWith("actnorm.scale", StringComparison.Ordinal)) values = Array.ConvertAll(values, Math.Abs);
            if (!tensor.Contains(".invconv.", StringComparison.Ordinal)) Tolerance.Close(tensor, got, values, 1e-6);
        }
        for (int l = 0; l < config.Levels; l++)
        {
            for (int k = 0; k < config.Depth; k++)
            {
                string flow = $"blocks.{l}.flows.{k}";
                int c = config.LevelChannels(l);
                Tolerance.Close($"{flow} scale and 1×1",
                    Mixing(t => exported.ReadDoubles(t), n => exported.Find(n) is not null, flow, c),
                    Mixing(t => fixture.State.Doubles(prefix + t), n => fixture.State.Has(prefix + n), flow, c), 2e-6,
                        c, c);
            }
        }
    }

    [TestCaseSource(nameof(Unconditional))]
    public void An_imported_model_comes_back_as_the_same_function(string name)
    {
        ImportFixture fixture = ImportFixture.Open(name);
        fixture.Import().Save(Model, new Dictionary<string, string>());
        GlowConfig config = (GlowConfig)ModelFile.ReadConfig(Model);
        RosinalityExport.Write(Model, State, config.Width + 3);
        RosinalityImport.Read(State, fixture.ImageSize, fixture.Bits).Save(Back, new Dictionary<string, string>());
        using FlowModel again = ModelFile.Load(Back, device);
        Assert.That(again.Config.Width, Is.EqualTo(config.Width + 3));
        ImportTests.Check(fixture, again, Likelihood, Latent);
    }

    [TestCaseSource(nameof(WithoutEdges))]
    public void A_model_without_edge_bias_comes_back_as_the_same_function(GlowConfig config)
    {
        using Glow model = Random(config);
        ModelFile.Save(model, Model, 3);
        RosinalityModel made = RosinalityExport.Write(Model, State, config.Width + 1);
        // Splits see ones outside there, which takes a step a level to make up for.
        Assert.That(made.FlowSteps, Is.EqualTo(config.Depth + (config.Levels > 1 ? 1 : 0)));
        ComesBack(model, config.Width + 1);
    }

    [Test]
    public void Edge_rows_of_the_last_convolutions_and_the_prior_are_kept()
    {
        GlowConfig config = new() { ImageSize = [8, 8], Channels = 1, Levels = 1, Depth = 2, Width = 5 };
        using Glow model = Random(config);
        ClearEdges(model, "conv1.weight");
        ModelFile.Save(model, Model, 3);
        RosinalityExport.Write(Model, State, 6);
        ComesBack(model, 6);
    }

    [Test]
    public void One_level_of_every_kind_in_the_split()
    {
        // Of the two splits one is as in a model that came from there, the other blind to edges: only the second is
        // shifted.
        GlowConfig config = new() { ImageSize = [8, 8], Channels = 1, Levels = 3, Depth = 1, Width = 5 };
        using Glow model = Random(config);
        ClearEdges(model, "conv1.weight");
        ClearEdges(model, "levels.1.split.conv.weight");
        float[] split = model.Parameters.Value("levels.0.split.conv.weight").ToArray();
        for (int tap = 0; tap < 9; tap++)
            for (int j = 0; j < 4; j++)
                split[(tap * 3 + 2) * 4 + j] = split[tap * 3 * 4 + j] + split[(tap * 3 + 1) * 4 + j];
        model.Parameters.Value("levels.0.split.conv.weight").Write(split);
        model.Parameters.Touch();
        ModelFile.Save(model, Model, 3);
        Assert.That(RosinalityExport.Write(Model, State, 6).FlowSteps, Is.EqualTo(2));
        ComesBack(model, 6);
    }

    [Test]
    public void What_the_program_cannot_represent_is_refused()
    {
        const string Needed = "a model trained with --no-edge-bias, or imported from there and not trained further, "
            + "is needed";
        GlowConfig edges = new() { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 1, Width = 5 };
        Refused(edges, static _ => { }, 512,
            $"{Model}: 'levels.0.split.conv.weight' sees the edge of the image (edge_bias) as the convolutions of "
                + $"rosinality/glow-pytorch cannot; {Needed}");
        Refused(edges, static m => ClearEdges(m, "split.conv.weight"), 512,
            $"{Model}: 'levels.0.steps.0.coupling.conv1.weight' sees the edge of the image (edge_bias), which the "
                + $"zero-padded hidden convolutions of rosinality/glow-pytorch cannot; {Needed}");
        Refused(edges with { EdgeBias = false }, static _ => { }, 5,
            $"{Model}: 'levels.0.steps.0.coupling' needs 6 hidden channels in rosinality/glow-pytorch; --width 5 is "
                + "too few");
        Refused(edges with { EdgeBias = false, Classes = 4 }, static _ => { }, 512,
            $"{Model}: is conditional on 4 classes; rosinality/glow-pytorch has no classes, and only an "
                + "unconditional model can be exported");
        Refused(edges with { EdgeBias = false }, static m => m.Initialized = false, 512,
            $"{Model}: its actnorms have not been initialized from data; a trained model is needed");
    }

    private void Refused(GlowConfig config, Action<Glow> change, int width, string sentence)
    {
        using Glow model = Random(config);
        change(model);
        ModelFile.Save(model, Model, 3);
        Assert.That(Assert.Throws<GlowException>(() => RosinalityExport.Write(Model, State, width))!.Message,
            Is.EqualTo(sentence));
        Assert.That(Directory.GetFiles(folder.Path), Is.EqualTo(new[] { Model }));
    }

    private void ComesBack(Glow model, int width)
    {
        GlowConfig config = model.Config;
        RosinalityImport.Read(State, config.ImageSize, config.NBits).Save(Back, new Dictionary<string, string>());
        using FlowModel again = ModelFile.Load(Back, device);
        Assert.That(again.Config.Width, Is.EqualTo(width));
        Draw draw = new(5);
        Batch batch = new(3, draw.Integers(3 * config.Dimensions, 256), null);
        (Latents latents, BatchResult result) = model.Encode(batch, Noise.Center);
        (Latents latentsAgain, BatchResult resultAgain) = again.Encode(batch, Noise.Center);
        Tolerance.Close("log_likelihood", resultAgain.LogLikelihoods, result.LogLikelihoods, Likelihood);
        for (int l = 0; l < config.Levels; l++)
            Tolerance.Close($"eps{l}", latentsAgain.Eps[l], latents.Eps[l].Wide(), Latent);
        Latents drawn = new(3, Array.ConvertAll(latents.Eps, eps => draw.Normal(eps.Length)));
        Tolerance.Close("decoded", again.Decode(drawn, null), model.Decode(drawn, null).Wide(), Latent);
    }

    // Values of the size that training gives, in every parameter.
    private Glow Random(GlowConfig config)
    {
        Glow model = new(config, device, seed: 3) { Initialized = true };
        Draw draw = new(11);
        foreach (Parameter p in model.Parameters.All)
        {
            float[] values = model.Parameters.Value(p.Name).ToArray();
            bool mixing = p.Name.Contains(".invconv.", StringComparison.Ordinal);
            bool weight = p.Name.EndsWith("weight", StringComparison.Ordinal);
            double spread = mixing || !weight ? 0.05 : 0.3 / Math.Sqrt(p.Count / p.Shape[^1]);
            float[] noise = draw.Normal(p.Count, spread);
            for (int i = 0; i < values.Length; i++) values[i] = mixing ? values[i] + noise[i] : noise[i];
            model.Parameters.Value(p.Name).Write(values);
        }
        model.Parameters.Touch();
        return model;
    }

    private static void ClearEdges(Glow model, string ending)
    {
        foreach (Parameter p in model.Parameters.All.Where(p => p.Name.EndsWith(ending, StringComparison.Ordinal)))
        {
            float[] values = model.Parameters.Value(p.Name).ToArray();
            int rows = p.Shape[2], outs = p.Shape[3];
            for (int tap = 0; tap < 9; tap++) values.AsSpan((tap * rows + rows - 1) * outs, outs).Clear();
            model.Parameters.Value(p.Name).Write(values);
        }
        model.Parameters.Touch();
    }

    // The matrix of a whole actnorm and 1×1 convolution, [out,in], written out.
    private static double[] Mixing(Func<string, double[]> read, Func<string, bool> has, string flow, int c)
    {
        double[] scale = read($"{flow}.actnorm.scale"), w = new double[c * c];
        if (has($"{flow}.invconv.weight")) w = read($"{flow}.invconv.weight");
        else
        {
            double[] p = read($"{flow}.invconv.w_p"), l = read($"{flow}.invconv.w_l"), u = read($"{flow}.invconv.w_u");
            double[] s = read($"{flow}.invconv.w_s"), sign = read($"{flow}.invconv.s_sign");
            for (int i = 0; i < c; i++)
                for (int r = 0; r < c; r++)
                    for (int m = 0; m <= r; m++)
                        for (int j = m; j < c; j++)
                            w[i * c + j] += p[i * c + r] * (m == r ? 1 : l[r * c + m]) * (m == j
                                ? sign[m] * Math.Exp(s[m]) : u[m * c + j]);
        }
        return [.. w.Select((v, i) => v * scale[i % c])];
    }
}
