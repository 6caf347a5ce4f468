using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>From the third step on a GPU allocates nothing, waits once a step, and repeats its bits.</summary>
[TestFixture]
internal sealed class SteadyStepTests
{
    private static readonly RealNvpConfig RealNvp = new()
    {
        ImageSize = [4, 4],
        Channels = 1,
        Levels = 2,
        Width = 4,
        Depth = 1
    };

    private static IEnumerable<TestCaseData> Gpus => Devices.All
        .Where(static d => d.Name == "emulator" || d.Kind is DeviceKind.Machine or DeviceKind.Processor
        or DeviceKind.Gpu)
        .Select(static d => new TestCaseData(d).SetCategory(d.Category));

    [TestCaseSource(nameof(Gpus))]
    public void NothingIsAllocatedAfterTheSecondStep(TestDevice device)
    {
        foreach (MemoryMode memory in Enum.GetValues<MemoryMode>())
        {
            using SmallTraining training = new(device.Backend) { Memory = memory };
            training.Step();
            training.Step();
            long allocations = device.Backend.Allocations, releases = device.Backend.Releases;
            for (int i = 0; i < 3; i++) training.Step();
            Assert.That((device.Backend.Allocations, device.Backend.Releases), Is.EqualTo((allocations, releases)),
                memory.ToString());
            Assert.That(training.Device.Arena.Rented, Is.Zero, "everything rented was returned");
        }
    }

    [TestCaseSource(nameof(Gpus))]
    public void AStepWaitsOnce(TestDevice device)
    {
        GpuContext gpu = ((GpuBackend)device.Backend).Gpu;
        foreach (FlowConfig config in new FlowConfig[] { SmallTraining.Config, RealNvp })
        {
            using SmallTraining training = new(device.Backend, config: config);
            training.Step();
            training.Step();
            for (int i = 0; i < 3; i++)
            {
                long before = gpu.Waits;
                Assert.That(training.Step().Updated, Is.True);
                Assert.That(gpu.Waits - before, Is.EqualTo(1), config.Family);
            }
            float[] kept = training.Poison();
            long waits = gpu.Waits;
            Assert.That(training.Step().Updated, Is.False);
            Assert.That(gpu.Waits - waits, Is.EqualTo(1), "of a step that is skipped");
            training.Heal(kept);
        }
    }

    [TestCaseSource(nameof(Gpus))]
    public void SamplingWaitsForItsPixelsOnly(TestDevice device)
    {
        GpuContext gpu = ((GpuBackend)device.Backend).Gpu;
        using SmallTraining training = new(device.Backend);
        training.Decode(0.7, 1);
        training.Decode(0.7, 2);
        long before = gpu.Waits;
        training.Decode(0.7, 3);
        Assert.That(gpu.Waits - before, Is.EqualTo(1));
    }

    [TestCaseSource(nameof(Gpus))]
    public void TheSameRunGivesTheSameBits(TestDevice device)
    {
        using SmallTraining first = new(device.Backend), second = new(device.Backend);
        Tolerance.SameBits("steps", second.Run(4), first.Run(4));
        Tolerance.SameBits("samples", second.Decode(0.7, 5), first.Decode(0.7, 5));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void ASkippedStepChangesNothing(TestDevice device)
    {
        using SmallTraining training = new(device.Backend);
        training.Step();
        float[] kept = training.Poison(), before = training.State();
        long updates = training.Optimizer.Updates;
        TrainingResult skipped = training.Step();
        Assert.Multiple(() =>
        {
            Assert.That(skipped.Updated, Is.False);
            Assert.That(skipped.Batch.Loss, Is.NaN);
            Assert.That(training.Optimizer.Updates, Is.EqualTo(updates));
            Tolerance.SameBits("state", training.State(), before);
        });
        training.Heal(kept);
        Assert.That(training.Step().Updated, Is.True);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void ASingularMatrixIsNamedOnceSomebodyAsks(TestDevice device)
    {
        using SmallTraining training = new(device.Backend);
        FlowModel model = training.Model;
        GlowGpu.Kernels.View weight = model.Parameters.Value("levels.1.steps.0.invconv.weight");
        weight.Write(new float[weight.Count]);
        model.Parameters.Touch();
        TrainingResult step = training.Step();
        Assert.Multiple(() =>
        {
            Assert.That(step.Updated, Is.False);
            Assert.That(step.Batch.Loss, Is.NaN);
            Assert.That(step.GradientNorm, Is.NaN);
            Batch batch = new(1, new float[model.Config.Dimensions], [0]);
            foreach (Action action in new Action[]
            {
                () => model.Evaluate(batch, Noise.Center), () => model.LossAndGradients(batch, Noise.Center,
                    MemoryMode.Stored, 0),
                () => model.Encode(batch, Noise.Center), () => training.Decode(1, 1),
                    () => model.FirstNonFiniteLayer(batch, Noise.Center),
            })
            {
                Assert.That(action, Throws.InstanceOf<ArithmeticException>()
                    .With.Message.StartsWith("levels.1.steps.0: the channel mixing matrix is singular (pivot 1 of "));
            }
            Assert.That(training.Device.Arena.Rented, Is.Zero, "everything rented was returned");
        });
    }

    private static IEnumerable<TestCaseData> CudaPrecisions =>
        from device in DeviceProbe.Cuda().Where(static d => d.Obstacle is null).Take(1)
        from precision in Enum.GetValues<Precision>()
        where precision == Precision.Fp32 || device.HasTensorCores
        select new TestCaseData(device, precision).SetCategory("Cuda");

    [TestCaseSource(nameof(CudaPrecisions))]
    public void CudaGraphsAreUsedAndChangeNoBit(ProbedDevice device, Precision precision)
    {
        float[] Run(bool graphs)
        {
            using GpuBackend backend = device.Open(precision);
            Assert.That(backend.Recorder, Is.Not.Null, "the driver has no stream capture");
            using SmallTraining training = new(backend, graphs);
            float[] run = training.Run(6);
            Assert.That(training.Device.GraphRefusal, Is.Null);
            return run;
        }
        Tolerance.SameBits("run", Run(graphs: true), Run(graphs: false));
    }
}
