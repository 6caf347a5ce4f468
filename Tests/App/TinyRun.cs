using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;

namespace GlowGpu.Tests.App;

/// <summary>
/// A very small run on a few images of the demo set, trained once for all tests, and images to use it on.
/// </summary>
internal sealed class TinyRun : IDisposable
{
    /// <summary>Everything but data, run folder and limits: small, and on the host.</summary>
    public const string Small = "--levels 2 --depth 2 --width 8 --bits 8 --batch 8 --warmup-epochs 1 --device cpu "
        + "--threads 1";

    private readonly TemporaryFolder folder = new();

    /// <summary>Trains for five steps.</summary>
    public TinyRun()
    {
        const string Arguments = "train --data demo --limit 64 --image-size 16 --validation 0.25 --steps 5 "
            + $"--sample-every 5 {Small} --json --out";
        Training = CommandRun.Of([.. Arguments.Split(' '), Run]);
        (IImageSource demo, _) = Create();
        byte[] pixels = new byte[Images * demo.Height * demo.Width * 3];
        int size = pixels.Length / Images;
        for (int i = 0; i < Images; i++) demo.Read(100 + i, pixels.AsSpan(i * size, size));
        Pixels = pixels;
        NumpyFile.Write(Array, pixels, Images, demo.Height, demo.Width, 3);
    }

    /// <summary>Number of images in <see cref="Array"/>.</summary>
    public const int Images = 5;

    /// <summary>The run folder.</summary>
    public string Run => folder.File("run");

    /// <summary>What training printed.</summary>
    public CommandRun Training { get; }

    /// <summary>An array file of images that the model was not trained on, <c>[5,16,16,3]</c>.</summary>
    public string Array => folder.File("images.npy");

    /// <summary>Its bytes.</summary>
    public byte[] Pixels { get; }

    /// <summary>A path beside the run.</summary>
    public string File(string name) => folder.File(name);

    /// <summary>Runs <c>glow</c>; RUN, ARRAY and FILE/… in the line stand for this run's paths.</summary>
    public CommandRun Glow(string line) => CommandRun.Of(Words(line));

    /// <summary>The words of a line with this run's paths in them.</summary>
    public string[] Words(string line) =>
    [
        .. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word =>
            word == "RUN" ? Run : word == "ARRAY" ? Array : word.StartsWith("FILE/", StringComparison.Ordinal)
                ? File(word[5..]) : word),
    ];

    /// <inheritdoc/>
    public void Dispose() => folder.Dispose();

    private static DataPair Create() => DataSets.Open("demo", new DataOptions(ImageSize: 16));
}
