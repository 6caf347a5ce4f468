using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Every verb explains itself and has the options it is documented to have.</summary>
public sealed class HelpTests
{
    private static readonly string[] Verbs =
        ["train", "eval", "score", "encode", "decode", "sample", "interpolate", "reconstruct", "import", "export",
            "attribute", "ablate", "info", "devices"];

    [Test]
    public void Root_help_lists_every_verb()
    {
        CommandRun run = CommandRun.Of("--help").Succeeds();
        foreach (string verb in Verbs) Assert.That(run.Out, Does.Match($@"(?m)^\s+{verb}\b"));
        Assert.That(run.Error, Is.Empty);
    }

    [TestCase("train", "--data --out --levels --depth --width --coupling --permutation --invconv --bits --batch "
        + "--lr --optimizer --warmup-epochs "
        + "--epochs --steps --memory --dequantize --no-shuffle --augment --validation --beta2 --minutes --preset "
        + "--init --resume --save-every "
        + "--sample-every --seed --device --threads --precision --no-graph --limit --image-size --data-dir "
        + "--clip-norm --polyak-epochs --class-weight --class-ramp --classes --json")]
    [TestCase("eval",
        "--model --data --dequantize --batch --limit --split --seed --device --threads --precision --json")]
    [TestCase("encode",
        "--model --data --out --dequantize --batch --limit --split --device --threads --precision --json")]
    [TestCase("decode", "--model --latents --out --columns --device --threads --precision --no-graph --json")]
    [TestCase("sample", "--model --count --temperature --temperatures --raster --per-class --with-log-prob --stats "
        + "--seed --out --class --columns --device --threads --precision --no-graph --json")]
    [TestCase("interpolate", "--model --from --to --data --pair --random --seed --steps --mode --out --device "
        + "--precision --threads --precision --no-graph --json")]
    [TestCase("reconstruct",
        "--model --data --count --out --device --precision --threads --precision --no-graph --json")]
    [TestCase("import", "--from --image-size --bits --permutation --out --json")]
    [TestCase("export", "--to --width --out --json")]
    [TestCase("score", "--model --data --reference --reference-limit --out --histogram --dequantize --batch "
        + "--device --precision --json")]
    [TestCase("attribute fit", "--model --data --labels --out --batch --device --precision --json")]
    [TestCase("attribute apply", "--model --attributes --image --data --index --attribute --alpha --class --out "
        + "--device --precision --no-graph --json")]
    [TestCase("attribute list", "--json")]
    [TestCase("attribute score", "--model --attributes --data --labels --batch --device --precision --json")]
    [TestCase("ablate", "--data --steps --seeds --out --preset --levels --depth --width --batch --lr --device "
        + "--precision --no-graph --json")]
    [TestCase("info", "--json")]
    [TestCase("devices", "--json")]
    public void Verb_help_lists_every_option(string verb, string options)
    {
        CommandRun run = CommandRun.Of([.. verb.Split(' '), "--help"]).Succeeds();
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.Out, Does.Contain($"glow {verb}"));
        foreach (string option in options.Split(' ')) Assert.That(run.Out, Does.Match($@"(?m)^\s+{option}\b"));
    }
}
