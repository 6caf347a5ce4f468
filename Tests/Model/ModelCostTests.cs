using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Model;
using GlowGpu.Tests.Reference.Backend;
using NUnit.Framework;

namespace GlowGpu.Tests.Model;

/// <summary>Counts of parameters and arithmetic, and the prediction of memory, against models that exist.</summary>
public sealed class ModelCostTests
{
    private static readonly GlowConfig Small = new() { ImageSize = [16, 8], Levels = 2, Depth = 3, Width = 64 };

    [TestCase("affine", "dense", true, 0)]
    [TestCase("additive", "plu", false, 4)]
    public void Parameters_are_those_of_the_model(string coupling, string invconv, bool edge, int classes)
    {
        GlowConfig config = Small with { Coupling = coupling, Invconv = invconv, EdgeBias = edge, Classes = classes };
        using Device device = new(new HostBackend(1));
        using GlowGpu.Model.Glow model = new(config, device, 0);
        Assert.That(ModelCost.Parameters(config), Is.EqualTo(model.Parameters.Count));
    }

    [Test]
    public void Flops_of_a_small_model_by_hand()
    {
        // One level, one step, an image of 2×2×1: one pixel of 4 channels; network 2 (+1) → 5 → 5 → 4.
        GlowConfig config = new() { ImageSize = [2, 2], Channels = 1, Levels = 1, Depth = 1, Width = 5 };
        Assert.That(ModelCost.ForwardFlops(config), Is.EqualTo(2 * (4 * 4 + 5 * (9 * 3 + 5 + 9 * 4))));
        // Two levels on 4×4×1: four pixels of 4 channels with a split 2 (+1) → 4, then one pixel of 8 channels.
        GlowConfig two = config with { ImageSize = [4, 4], Levels = 2 };
        long first = 4 * 2 * (4 * 4 + 5 * (9 * 3 + 5 + 9 * 4)), split = 4 * 2 * 9 * 3 * 4,
            second = 2 * (8 * 8 + 5 * (9 * 5 + 5 + 9 * 8));
        Assert.That(ModelCost.ForwardFlops(two), Is.EqualTo(first + split + second));
    }

    [TestCase(MemoryMode.Stored)]
    [TestCase(MemoryMode.Reversible)]
    public void Predicted_activations_are_near_what_a_step_takes(MemoryMode mode)
    {
        GlowConfig config = new() { ImageSize = [32, 16], Levels = 3, Depth = 4, Width = 256 };
        Assert.That(Predict(config, 8, mode).Activations, Is.EqualTo(Activations(config, 8, mode)).Within(10).Percent);
    }

    [Test]
    public void Reversible_memory_does_not_grow_with_depth()
    {
        GlowConfig deep = Small with { Depth = 24 };
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Predict(deep, 8, MemoryMode.Reversible).Activations,
                Is.EqualTo(Predict(Small, 8, MemoryMode.Reversible).Activations));
            Assert.That(Activations(deep, 8, MemoryMode.Reversible),
                Is.EqualTo(Activations(Small, 8, MemoryMode.Reversible)).Within(1).Percent);
            Assert.That(Predict(deep, 8, MemoryMode.Stored).Activations,
                Is.GreaterThan(5 * Predict(Small, 8, MemoryMode.Stored).Activations));
        }
    }

    [Test]
    public void Parameter_memory_counts_every_copy()
    {
        using HostBackend host = new(threads: 1);
        long with = MemoryPrediction.Of(Small, 1, MemoryMode.Stored, host.CouplingNet, average: true).Parameters;
        long without = MemoryPrediction.Of(Small, 1, MemoryMode.Stored, host.CouplingNet, average: false).Parameters;
        Assert.That(with - without, Is.EqualTo(sizeof(float) * ModelCost.Parameters(Small)));
        Assert.That(with, Is.EqualTo(5 * sizeof(float) * ModelCost.Parameters(Small)));
    }

    [Test]
    public void Packed_weights_that_stay_count_once_for_every_step()
    {
        using Device device = new(new ReferenceBackend());
        ICouplingNet network = device.Backend.CouplingNet;
        long packed = Enumerable.Range(0, Small.Levels).Sum(level =>
            Small.Depth * network.PackedLength(GlowParameters.Network(Small, level), new Pixels(1, 1, 1)));
        Assert.That(MemoryPrediction.Of(Small, 1, MemoryMode.Stored, network).Parameters,
            Is.EqualTo(sizeof(float) * (5 * ModelCost.Parameters(Small) + packed)));
    }

    private static MemoryPrediction Predict(GlowConfig config, int batch, MemoryMode memory)
    {
        using HostBackend host = new(threads: 1);
        return MemoryPrediction.Of(config, batch, memory, host.CouplingNet);
    }

    private static long Activations(GlowConfig config, int batch, MemoryMode mode)
    {
        using Device device = new(new HostBackend(1));
        using GlowGpu.Model.Glow model = new(config, device, 0);
        float[] bytes = new float[batch * config.Dimensions];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = i * 37 % 256;
        Batch images = new(batch, bytes, null);
        model.Initialize(images, Noise.Center);
        device.Arena.Trim();
        long before = device.Arena.Bytes;
        model.LossAndGradients(images, Noise.Center, mode, 0);
        return device.Arena.Bytes - before;
    }
}
