using GlowGpu.App.Commands;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>What <c>--memory auto</c> decides.</summary>
public sealed class DeviceMemoryTests
{
    [TestCase(1, MemoryMode.Stored)]
    [TestCase(65536, MemoryMode.Reversible)]
    public void Everything_is_kept_while_it_fits(int batch, MemoryMode expected)
    {
        using Device device = DeviceFactory.Open("cpu", 1);
        GlowConfig large = new() { ImageSize = [64, 64], Depth = 48 };
        GlowConfig config = batch == 1 ? large with { Width = 8, Depth = 1 } : large;
        Assert.That(DeviceMemory.Choose(device, config, new TrainOptions { Batch = batch }), Is.EqualTo(expected));
    }
}
