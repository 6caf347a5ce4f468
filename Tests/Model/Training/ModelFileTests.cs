using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>Checkpoints: exact round trips, other programs' files, and every way they can be wrong.</summary>
public sealed class ModelFileTests
{
    private TemporaryFolder folder = null!;
    private Device device = null!;

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        device = TinyRun.Open();
    }

    [TearDown]
    public void End()
    {
        device.Dispose();
        folder.Dispose();
    }

    private string Path => folder.File("m.safetensors");

    // The golden file's parameters alone, under their names: what another program would export.
    private SafeTensorsWriter Export(string fixture, Func<string, bool>? keep = null)
    {
        FixtureFile golden = FixtureFile.Open(fixture);
        SafeTensorsWriter writer = new();
        writer.Metadata["config"] = golden.Config.ToJson();
        foreach (string name in golden.Under("param."))
        {
            if (keep?.Invoke(name) == false) continue;
            if (golden.IsInteger("param." + name)) writer.Add(name, golden.Shape("param." + name),
                golden.Integers("param." + name));
            else writer.Add(name, golden.Shape("param." + name), golden.Floats("param." + name));
        }
        return writer;
    }

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void Saved_and_loaded_every_bit_is_the_same(string fixture)
    {
        GlowConfig config = FixtureFile.Open(fixture).Config;
        using Glow model = new(config, device, seed: 9);
        ModelFile.Save(model, Path, 17, new Dictionary<string, string> { ["data"] = "x" });
        using FlowModel loaded = ModelFile.Load(Path, device);
        Assert.Multiple(() =>
        {
            Assert.That(loaded.Config.ToJson(), Is.EqualTo(config.ToJson()));
            Assert.That(ModelFile.ReadConfig(Path).ToJson(), Is.EqualTo(config.ToJson()));
            Assert.That(loaded.Parameters.Values.ToArray(), Is.EqualTo(model.Parameters.Values.ToArray()));
            Assert.That(loaded.Constants.Keys, Is.EquivalentTo(model.Constants.Keys));
            foreach ((string name, Array values) in model.Constants) Assert.That(loaded.Constants[name],
                Is.EqualTo(values), name);
            Assert.That(loaded.Initialized, Is.False, "the data-dependent initialisation is still to come");
            Assert.That(ModelFile.ReadMetadata(Path), Does.ContainKey("step").WithValue("17").And.ContainKey("data")
                .WithValue("x"));
        });
        byte[] first = File.ReadAllBytes(Path);
        ModelFile.Save(loaded, Path, 17, new Dictionary<string, string> { ["data"] = "x" });
        Assert.That(File.ReadAllBytes(Path).AsSpan().SequenceEqual(first), "saving again gives the same file");
    }

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void A_file_of_another_program_gives_its_log_likelihoods(string fixture)
    {
        FixtureFile golden = FixtureFile.Open(fixture);
        Export(fixture).Save(Path);
        using FlowModel model = ModelFile.Load(Path, device);
        Assert.That(model.Initialized);
        BatchResult result = model.Evaluate(new Batch(golden.Count, golden.Floats("images"), golden.Labels),
            Noise.Center);
        double[] expected = golden.Doubles("f64.center.log_likelihood");
        for (int i = 0; i < expected.Length; i++)
            Assert.That(result.LogLikelihoods[i], Is.EqualTo(expected[i]).Within(1e-5 * Math.Abs(expected[i])));
    }

    [Test]
    public void A_run_folder_means_the_best_weights_else_the_last()
    {
        using Glow model = new(TinyRun.Config, device, seed: 1), best = new(TinyRun.Config, device, seed: 2);
        ModelFile.Save(model, folder.File("model.safetensors"), 1);
        Assert.That(ModelFile.Resolve(folder.Path), Is.EqualTo(folder.File("model.safetensors")));
        ModelFile.Save(best, folder.File("best.safetensors"), 1);
        using FlowModel loaded = ModelFile.Load(folder.Path, device);
        Assert.That(loaded.Parameters.Values.ToArray(), Is.EqualTo(best.Parameters.Values.ToArray()));
    }

    [Test]
    public void What_is_not_there_is_one_sentence()
    {
        AssertRefused(folder.File("nothing"), $"{folder.File("nothing")}: there is no such checkpoint or run folder");
        AssertRefused(folder.Path, $"{folder.Path}: holds neither best.safetensors nor model.safetensors; a run "
            + "folder or a checkpoint file is needed");
    }

    [Test]
    public void A_file_without_a_config_is_one_sentence()
    {
        SafeTensorsWriter writer = Export("affine-plu");
        writer.Metadata.Clear();
        writer.Save(Path);
        AssertRefused(Path, $"{Path}: has no __metadata__.config; a checkpoint of glow train is needed");
        writer.Metadata["config"] = "{\"levels\":0}";
        writer.Save(Path);
        AssertRefused(Path, $"{Path}: config: levels is 0; it must be 1 to 12");
    }

    [Test]
    public void A_missing_tensor_is_one_sentence()
    {
        Export("affine-plu", static name => name != "levels.1.steps.0.invconv.log_s").Save(Path);
        AssertRefused(Path, $"{Path}: lacks the tensor 'levels.1.steps.0.invconv.log_s' [24] that its config asks for");
        Export("affine-plu", static name => name != "levels.1.steps.0.invconv.p").Save(Path);
        AssertRefused(Path, $"{Path}: lacks the tensor 'levels.1.steps.0.invconv.p' [24] that its config asks for");
    }

    [Test]
    public void An_extra_tensor_is_one_sentence()
    {
        SafeTensorsWriter writer = Export("affine-plu");
        writer.Add("levels.7.surprise", [1], new float[1]);
        writer.Save(Path);
        AssertRefused(Path, $"{Path}: holds a tensor 'levels.7.surprise' that a model of its config does not have");
    }

    [Test]
    public void A_tensor_of_another_shape_or_type_is_one_sentence()
    {
        SafeTensorsWriter writer = Export("affine-plu", static name => name != "prior.conv.bias");
        writer.Add("prior.conv.bias", [24, 2], new float[48]);
        writer.Save(Path);
        AssertRefused(Path, $"{Path}: tensor 'prior.conv.bias' is [24,2]; its config asks for [48]");

        writer = Export("affine-plu", static name => name != "prior.conv.bias");
        writer.Add("prior.conv.bias", [48], new int[48]);
        writer.Save(Path);
        AssertRefused(Path, $"{Path}: tensor 'prior.conv.bias' is I32; a floating-point type is needed");
    }

    [Test]
    public void Impossible_fixed_tensors_are_one_sentence()
    {
        SafeTensorsWriter writer = Export("affine-plu", static name => name != "levels.0.steps.1.invconv.p");
        writer.Add("levels.0.steps.1.invconv.p", [12], new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 11 });
        writer.Save(Path);
        AssertRefused(Path,
            $"{Path}: tensor 'levels.0.steps.1.invconv.p' is not an order of 0 to 11 (9 is out of place)");

        writer = Export("affine-plu", static name => name != "levels.0.steps.1.invconv.sign_s");
        writer.Add("levels.0.steps.1.invconv.sign_s", [12], new float[] { 1, 1, 1, 1, 1, 1, 1, 1, 0.5f, -1, 1, 1 });
        writer.Save(Path);
        AssertRefused(Path, $"{Path}: tensor 'levels.0.steps.1.invconv.sign_s' holds 0.5; every sign must be 1 or -1");
    }

    [Test]
    public void A_config_far_larger_than_the_file_allocates_no_model()
    {
        SafeTensorsWriter writer = Export("affine-plu");
        writer.Metadata["config"] = (TinyRun.Config with { Width = 1 << 20, Depth = 1 << 30, Channels = 3 }).ToJson();
        writer.Save(Path);
        long before = GC.GetAllocatedBytesForCurrentThread();
        AssertRefused(Path, $"{Path}: lacks the tensor 'levels.0.steps.2.actnorm.bias' [12] that its config asks for");
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(2_000_000));
    }

    [Test]
    public void Weights_of_another_config_do_not_go_into_a_model()
    {
        Export("affine-plu").Save(Path);
        using Glow model = new(TinyRun.Config, device, seed: 1);
        Assert.That(() => ModelFile.LoadInto(model, Path),
            Throws.TypeOf<GlowException>().With.Message.StartsWith($"{Path}: is a model of config {{"));
    }

    private void AssertRefused(string path, string sentence) =>
        Assert.That(() => ModelFile.Load(path, device), Throws.TypeOf<GlowException>().With.Message.EqualTo(sentence));
}
