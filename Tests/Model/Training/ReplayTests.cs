using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Kernels.Gpu;
using GlowGpu.Tests.Ptx;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>
/// Steps replayed as graphs, on a device whose driver is played by <see cref="FakeGraphs"/>: the same bits as
/// without, whatever changes on the way and whatever the driver refuses.
/// </summary>
[TestFixture]
internal sealed class ReplayTests
{
    private GpuBackend backend = null!;
    private FakeGraphs driver = null!;

    [SetUp]
    public void Open()
    {
        Context context = Context.Create(static builder => builder.Optimize(OptimizationLevel.O1));
        Accelerator accelerator = new CPUDevice(4, 1, 1).CreateAccelerator(context);
        driver = new FakeGraphs(new DriverRunner(accelerator));
        backend = new GpuBackend(accelerator, null, driver, graphs: driver);
    }

    [TearDown]
    public void Close() => backend.Dispose();

    private float[] WithoutGraphs(Func<SmallTraining, float[]> run, FlowConfig? config = null)
    {
        using SmallTraining plain = new(backend, graphs: false, config);
        return run(plain);
    }

    [Test]
    public void TheThirdStepIsCapturedAndTheOthersReplayed()
    {
        using SmallTraining training = new(backend);
        for (int step = 1; step <= 5; step++)
        {
            int kernels = driver.SingleKernels;
            training.Step();
            Assert.That((driver.Captures, driver.Launches), Is.EqualTo((step < 3 ? 0 : 1, Math.Max(0, step - 2))),
                $"step {step}");
            if (step >= 3) Assert.That(driver.SingleKernels, Is.EqualTo(kernels), "kernels launched one by one");
        }
        Assert.That(training.Device.GraphRefusal, Is.Null);
    }

    [TestCase(Precision.Tf32), Category("PtxMachine")]
    [TestCase(Precision.Bf16), Category("PtxMachine")]
    public void AReplayOnTensorCoresHasTheSameBits(Precision precision)
    {
        float[] eager, replayed;
        using (GpuBackend plain = PtxGpu.Open(precision))
        using (SmallTraining training = new(plain))
            eager = training.Run(5);
        FakeGraphs graphs = null!;
        using (GpuBackend recorded = PtxGpu.Open(precision, runner => graphs = new FakeGraphs(runner)))
        using (SmallTraining training = new(recorded))
        {
            replayed = training.Run(5);
            Assert.That(training.Device.GraphRefusal, Is.Null);
        }
        Tolerance.SameBits("run", replayed, eager);
        Assert.That(graphs.Launches, Is.EqualTo(3));
    }

    [TestCase(MemoryMode.Stored)]
    [TestCase(MemoryMode.Reversible)]
    public void AReplayHasTheSameBits(MemoryMode memory)
    {
        // Images, labels, noise, rate, bias corrections and decay of the average differ from step to step.
        float[] Run(SmallTraining training)
        {
            training.Memory = memory;
            return training.Run(6);
        }
        using SmallTraining training = new(backend);
        Tolerance.SameBits("run", Run(training), WithoutGraphs(Run));
        Assert.That(driver.Launches, Is.EqualTo(4));
    }

    [Test]
    public void RunningStatisticsFollowInAReplay()
    {
        RealNvpConfig config = new() { ImageSize = [4, 4], Channels = 1, Levels = 2, Width = 4, Depth = 1 };
        using SmallTraining training = new(backend, config: config);
        Tolerance.SameBits("run", training.Run(5), WithoutGraphs(static t => t.Run(5), config));
        Assert.That(driver.Launches, Is.EqualTo(3));
    }

    [Test]
    public void SkippedReplaysAndEvaluationsInBetweenChangeNothing()
    {
        static float[] Run(SmallTraining training)
        {
            float[] before = training.Run(4), kept = training.Poison();
            Assert.That(training.Step().Updated, Is.False);
            training.Heal(kept);
            float[] after = training.Run(1);
            Batch one = new(training.BatchSize, new float[training.BatchSize * training.Model.Config.Dimensions],
                new float[training.BatchSize]);
            double loss = training.Model.Evaluate(one, Noise.Center).Loss;
            return [.. before, .. after, (float)loss, .. training.Run(3), .. training.Decode(0.5, 1)];
        }
        using SmallTraining training = new(backend);
        Tolerance.SameBits("run", Run(training), WithoutGraphs(Run));
        Assert.That(driver.Launches, Is.GreaterThan(2));
    }

    [Test]
    public void WhatIsFixedInACaptureEndsIt()
    {
        static float[] Run(SmallTraining training)
        {
            List<float> all = [.. training.Run(4)];
            training.ClassWeight = 0.5;
            all.AddRange(training.Run(3));
            training.BatchSize = 1;
            all.AddRange(training.Run(1));
            training.BatchSize = 2;
            return [.. all, .. training.Run(4)];
        }
        using SmallTraining training = new(backend);
        Tolerance.SameBits("run", Run(training), WithoutGraphs(Run));
        // 3 and 4; the 7th; the 11th and 12th.
        Assert.That((driver.Captures, driver.Launches), Is.EqualTo((3, 5)));
    }

    [Test]
    public void SamplingIsReplayedWhateverTheTemperatureAndTheWeights()
    {
        static float[] Run(SmallTraining training)
        {
            List<float> all = [];
            for (ulong i = 0; i < 5; i++) all.AddRange(training.Decode(0.2 * i, i));
            training.Step();
            return [.. all, .. training.Decode(0.7, 9), .. training.Decode(0.7, 10)];
        }
        using SmallTraining training = new(backend);
        Tolerance.SameBits("samples", Run(training), WithoutGraphs(Run));
        Assert.That(driver.Launches, Is.GreaterThanOrEqualTo(3));
    }

    [TestCase(nameof(IGraphDriver.BeginCapture), "the driver refused to begin the capture (CUDA error 801)")]
    [TestCase(nameof(IGraphDriver.CaptureStatus), "the driver gave the capture up")]
    [TestCase(nameof(IGraphDriver.EndCapture), "the driver could not end the capture (CUDA error 801)")]
    [TestCase(nameof(IGraphDriver.Instantiate), "the driver could not make the graph ready (CUDA error 801)")]
    [TestCase(nameof(IGraphDriver.Launch), "the driver refused to launch the graph (CUDA error 801)")]
    public void ARefusalCostsNoStepAndIsSaid(string call, string reason)
    {
        using SmallTraining training = new(backend);
        driver.Failing = call;
        List<string> said = [];
        training.Device.GraphRefused = said.Add;
        Tolerance.SameBits("run", training.Run(5), WithoutGraphs(static t => t.Run(5)));
        Assert.Multiple(() =>
        {
            Assert.That(driver.Captures, Is.EqualTo(1), "it is not tried again");
            Assert.That(training.Device.GraphRefusal, Is.EqualTo(
                $"steps are no longer replayed as a CUDA graph, because {reason}; they run launch by launch, with "
                    + "the same results"));
            Assert.That(said, Is.EqualTo(new[] { training.Device.GraphRefusal }));
            Assert.That(training.Device.Arena.Rented, Is.Zero);
            Assert.That(driver.Alive, Is.Zero, "graphs not freed");
        });
    }

    [Test]
    public void ARefusalInTheMiddleOfARunIsSurvived()
    {
        float[] Run(SmallTraining training)
        {
            float[] before = training.Run(4);
            driver.Failing = nameof(IGraphDriver.Launch);
            return [.. before, .. training.Run(3)];
        }
        using SmallTraining training = new(backend);
        float[] got = Run(training);
        driver.Failing = null;
        Tolerance.SameBits("run", got, WithoutGraphs(static t => [.. t.Run(4), .. t.Run(3)]));
        Assert.That(driver.Launches, Is.EqualTo(2));
    }

    [Test]
    public void AnObserverOfTheRunHearsOfARefusalOnce()
    {
        using TemporaryFolder folder = new();
        using GlowGpu.Engine.Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1);
        Recorder recorder = new()
        {
            AfterStep = step =>
            {
                if (step.Step == 2) device.RefuseGraphs("the driver gave the capture up");
            },
        };
        TinyRun.Start(model, folder.File("run"), recorder, options: TinyRun.Options with { Steps = 4 });
        Assert.That(recorder.Messages.Count(m => m == device.GraphRefusal), Is.EqualTo(1));
    }

    [Test]
    public void ReleasedMemoryEndsACapture()
    {
        using SmallTraining training = new(backend);
        training.Run(4);
        backend.Allocate(10).Dispose();
        training.Step();
        Assert.That(driver.Launches, Is.EqualTo(2), "replays");
        training.Run(3);
        Assert.That((driver.Captures, driver.Launches), Is.EqualTo((2, 4)));
    }

    [Test]
    public void GraphsAreFreedWithTheirModel()
    {
        using (SmallTraining training = new(backend))
        {
            training.Run(3);
            for (ulong i = 0; i < 3; i++) training.Decode(1, i);
            Assert.That(driver.Alive, Is.EqualTo(2));
        }
        Assert.That(driver.Alive, Is.Zero);
    }

    [Test]
    public void TurnedOffNothingIsCaptured()
    {
        using SmallTraining training = new(backend, graphs: false);
        training.Run(4);
        training.Decode(1, 1);
        Assert.That(driver.Captures, Is.Zero);
    }

    [Test]
    public void WorkThatCannotBeRecordedSpoilsTheRecordingAndNothingElse()
    {
        GlowGpu.Kernels.View target = View(4);
        Assert.That(backend.Recorder!.Begin(), Is.Null);
        backend.Fill(target, 1);
        target.Write([1, 2, 3, 4]);
        Assert.That(() => target.ToArray(), Throws.InvalidOperationException.With.Message.EqualTo(
            "gpu: work that is being recorded has no values to read yet"));
        Assert.That(backend.Recorder.End(out string? refusal), Is.Null);
        Assert.That(refusal, Is.EqualTo("a kernel was not loaded yet"));
        backend.Fill(target, 5);
        Assert.That(target.ToArray(), Is.EqualTo(new float[] { 5, 5, 5, 5 }));

        backend.Recorder.Begin();
        using (backend.Allocate(1)) { }
        Assert.That(backend.Recorder.End(out refusal), Is.Null);
        Assert.That(refusal, Is.EqualTo("device memory was allocated"));
        backend.Recorder.Begin();
        backend.Synchronize();
        Assert.That(backend.Recorder.End(out refusal), Is.Null);
        Assert.That(refusal, Is.EqualTo("the host had to wait for the device"));
    }

    private GlowGpu.Kernels.View View(int length) => GlowGpu.Kernels.View.Dense(backend.Allocate(length), 0, 1, length);
}
