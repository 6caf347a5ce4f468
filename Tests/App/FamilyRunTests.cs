using System.Text.Json;
using GlowGpu.App.Commands;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>
/// Every verb on very small models of the other families, and what is said of options that are not theirs.
/// </summary>
public sealed class FamilyRunTests
{
    private const string Limits = "--data demo --limit 48 --image-size 16 --validation 0.25 --batch 8 --steps 4 "
        + "--device cpu --threads 1 --json";

    [TestCase("realnvp", "--levels 2 --depth 1 --width 6 --blocks 1")]
    [TestCase("nice", "--depth 2 --width 20 --hidden 2 --prior logistic")]
    [TestCase("nice", "--depth 3 --width 12 --hidden 1 --prior gaussian")]
    public void EveryVerb(string family, string shape)
    {
        using TemporaryFolder folder = new();
        string run = folder.File("run"), array = folder.File("images.npy");
        JsonElement trained = Glow($"train --model-family {family} {shape} {Limits} --out {run}").Json();
        Assert.That(trained.GetProperty("validation_bits_per_dim").GetDouble(), Is.InRange(0.1, 20));

        byte[] pixels = [.. Enumerable.Range(0, 3 * 16 * 16 * 3).Select(static i => (byte)(i * 37 % 256))];
        NumpyFile.Write(array, pixels, 3, 16, 16, 3);
        double bits = Glow($"eval --model {run} --data {array} --dequantize center --device cpu --json").Json()
            .GetProperty("bits_per_dim").GetDouble();
        Assert.That(bits, Is.InRange(0.1, 1000));

        string latents = folder.File("z.safetensors"), decoded = folder.File("x.npy");
        Glow($"encode --model {run} --data {array} --dequantize center --device cpu --out {latents}").Succeeds();
        Glow($"decode --model {run} --latents {latents} --device cpu --out {decoded}").Succeeds();
        byte[] again = new byte[pixels.Length];
        IImageSource back = NumpyFile.Open(decoded);
        for (int i = 0; i < 3; i++) back.Read(i, again.AsSpan(i * 768, 768));
        int bin = 256 >> (int)Glow($"info {run} --json").Json().GetProperty("config").GetProperty("n_bits").GetInt32();
        Assert.That(again, Is.EqualTo(pixels.Select(v => (byte)(v / bin * bin)).ToArray()));

        string samples = folder.File("s.npy");
        Glow($"sample --model {run} --count 4 --seed 3 --device cpu --out {samples}").Succeeds();
        Assert.That(NumpyFile.Open(samples).Count, Is.EqualTo(4));
        Glow($"interpolate --model {run} --data {array} --pair 0,2 --steps 4 --device cpu --out "
            + $"{folder.File("walk.png")}").Succeeds();
        Glow($"reconstruct --model {run} --data {array} --device cpu --out {folder.File("back.png")}").Succeeds();
        Assert.That(folder.File("walk.png"), Does.Exist);
        Assert.That(folder.File("back.png"), Does.Exist);

        JsonElement info = Glow($"info {run} --json").Json();
        Assert.That(info.GetProperty("config").GetProperty("family").GetString(), Is.EqualTo(family));
        Assert.That(info.GetProperty("parameters").GetInt64(),
            Is.EqualTo(trained.GetProperty("parameters").GetInt64()));
        Assert.That(info.GetProperty("levels").EnumerateArray().Sum(static l => l.GetProperty("parameters").GetInt64()),
            Is.EqualTo(info.GetProperty("parameters").GetInt64()), "every parameter belongs to a level");
        Glow($"info {run}").Succeeds();

        // A continued run, and another that starts from the weights of this one.
        JsonElement more = Glow($"train --resume --out {run} --steps 6 --device cpu --threads 1 --json").Json();
        Assert.That(more.GetProperty("step").GetInt64(), Is.EqualTo(6));
        JsonElement other = Glow($"train --init {run} {Limits} --out {folder.File("other")}").Json();
        Assert.That(other.GetProperty("parameters").GetInt64(),
            Is.EqualTo(trained.GetProperty("parameters").GetInt64()));
    }

    [Test]
    public void ResumedRunWritesTheSameBits()
    {
        using TemporaryFolder folder = new();
        string at = "train --model-family realnvp --levels 1 --depth 1 --width 4 --blocks 1 "
            + $"{Limits.Replace("--steps 4", "")}";
        Glow($"{at} --steps 6 --out {folder.File("whole")}").Succeeds();
        Glow($"{at} --steps 3 --out {folder.File("parts")}").Succeeds();
        Glow($"train --resume --out {folder.File("parts")} --steps 6 --device cpu --threads 1").Succeeds();
        Assert.That(File.ReadAllBytes(Path.Combine(folder.File("parts"), "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(folder.File("whole"), "model.safetensors"))));
    }

    [TestCase("--model-family realnvp --permutation shuffle",
        "--permutation is given, but the model is of family realnvp; leave it out, it is for glow only")]
    [TestCase("--model-family nice --classes auto",
        "--classes is given, but the model is of family nice; leave it out, it is for glow only")]
    [TestCase("--model-family realnvp --hidden 3",
        "--hidden is given, but the model is of family realnvp; leave it out, it is for nice only")]
    [TestCase("--blocks 3", "--blocks is given, but the model is of family glow; leave it out, it is for realnvp only")]
    [TestCase("--model-family nice --memory reversible", "--memory is reversible, but the layers of a nice model "
        + "are not rebuilt from their outputs; it must be auto or stored")]
    [TestCase("--model-family vae", "--model-family is 'vae'; it must be glow, realnvp or nice")]
    public void OptionsOfAnotherFamilyAreRefused(string options, string expected) =>
        Glow($"train {options}").Fails(2, $"glow train: {expected} (see `glow train --help`)");

    [Test]
    public void FamiliesHaveTheirOwnSizes()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Presets.Get("cifar10", "realnvp").Model, Is.InstanceOf<RealNvpConfig>());
            Assert.That(Presets.Get("tiny", "realnvp").Model,
                Is.InstanceOf<RealNvpConfig>().With.Property("Blocks").EqualTo(1));
            Assert.That(Presets.Get("tiny", "nice").Model,
                Is.InstanceOf<NiceConfig>().With.Property("NBits").EqualTo(5));
            Assert.That(Presets.Get("tiny", null).Model, Is.InstanceOf<GlowConfig>());
        }
    }

    private static CommandRun Glow(string line) =>
        CommandRun.Of(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
