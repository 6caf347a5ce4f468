using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Sampling;

public sealed class LatentsFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private static GlowConfig Config => TinyRun.Config;

    private string Path => folder.File("z.safetensors");

    private void AssertRefused(string sentence) =>
        Assert.That(() => LatentsFile.Read(Path, Config),
            Throws.TypeOf<GlowException>().With.Message.EqualTo($"{Path}: {sentence}"));

    // 8 × 8 × 1 over two levels: [N,4,4,2] and [N,2,2,8].
    private void Write(params (string Name, int[] Shape, float[] Values)[] tensors)
    {
        SafeTensorsWriter writer = new();
        foreach ((string name, int[] shape, float[] values) in tensors) writer.Add(name, shape, values);
        writer.Save(Path);
    }

    [Test]
    public void Everything_is_read_back_exactly()
    {
        Latents latents = Sampler.Draw(Config, 3, 1, 1);
        LatentsFile.Write(Path, Config, new StoredLatents(latents, [-1.25, double.MinValue, 3], [2, 0, 1]),
            new Dictionary<string, string> { ["data"] = "x" });
        StoredLatents read = LatentsFile.Read(Path, Config);
        Assert.Multiple(() =>
        {
            Assert.That(read.Latents.Count, Is.EqualTo(3));
            Assert.That(read.Latents.Eps, Is.EqualTo(latents.Eps));
            Assert.That(read.LogLikelihoods, Is.EqualTo(new[] { -1.25, double.MinValue, 3 }));
            Assert.That(read.Labels, Is.EqualTo(new[] { 2, 0, 1 }));
            using SafeTensorsReader file = SafeTensorsReader.Open(Path);
            Assert.That(file.Find("eps0")!.Shape, Is.EqualTo(new long[] { 3, 4, 4, 2 }));
            Assert.That(file.Find("eps1")!.Shape, Is.EqualTo(new long[] { 3, 2, 2, 8 }));
            Assert.That(file.Metadata["data"], Is.EqualTo("x"));
        });
    }

    [Test]
    public void Likelihoods_and_labels_may_be_missing()
    {
        LatentsFile.Write(Path, Config, new StoredLatents(Sampler.Draw(Config, 2, 1, 1), null, null));
        StoredLatents read = LatentsFile.Read(Path, Config);
        Assert.That((read.LogLikelihoods, read.Labels), Is.EqualTo(((double[]?)null, (int[]?)null)));
    }

    [Test]
    public void Every_misfit_is_one_sentence()
    {
        Write(("eps0", [2, 4, 4, 2], new float[64]));
        AssertRefused("lacks the tensor 'eps1' [2,2,2,8]; the model has 2 levels");
        Write(("eps1", [2, 2, 2, 8], new float[64]));
        AssertRefused("lacks the tensor 'eps0' [N,4,4,2]; the model has 2 levels");
        Write(("eps0", [2, 4, 2, 4], new float[64]), ("eps1", [2, 2, 2, 8], new float[64]));
        AssertRefused("tensor 'eps0' is [2,4,2,4]; the model takes [N,4,4,2]");
        Write(("eps0", [2, 4, 4, 2], new float[64]), ("eps1", [3, 2, 2, 8], new float[96]));
        AssertRefused("tensor 'eps1' is [3,2,2,8]; the model takes [2,2,2,8]");
        Write(("eps0", [64], new float[64]), ("eps1", [2, 2, 2, 8], new float[64]));
        AssertRefused("tensor 'eps0' is [64]; the model takes [N,4,4,2]");
        Write(("eps0", [0, 4, 4, 2], []), ("eps1", [0, 2, 2, 8], []));
        AssertRefused("tensor 'eps0' is [0,4,4,2]; the model takes [N,4,4,2]");
        Write(("eps0", [1, 4, 4, 2], new float[32]), ("eps1", [1, 2, 2, 8], new float[32]),
            ("eps2", [1, 1, 1, 1], new float[1]));
        AssertRefused("holds a tensor 'eps2'; the model has only 2 levels");
        float[] bad = new float[64];
        bad[40] = float.NaN;
        Write(("eps0", [2, 4, 4, 2], bad), ("eps1", [2, 2, 2, 8], new float[64]));
        AssertRefused("tensor 'eps0' holds NaN (image 1); latents must be finite");
        Write(("eps0", [2, 4, 4, 2], new float[64]), ("eps1", [2, 2, 2, 8], new float[64]),
            ("log_likelihood", [3], new float[3]));
        AssertRefused("tensor 'log_likelihood' is [3]; one value for each of 2 images is needed");
        Write(("eps0", [2, 4, 4, 2], new float[64]), ("eps1", [2, 2, 2, 8], new float[64]),
            ("labels", [2], new float[2]));
        AssertRefused("tensor 'labels' is F32; integers are needed");
    }
}
