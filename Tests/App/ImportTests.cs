using System.Text.Json;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Model.Import;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary><c>glow import</c> and <c>glow export</c>, and the other verbs on what they make.</summary>
public sealed class ImportTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    [TestCase("rosinality-affine-dense-grey", "--from rosinality --image-size 16 --bits 5")]
    [TestCase("rosinality-affine-lu", "--from rosinality --image-size 8,8")]
    [TestCase("chaiyujin-affine-dense", "--from chaiyujin")]
    [TestCase("chaiyujin-affine-reverse-grey", "--from chaiyujin --permutation reverse --image-size 8 --bits 8")]
    public void Every_verb_takes_an_imported_model(string name, string options)
    {
        ImportFixture fixture = ImportFixture.Open(name);
        string model = folder.File("m.safetensors"), images = folder.File("x.npy"),
            latents = folder.File("z.safetensors");
        JsonElement made = Run($"import {options} {fixture.Path} --out {model} --json").Json();
        Assert.That(made.GetProperty("out").GetString(), Is.EqualTo(model));
        Assert.That(made.GetProperty("config").GetProperty("image_size")[0].GetInt32(),
            Is.EqualTo(fixture.ImageSize[0]));
        Assert.That(made.GetProperty("parameters").GetInt64(),
            Is.EqualTo(Run($"info {model} --json").Json().GetProperty("parameters").GetInt64()));
        int[] shape = fixture.Golden.Shape("images");
        NumpyFile.Write(images, Array.ConvertAll(fixture.Golden.Integers("images"), static v => (byte)v), shape[0],
            shape[1], shape[2], shape[3]);
        JsonElement evaluated = Run(
            $"eval --model {model} --data {images} --dequantize center --device cpu --threads 1 --json").Json();
        double[] nats = [.. evaluated.GetProperty("log_likelihoods").EnumerateArray()
            .Select(static v => v.GetDouble())];
        Tolerance.Close("log_likelihoods", nats, fixture.LogLikelihoods(), 2e-6);
        Run($"encode --model {model} --data {images} --out {latents} --device cpu --threads 1").Succeeds();
        Run($"decode --model {model} --latents {latents} --out {folder.File("y.npy")} --device cpu --threads 1")
            .Succeeds();
        Run($"sample --model {model} --count 2 --out {folder.File("g.png")} --device cpu --threads 1").Succeeds();
        if (fixture.Bits == 8) Assert.That(File.ReadAllBytes(folder.File("y.npy")),
            Is.EqualTo(File.ReadAllBytes(images)), "decoding undoes encoding");
    }

    [Test]
    public void There_and_back()
    {
        string model = folder.File("m.safetensors"), state = folder.File("s.safetensors");
        Run($"import --from chaiyujin {ImportFixture.Open("chaiyujin-affine-dense").Path} --out {model}").Succeeds();
        JsonElement made = Run($"export --to rosinality {model} --out {state} --width 7 --json").Json();
        Assert.That(made.GetRawText(), Is.EqualTo(
            $$"""{"out":"{{state}}","in_channel":3,"n_flow":3,"n_block":2,"affine":true,"conv_lu":false,"width":7}"""));
        Assert.That(Run($"export --to rosinality {model} --out {state} --width 7").Succeeds().Out, Is.EqualTo(
            $"exported in {state}, for Glow(3, 3, 2, affine=True, conv_lu=False) with 7 hidden "
                + $"channels{Environment.NewLine}"));
        Assert.That(Run($"import --from rosinality {state} --image-size 8 --out {folder.File("b.safetensors")}")
            .Succeeds().Out, Is.EqualTo(
            $"imported in {folder.File("b.safetensors")}: affine, 2 levels of 3 steps, width 7, images [8,8,3] at 8 "
                + $"bits, 36,654 parameters{Environment.NewLine}"));
    }

    [Test]
    public void Failures_leave_no_file()
    {
        string path = folder.File("m.safetensors"), text = folder.File("t.safetensors"),
            grey = ImportFixture.Open("rosinality-one-level-grey").Path;
        File.WriteAllText(text, "not a tensor in sight");
        Run($"import --from rosinality {text} --image-size 8 --out {path}").Fails(1,
            $"glow import: {text}: claims a header of {BitConverter.ToUInt64("not a te"u8)} bytes, but only 13 are "
                + "possible; it is truncated or not a safetensors file");
        Run($"import --from rosinality {folder.File("none")} --image-size 8 --out {path}").Fails(1,
            $"glow import: {folder.File("none")}: there is no such file");
        Run($"import --from rosinality {grey} --image-size 9 --out {path}").Fails(1,
            $"glow import: {grey}: config: images of 9×9 cannot be squeezed 1 times; height and width must be "
                + "multiples of 2");
        Run($"export --to rosinality {grey} --out {path}").Fails(1,
            $"glow export: {grey}: has no __metadata__.config; a checkpoint of glow train is needed");
        Assert.That(Directory.GetFiles(folder.Path), Is.EqualTo(new[] { text }));
    }

    [TestCase("import s --out m.safetensors", "--from rosinality|chaiyujin is missing")]
    [TestCase("import s --from openai --out m.safetensors", "--from is 'openai'; it must be rosinality or chaiyujin")]
    [TestCase("import --from rosinality --out m.safetensors", "STATE is missing")]
    [TestCase("import s --from rosinality --out m.safetensors",
        "--image-size N is missing; the tensors of rosinality/glow-pytorch do not tell it")]
    [TestCase("import s --from rosinality --image-size 8,8,3 --out m.safetensors",
        "--image-size is '8,8,3'; it must be N or H,W")]
    [TestCase("import s --from rosinality --image-size 8 --permutation reverse --out m.safetensors",
        "--permutation is given with --from rosinality, which always has invertible convolutions; leave it out")]
    [TestCase("import s --from chaiyujin --bits 5 --out m.safetensors",
        "--bits is 5, but chaiyujin/glow-pytorch always has 8; leave it out")]
    [TestCase("import s --from chaiyujin --out m.pt", "--out is 'm.pt'; it must end in .safetensors")]
    [TestCase("import ./m.safetensors --from chaiyujin --out m.safetensors",
        "--out is 'm.safetensors', which is the file that is read; another name is needed")]
    [TestCase("export m --to chaiyujin --out s.safetensors", "--to is 'chaiyujin'; it must be rosinality")]
    [TestCase("export m --to rosinality", "--out STATE.safetensors is missing")]
    public void Bad_usage(string line, string sentence)
    {
        string verb = line.Split(' ')[0];
        Run(line).Fails(2, $"glow {verb}: {sentence} (see `glow {verb} --help`)");
    }

    private static CommandRun Run(string line) => CommandRun.Of(line.Split(' '));
}
