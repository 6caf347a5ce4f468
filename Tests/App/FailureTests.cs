using GlowGpu.Engine;
using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Failed runs: exit code 1, one sentence, nothing on standard output, nothing half-written.</summary>
public sealed class FailureTests
{
    private TinyRun run = null!;

    [OneTimeSetUp]
    public void Train() => run = new TinyRun();

    [OneTimeTearDown]
    public void Delete() => run.Dispose();

    [Test]
    public void Missing_model()
    {
        string path = run.File("nothing");
        foreach (string verb in new[] { $"eval --data ARRAY --model {path}",
            $"sample --out FILE/x.png --model {path}", $"info {path}" })
            run.Glow(verb).Fails(1, $"glow {verb.Split(' ')[0]}: {path}: there is no such checkpoint or run folder");
    }

    [Test]
    public void Missing_data()
    {
        CommandRun missing = run.Glow("eval --model RUN --data FILE/none --device cpu");
        Assert.That(missing.Code, Is.EqualTo(1));
        Assert.That(missing.Error, Does.StartWith($"glow eval: {run.File("none")}: there is no such file or folder")
            .And.EndsWith(Environment.NewLine));
        Assert.That(missing.Error.Trim().Split('\n'), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_failed_start_leaves_no_run_folder()
    {
        Assert.That(run.Glow("train --data FILE/none --out FILE/never").Code, Is.EqualTo(1));
        Assert.That(run.File("never"), Does.Not.Exist);
    }

    [Test]
    public void Images_of_another_shape()
    {
        NumpyFile.Write(run.File("small.npy"), new byte[2 * 8 * 8 * 3], 2, 8, 8, 3);
        foreach (string verb in new[] { "eval", "reconstruct", "encode --out FILE/z2.safetensors",
            "interpolate --out FILE/x.png" })
        {
            run.Glow($"{verb} --model RUN --data FILE/small.npy --device cpu")
                .Fails(1, $"glow {verb.Split(' ')[0]}: small.npy: its images are 8×8×3; the model takes 16×16×3");
        }
        Assert.That(run.File("z2.safetensors"), Does.Not.Exist);
        run.Glow("train --data FILE/small.npy --levels 4 --out FILE/t").Fails(1,
            "glow train: config: images of 8×8 cannot be squeezed 4 times; height and width must be multiples of 16");
    }

    [Test]
    public void Array_files_have_no_test_split() => run.Glow("eval --model RUN --data ARRAY --split test").Fails(1,
        $"glow eval: data '{run.Array}' has no test split; leave --split out to use all of its images");

    [Test]
    public void Broken_checkpoint()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(run.Run, "best.safetensors"));
        File.WriteAllBytes(run.File("cut.safetensors"), whole[..(whole.Length / 2)]);
        CommandRun cut = run.Glow("eval --model FILE/cut.safetensors --data ARRAY --device cpu");
        Assert.That((cut.Code, cut.Out), Is.EqualTo((1, "")));
        Assert.That(cut.Error, Does.StartWith($"glow eval: {run.File("cut.safetensors")}: ").And.Not.Contain("   at "));
    }

    [Test]
    public void Latents_of_another_model()
    {
        SafeTensorsWriter writer = new();
        writer.Add("eps0", [1, 4, 4, 6], new float[96]);
        writer.Save(run.File("other.safetensors"));
        run.Glow("decode --model RUN --latents FILE/other.safetensors --out FILE/o.npy --device cpu").Fails(1,
            $"glow decode: {run.File("other.safetensors")}: tensor 'eps0' is [1,4,4,6]; the model takes [N,8,8,6]");
    }

    [Test]
    public void Pair_beyond_the_set() =>
        run.Glow("interpolate --model RUN --data ARRAY --pair 0,5 --out FILE/w.png --device cpu")
        .Fails(2,
        "glow interpolate: --pair names image 5, but images.npy has images 0 to 4 (see `glow interpolate --help`)");

    [Test]
    public void Encode_does_not_replace_a_checkpoint()
    {
        string model = Path.Combine(run.Run, "model.safetensors");
        byte[] before = File.ReadAllBytes(model);
        run.Glow($"encode --model RUN --data ARRAY --out {model} --device cpu").Fails(2,
            $"glow encode: --out is '{model}', which holds no latents but something else; a new file name is needed "
                + "(see `glow encode --help`)");
        Assert.That(File.ReadAllBytes(model), Is.EqualTo(before));
    }

    [Test]
    public void Interrupted_work_writes_nothing_and_says_so()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        foreach (string line in new[]
        {
            "eval --model RUN --data ARRAY --device cpu",
            "encode --model RUN --data ARRAY --out FILE/stop.safetensors --device cpu",
            "sample --model RUN --out FILE/stop.png --device cpu",
            "reconstruct --model RUN --data ARRAY --out FILE/stop.png --device cpu",
        })
        {
            CommandRun.Of(stop.Token, run.Words(line)).Fails(1,
                $"glow {line.Split(' ')[0]}: stopped before it was done; nothing was written");
        }
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(run.Array)!, "stop*"), Is.Empty);
    }

    [Test]
    public void Class_of_an_unconditional_model() => run.Glow("sample --model RUN --class 1 --out FILE/k.png").Fails(2,
        $"glow sample: --class is '1', but {run.Run} is not conditional; leave it out (see `glow sample --help`)");
}
