using System.Text.Json;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Every verb on a very small model, from training to pictures.</summary>
public sealed class EndToEndTests
{
    private TinyRun run = null!;

    [OneTimeSetUp]
    public void Train() => run = new TinyRun();

    [OneTimeTearDown]
    public void Delete() => run.Dispose();

    [Test]
    public void Train_reports_and_leaves_a_whole_run_folder()
    {
        JsonElement result = run.Training.Json();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("end").GetString(), Is.EqualTo("finished"));
            Assert.That(result.GetProperty("step").GetInt64(), Is.EqualTo(5));
            Assert.That(result.GetProperty("run").GetString(), Is.EqualTo(run.Run));
            Assert.That(result.GetProperty("bits_per_dim").GetDouble(), Is.InRange(0.1, 20));
            Assert.That(result.GetProperty("validation_bits_per_dim").GetDouble(), Is.InRange(0.1, 20));
            Assert.That(result.GetProperty("data_hash").GetString(), Does.Match("^[0-9a-f]{12}$"));
            Assert.That(result.GetProperty("validation_data_hash").GetString(), Does.Match("^[0-9a-f]{12}$"));
            Assert.That(result.GetProperty("samples").GetString(),
                Is.EqualTo(Path.Combine(run.Run, "samples", "step-000005.png")));
            foreach (string file in new[] { "model.safetensors", "best.safetensors", "state.safetensors",
                "config.json", "samples/step-000005.png" })
                Assert.That(Path.Combine(run.Run, file), Does.Exist);
            Assert.That(File.ReadLines(Path.Combine(run.Run, "metrics.jsonl"))
                .Count(static l => l.Contains("grad_norm")), Is.EqualTo(5));
        }
        // Beside every bits/dim on standard error stands the set's name and hash.
        string[] bits = [.. run.Training.Error.Split('\n').Where(static l => l.Contains("bits/dim"))];
        Assert.That(bits, Is.Not.Empty);
        Assert.That(bits, Has.All.Match(@"bits/dim on demo\S* #[0-9a-f]{12}"));
    }

    [Test]
    public void Eval_gives_every_image_its_likelihood()
    {
        JsonElement result = run.Glow(
            "eval --model RUN --data ARRAY --dequantize center --device cpu --batch 2 --json").Json();
        double[] nats = Doubles(result.GetProperty("log_likelihoods"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(nats, Has.Length.EqualTo(TinyRun.Images));
            Assert.That(result.GetProperty("count").GetInt32(), Is.EqualTo(TinyRun.Images));
            Assert.That(result.GetProperty("bits_per_dim").GetDouble(),
                Is.EqualTo(-nats.Average() / (768 * Math.Log(2))).Within(1e-9));
            Assert.That(result.GetProperty("data").GetString(), Is.EqualTo("images.npy"));
            Assert.That(result.GetProperty("data_hash").GetString(), Is.EqualTo(NumpyFile.Open(run.Array).Hash));
        }
        string line = run.Glow("eval --model RUN --data ARRAY --dequantize center --device cpu").Succeeds().Out;
        Assert.That(line, Does.Match(@"^\d\.\d{4} bits/dim on images\.npy #[0-9a-f]{12}, 5 images"));
    }

    [Test]
    public void A_model_that_cannot_be_inverted_is_one_sentence()
    {
        string broken = run.File("singular.safetensors");
        using (Device device = DeviceFactory.Open("cpu", 1))
        using (FlowModel model = ModelFile.Load(Path.Combine(run.Run, "model.safetensors"), device))
        {
            View weight = model.Parameters.Value("levels.1.steps.0.invconv.weight");
            weight.Write(new float[weight.Count]);
            ModelFile.Save(model, broken, 5);
        }
        CommandRun eval = run.Glow("eval --model FILE/singular.safetensors --data ARRAY --device cpu");
        Assert.That(eval.Code, Is.EqualTo(1));
        Assert.That(eval.Error.Trim(),
            Does.Match(@"^glow eval: levels\.1\.steps\.0: the channel mixing matrix is singular \([^\n]+$"));
    }

    [Test]
    public void A_batch_beyond_the_set_is_the_set()
    {
        CommandRun train = run.Glow("train --data ARRAY --steps 1 --validation 0 --sample-every 5 "
            + $"{TinyRun.Small.Replace("--batch 8", "--batch 1000", StringComparison.Ordinal)} --out FILE/few")
            .Succeeds();
        Assert.That(train.Error,
            Does.Match("(?m)^batch 5 \\(every image: there are fewer than 1,000\\), predicted memory [^\n]+$"));
    }

    [TestCase(24, 20,
        "pictures: its images are cropped and resized to 16×16 (the first is 24×20); what follows is about those")]
    [TestCase(16, 16, "")]
    public void Whoever_measures_resized_images_is_told_so(int height, int width, string expected)
    {
        Directory.CreateDirectory(run.File("pictures"));
        foreach (string name in new[] { "a", "b" }) ImageFile.WritePng(run.File($"pictures/{name}.png"),
            new byte[height * width * 3], height, width, 3);
        CommandRun eval = run.Glow("eval --model RUN --data FILE/pictures --device cpu").Succeeds();
        Assert.That(eval.Error.Split('\n').Where(static l => l.Contains("resized", StringComparison.Ordinal))
            .Select(static l => l.Trim()),
            Is.EqualTo(expected.Length > 0 ? new[] { expected } : []));
    }

    [Test]
    public void Eval_takes_the_test_split_unless_told_otherwise()
    {
        string first = run.Glow("eval --model RUN --data demo --limit 3 --device cpu --json").Json()
            .GetProperty("data").GetString()!;
        string other = run.Glow("eval --model RUN --data demo --limit 3 --split train --device cpu --json").Json()
            .GetProperty("data").GetString()!;
        Assert.That(first, Does.StartWith("demo/test"));
        Assert.That(other, Does.StartWith("demo/train"));
    }

    [Test]
    public void Decode_undoes_encode()
    {
        JsonElement encoded = run.Glow("encode --model RUN --data ARRAY --out FILE/z.safetensors --device cpu --json")
            .Json();
        double[] evaluated = Doubles(run.Glow("eval --model RUN --data ARRAY --dequantize center --device cpu --json")
            .Json().GetProperty("log_likelihoods"));
        Assert.That(Doubles(encoded.GetProperty("log_likelihoods")), Is.EqualTo(evaluated).Within(1e-6).Percent);
        using (SafeTensorsReader latents = SafeTensorsReader.Open(run.File("z.safetensors")))
        {
            Assert.That(latents.Find("eps0")!.Shape, Is.EqualTo(new[] { 5, 8, 8, 6 }));
            Assert.That(latents.Find("eps1")!.Shape, Is.EqualTo(new[] { 5, 4, 4, 24 }));
        }
        JsonElement decoded = run.Glow(
            "decode --model RUN --latents FILE/z.safetensors --out FILE/back.npy --device cpu --json").Json();
        Assert.That(decoded.GetProperty("count").GetInt32(), Is.EqualTo(5));
        Assert.That(Bytes(run.File("back.npy")), Is.EqualTo(run.Pixels));
        run.Glow("decode --model RUN --latents FILE/z.safetensors --out FILE/back.png --columns 5 --device cpu")
            .Succeeds();
        Assert.That(Cell(run.File("back.png"), 4, 5), Is.EqualTo(run.Pixels[(4 * 768)..]));
    }

    [Test]
    public void Sample_writes_arrays_folders_and_grids_and_repeats_itself()
    {
        run.Glow("sample --model RUN --count 3 --seed 7 --out FILE/s.npy --device cpu").Succeeds();
        JsonElement result = run.Glow("sample --model RUN --count 4 --seed 7 --out FILE/s4.npy --device cpu --json")
            .Json();
        run.Glow("sample --model RUN --count 3 --seed 7 --out FILE/sdir --device cpu").Succeeds();
        run.Glow("sample --model RUN --count 3 --seed 7 --columns 3 --out FILE/s.png --device cpu").Succeeds();
        byte[] three = Bytes(run.File("s.npy"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("count").GetInt32(), Is.EqualTo(4));
            Assert.That(Bytes(run.File("s4.npy"))[..three.Length], Is.EqualTo(three));
            Assert.That(ImageFile.Read(run.File("sdir/000002.png"), null).Pixels, Is.EqualTo(three[(2 * 768)..]));
            Assert.That(Cell(run.File("s.png"), 2, 3), Is.EqualTo(three[(2 * 768)..]));
        }
    }

    [Test]
    public void Temperatures_are_rows_of_the_same_noise()
    {
        JsonElement result = run.Glow(
            "sample --model RUN --count 2 --temperatures 0,0.5,1 --out FILE/t.npy --device cpu --json").Json();
        run.Glow("sample --model RUN --count 2 --temperature 0.5 --out FILE/half.npy --device cpu").Succeeds();
        byte[] rows = Bytes(run.File("t.npy"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("count").GetInt32(), Is.EqualTo(6));
            Assert.That(Doubles(result.GetProperty("temperatures")), Is.EqualTo(new[] { 0, 0.5, 1 }));
            Assert.That(rows[(2 * 768)..(4 * 768)], Is.EqualTo(Bytes(run.File("half.npy"))));
            // Without noise every image is the same.
            Assert.That(rows[..768], Is.EqualTo(rows[768..(2 * 768)]));
        }
    }

    [Test]
    public void Interpolate_starts_and_ends_at_its_images()
    {
        JsonElement result = run.Glow(
            "interpolate --model RUN --data ARRAY --pair 1,3 --steps 5 --out FILE/walk.png --device cpu --json")
            .Json();
        Assert.That(result.GetProperty("rows").GetArrayLength(), Is.EqualTo(2));
        using (Assert.EnterMultipleScope())
        {
            foreach (int row in new[] { 0, 1 })
            {
                Assert.That(Cell(run.File("walk.png"), row * 5, 5), Is.EqualTo(run.Pixels[768..(2 * 768)]));
                Assert.That(Cell(run.File("walk.png"), row * 5 + 4, 5), Is.EqualTo(run.Pixels[(3 * 768)..(4 * 768)]));
            }
        }
    }

    [Test]
    public void Interpolate_takes_files_and_random_ends()
    {
        ImageFile.WritePng(run.File("a.png"), run.Pixels.AsSpan(0, 768), 16, 16, 3);
        ImageFile.WritePng(run.File("b.png"), run.Pixels.AsSpan(768, 768), 16, 16, 3);
        run.Glow("interpolate --model RUN --from FILE/a.png --to FILE/b.png --steps 3 --mode spherical --out "
            + "FILE/files.png --device cpu").Succeeds();
        Assert.That(Cell(run.File("files.png"), 2, 3), Is.EqualTo(run.Pixels[768..(2 * 768)]));
        run.Glow("interpolate --model RUN --seed 4 --temperature 0.6 --steps 3 --mode linear --out FILE/random.png "
            + "--device cpu").Succeeds();
        run.Glow("sample --model RUN --seed 4 --temperature 0.6 --count 2 --out FILE/ends.npy --device cpu").Succeeds();
        Assert.That(Cell(run.File("random.png"), 2, 3), Is.EqualTo(Bytes(run.File("ends.npy"))[768..]));
    }

    [Test]
    public void Reconstruct_reports_the_error_of_the_round_trip()
    {
        JsonElement result = run.Glow(
            "reconstruct --model RUN --data ARRAY --count 3 --batch 2 --out FILE/pairs.png --device cpu --json")
            .Json();
        double[] errors = Doubles(result.GetProperty("max_errors"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(errors, Has.Length.EqualTo(3));
            // float32 through a dozen well-conditioned layers; half a byte's bin would be 2e-3.
            Assert.That(result.GetProperty("max_error").GetDouble(), Is.InRange(1e-9, 1e-4));
            Assert.That(result.GetProperty("max_error").GetDouble(), Is.EqualTo(errors.Max()));
            Assert.That(result.GetProperty("exact_bytes").GetDouble(), Is.EqualTo(1));
            Assert.That(Cell(run.File("pairs.png"), 2, 3), Is.EqualTo(run.Pixels[(2 * 768)..(3 * 768)]));
            Assert.That(Cell(run.File("pairs.png"), 5, 3), Is.EqualTo(run.Pixels[(2 * 768)..(3 * 768)]));
        }
        Assert.That(run.Glow("reconstruct --model RUN --data ARRAY --device cpu").Succeeds().Out,
            Does.Match(@"^max\|x − decode\(encode\(x\)\)\| = \S+ over 5 images of images\.npy #[0-9a-f]{12}"));
    }

    [Test]
    public void Info_counts_what_the_checkpoint_holds()
    {
        JsonElement result = run.Glow("info RUN --json").Json();
        using SafeTensorsReader reader = SafeTensorsReader.Open(Path.Combine(run.Run, "model.safetensors"));
        long values = reader.Tensors.Sum(static t => t.Shape.Aggregate(1L, static (a, b) => a * b));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("parameters").GetInt64(), Is.EqualTo(values));
            Assert.That(result.GetProperty("config").GetProperty("depth").GetInt32(), Is.EqualTo(2));
            Assert.That(result.GetProperty("levels").GetArrayLength(), Is.EqualTo(2));
            Assert.That(result.GetProperty("levels")[1].GetProperty("shape").GetRawText(), Is.EqualTo("[4,4,24]"));
            foreach (JsonElement row in result.GetProperty("predicted_training_memory").EnumerateArray())
                Assert.That(row.GetProperty("reversible_bytes").GetInt64(),
                    Is.LessThan(row.GetProperty("stored_bytes").GetInt64()));
        }
        Assert.That(run.Glow("info RUN").Succeeds().Out, Does.Contain("parameters").And.Contain("[4,4,24]"));
    }

    [Test]
    public void Devices_lists_the_host()
    {
        JsonElement devices = CommandRun.Of("devices", "--json").Json().GetProperty("devices");
        Assert.That(devices.EnumerateArray().Select(static d => d.GetProperty("kind").GetString()),
            Does.Contain("cpu"));
        Assert.That(CommandRun.Of("devices").Succeeds().Out, Does.Contain("cpu"));
    }

    [Test]
    public void Checkpoint_file_and_run_folder_are_the_same_model()
    {
        string folder = run.Glow("eval --model RUN --data ARRAY --device cpu --json").Succeeds().Out;
        string file = run.Glow("eval --model FILE/run/best.safetensors --data ARRAY --device cpu --json").Succeeds()
            .Out;
        Assert.That(file, Is.EqualTo(folder));
    }

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(static e => e.GetDouble())];

    private static byte[] Bytes(string npy)
    {
        IImageSource source = NumpyFile.Open(npy);
        int size = source.Height * source.Width * source.Channels;
        byte[] all = new byte[source.Count * size];
        for (int i = 0; i < source.Count; i++) source.Read(i, all.AsSpan(i * size, size));
        return all;
    }

    // One 16×16 image of a grid, whose gaps are one pixel wide.
    private static byte[] Cell(string png, int index, int columns)
    {
        (byte[] pixels, _, int width) = ImageFile.Read(png, null);
        int top = 1 + index / columns * 17, left = 1 + index % columns * 17;
        return [.. Enumerable.Range(0, 16).SelectMany(y => pixels.AsSpan(((top + y) * width + left) * 3,
            48).ToArray())];
    }
}
