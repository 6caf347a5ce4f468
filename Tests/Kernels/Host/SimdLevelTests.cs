using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>The operations on matrix products at every vector width: right, and the same bits at all of them.</summary>
[TestFixture]
public sealed class SimdLevelTests
{
    private static IEnumerable<SimdLevel> Levels => Enum.GetValues<SimdLevel>();

    private static IEnumerable<TestCaseData> Networks =>
        from level in Levels from shape in NetworkShape.Common select new TestCaseData(level, shape);

    private static IEnumerable<TestCaseData> Affines =>
        from level in Levels
        from shape in new PixelShape[] { new(1, 1, 1, 2), new(2, 3, 5, 6), new(1, 7, 11, 12), new(1, 5, 13, 30),
            new(1, 1, 9, 49) }
        select new TestCaseData(level, shape);

    [TestCaseSource(nameof(Networks))]
    public void CouplingNet(SimdLevel level, NetworkShape shape) => On(level, device =>
    {
        CouplingNetTests tests = new();
        tests.ForwardMatchesReference(device, shape);
        tests.BackwardMatchesReference(device, shape);
        tests.DevicesAgree(device, shape);
    });

    [TestCaseSource(nameof(Networks))]
    public void ZeroConv(SimdLevel level, NetworkShape shape) => On(level, device =>
    {
        ZeroConvTests tests = new();
        tests.ForwardMatchesReference(device, shape);
        tests.BackwardMatchesReference(device, shape);
        tests.DevicesAgree(device, shape);
    });

    [TestCaseSource(nameof(Affines))]
    public void ChannelAffine(SimdLevel level, PixelShape shape) => On(level, device =>
    {
        ChannelAffineTests tests = new();
        tests.AppliesTheMapToEveryPixel(device, shape);
        tests.DevicesAgree(device, shape);
    });

    [Test]
    public void TheWidestLevelIsSupported()
    {
        Assert.That(SimdLevels.IsSupported(SimdLevels.Best));
        Assert.That(Levels.Where(SimdLevels.IsSupported).Max(), Is.EqualTo(SimdLevels.Best));
        Assert.That(SimdLevels.IsSupported(SimdLevel.Portable));
    }

    /// <summary>Leaves out, visibly, what this processor cannot run.</summary>
    internal static void Require(SimdLevel level)
    {
        if (!SimdLevels.IsSupported(level)) Assert.Ignore($"this processor has no {level}");
    }

    private static void On(SimdLevel level, Action<TestDevice> test)
    {
        Require(level);
        TestDevice device = new($"host-{level}", DeviceKind.Host, "Host", () => new HostBackend(2, level));
        try
        {
            test(device);
        }
        finally
        {
            device.Close();
        }
    }
}
