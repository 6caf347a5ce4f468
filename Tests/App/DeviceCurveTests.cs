using GlowGpu.Model.Training;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>
/// A run on a GPU backend follows the host's loss curve: same images, same noise, same weights to begin with.
/// </summary>
[TestFixture]
public sealed class DeviceCurveTests
{
    private const int Steps = 30;
    private const double Tolerance = 1e-3;

    // The tiny preset's network, narrower: a processor's OpenCL device has a tenth of the host's speed.
    private const string Run = "train --data demo --limit 512 --validation 0 --levels 3 --depth 4 --width 32 --bits "
        + "5 --batch 16 --optimizer adam --lr 1e-3 --warmup-epochs 1 --seed 3 --precision fp32";

    private static IEnumerable<TestCaseData> Kinds =>
        Devices.Usable.Select(static c => (TestDevice)c.Arguments[0]!).Where(static d => d.Kind is DeviceKind.Gpu
            or DeviceKind.Processor)
            .Select(static d => new TestCaseData(d.Name).SetCategory(d.Category));

    [TestCaseSource(nameof(Kinds))]
    public void Losses_are_those_of_the_host(string kind)
    {
        using TemporaryFolder folder = new();
        double[] host = Curve(folder.File("host"), "cpu");
        double[] device = Curve(folder.File(kind), kind);
        Assert.That(host, Has.Length.EqualTo(Steps));
        Assert.That(device, Has.Length.EqualTo(Steps));
        Assert.That(host[^1], Is.LessThan(host[0] - 0.5), "the host's loss did not fall: nothing was trained");
        for (int i = 0; i < Steps; i++)
            Assert.That(device[i], Is.EqualTo(host[i]).Within(Tolerance), $"bits/dim of step {i + 1}");
    }

    private static double[] Curve(string run, string device)
    {
        CommandRun.Of([.. Run.Split(' '), "--steps", $"{Steps}", "--device", device, "--out", run]).Succeeds();
        return [.. RunMetrics.Read(RunFolder.Create(run, resume: true)).Steps.Select(static s => s.BitsPerDim)];
    }
}
