using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Bad usage: exit code 2 and one sentence that names what was wrong and what would be right.</summary>
public sealed class UsageTests
{
    [TestCase("", "glow: a verb is needed: train, eval, score, encode, decode, sample, interpolate, reconstruct, "
        + "import, export, attribute, ablate, info or devices (see `glow --help`)")]
    [TestCase("evl", "glow: there is no verb 'evl'; did you mean eval? (see `glow --help`)")]
    [TestCase("frobnicate", "glow: there is no verb 'frobnicate' (see `glow --help`)")]
    [TestCase("eval --model m --data d --dequantise center",
        "glow eval: there is no option '--dequantise'; did you mean --dequantize? (see `glow eval --help`)")]
    [TestCase("devices here", "glow devices: there is no argument 'here' (see `glow devices --help`)")]
    [TestCase("eval --data d", "glow eval: --model M is missing (see `glow eval --help`)")]
    [TestCase("eval --model m --data d --model n",
        "glow eval: --model is given 2 times; once is enough (see `glow eval --help`)")]
    [TestCase("eval --model m --data d --json=yes", "glow eval: there is no argument 'yes' (see `glow eval --help`)")]
    [TestCase("eval --model m", "glow eval: --data D is missing (see `glow eval --help`)")]
    [TestCase("eval --model m --data", "glow eval: --data needs a value: D (see `glow eval --help`)")]
    [TestCase("sample --model m", "glow sample: --out GRID.png|DIR|X.npy is missing (see `glow sample --help`)")]
    [TestCase("info", "glow info: M is missing (see `glow info --help`)")]
    public void Unknown_and_missing(string line, string expected) => CommandRun.Of(Split(line)).Fails(2, expected);

    [TestCase("train --batch -3", "--batch is '-3'; it must be a whole number from 1 to 65536")]
    [TestCase("train --batch 2.5", "--batch is '2.5'; it must be a whole number from 1 to 65536")]
    [TestCase("train --bits 9", "--bits is '9'; it must be a whole number from 1 to 8")]
    [TestCase("train --lr 0", "--lr is '0'; it must be a number above 0 and at most 10")]
    [TestCase("train --lr 1,5", "--lr is '1,5'; it must be a number above 0 and at most 10")]
    [TestCase("train --lr NaN", "--lr is 'NaN'; it must be a number above 0 and at most 10")]
    [TestCase("train --clip-norm Infinity", "--clip-norm is 'Infinity'; it must be a number of at least 0")]
    [TestCase("train --minutes 0", "--minutes is '0'; it must be a number above 0")]
    [TestCase("train --steps 0", "--steps is '0'; it must be a whole number of at least 1")]
    [TestCase("train --steps 99999999999999999999",
        "--steps is '99999999999999999999'; it must be a whole number of at least 1")]
    [TestCase("train --validation 1", "--validation is '1'; it must be a number from 0 to 0.9")]
    [TestCase("train --coupling fine", "--coupling is 'fine'; it must be affine or additive")]
    [TestCase("train --permutation none", "--permutation is 'none'; it must be invconv, reverse or shuffle")]
    [TestCase("train --memory all", "--memory is 'all'; it must be auto, stored or reversible")]
    [TestCase("train --classes many", "--classes is 'many'; it must be auto or a whole number from 0 to 100000")]
    [TestCase("train --preset huge",
        "--preset is 'huge'; it must be tiny, cifar10, imagenet32, imagenet64, lsun or celebahq256")]
    [TestCase("train --threads 0", "--threads is '0'; it must be a whole number from 1 to 1024")]
    [TestCase("train --device tpu", "--device is 'tpu'; it must be auto, cuda, opencl or cpu")]
    [TestCase("train --precision half", "--precision is 'half'; it must be fp32, tf32 or bf16")]
    [TestCase("train --seed -1", "--seed is '-1'; it must be a whole number of at least 0")]
    [TestCase("train --resume", "--resume needs --out RUN; it continues the run in that folder")]
    [TestCase("train --preset imagenet64",
        "--preset imagenet64 needs --data D; its images are not distributed with a name of their own")]
    [TestCase("train --resume --out r --init m",
        "--init is given with --resume; a run is either continued or started from a model")]
    [TestCase("train --resume --out r --preset tiny",
        "--preset is given with --resume; the run's own config.json decides")]
    [TestCase("sample --model m --out o.png --temperature -1",
        "--temperature is '-1'; it must be a number from 0 to 10")]
    [TestCase("sample --model m --out o.png --temperatures 0.5,x",
        "--temperatures is '0.5,x'; it must be numbers with commas between, each a number from 0 to 10")]
    [TestCase("sample --model m --out o.png --temperature 1 --temperatures 1,2",
        "--temperature and --temperatures are both given; one of them is enough")]
    [TestCase("sample --model m --out o.png --count 0", "--count is '0'; it must be a whole number from 1 to 1000000")]
    [TestCase("interpolate --model m --out o.png --from a.png", "--to is missing; a walk has two ends")]
    [TestCase("interpolate --model m --out o.png --from a.png --to b.png --data demo",
        "--from and --to are given, and --data too; the two ends come from one or the other")]
    [TestCase("interpolate --model m --out o.png --pair 1,2",
        "--pair is given without --data; it picks two images of a set")]
    [TestCase("interpolate --model m --out o.png --data demo --pair 1,2,3",
        "--pair is '1,2,3'; it must be 2 numbers with commas between, each a whole number of at least 0")]
    [TestCase("interpolate --model m --out o.png --steps 1",
        "--steps is '1'; it must be a whole number from 2 to 1000")]
    [TestCase("encode --model m --data d --out z.npy", "--out is 'z.npy'; it must end in .safetensors")]
    public void Bad_values(string line, string expected)
    {
        string verb = line.Split(' ')[0];
        CommandRun.Of(Split(line)).Fails(2, $"glow {verb}: {expected} (see `glow {verb} --help`)");
    }

    [Test]
    public void Empty_path() => CommandRun.Of("sample", "--model", "m", "--out", "")
        .Fails(2, "glow sample: --out is empty; it must be GRID.png|DIR|X.npy (see `glow sample --help`)");

    [Test]
    public void At_sign_is_a_file_name_and_no_response_file() =>
        Assert.That(CommandRun.Of("info", "@model").Error, Does.Contain("@model"));

    private static string[] Split(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
