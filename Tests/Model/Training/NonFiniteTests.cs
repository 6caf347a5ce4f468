using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>Loss or gradient that is not finite: skipped once or twice, the end when three in a row.</summary>
public sealed class NonFiniteTests
{
    private const string Poisoned = "levels.1.steps.0.coupling.conv3.bias";

    private TemporaryFolder folder = null!;
    private Device device = null!;
    private Glow model = null!;

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        device = TinyRun.Open();
        model = new Glow(TinyRun.Config, device, TinyRun.Options.Seed);
    }

    [TearDown]
    public void End()
    {
        model.Dispose();
        device.Dispose();
        folder.Dispose();
    }

    private string Run => folder.File("run");

    private void Write(float[] values)
    {
        model.Parameters.Value(Poisoned).Write(values);
        model.Parameters.Touch();
    }

    // After one step the weights turn bad, after another they are as before.
    private Recorder Poison(long badAfter, long goodAfter)
    {
        float[] kept = [];
        return new Recorder
        {
            AfterStep = step =>
            {
                if (step.Step == badAfter)
                {
                    kept = model.Parameters.Value(Poisoned).ToArray();
                    Write([.. kept.Select(static _ => float.NaN)]);
                }
                if (step.Step == goodAfter) Write(kept);
            },
        };
    }

    [TestCase(1)]
    [TestCase(2)]
    public void One_or_two_bad_steps_are_skipped(int bad)
    {
        TrainOptions options = TinyRun.Options with { SaveEvery = 1000, SampleEvery = 1000, ValidateEvery = 1000 };
        Recorder recorder = Poison(badAfter: 5, goodAfter: 5 + bad);
        TrainOutcome outcome = TinyRun.Start(model, Run, recorder, options: options);
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Step, Is.EqualTo(14));
            Assert.That(recorder.Steps.Where(static s => s.Skipped).Select(static s => s.Step),
                Is.EqualTo(Enumerable.Range(6, bad)));
            string row = TinyRun.Rows(Run)[5];
            Assert.That(row, Does.Contain("\"step\":6").And.Contain("\"loss\":null").And.Contain("\"grad_norm\":null")
                .And.Contain("\"skipped\":true"));
            using SafeTensorsReader state = SafeTensorsReader.Open(Path.Combine(Run, "state.safetensors"));
            Assert.That(state.Metadata["updates"], Is.EqualTo($"{14 - bad}"));
            Assert.That(recorder.Steps[^1].Loss, Is.Not.NaN);
        });
    }

    [Test]
    public void A_skipped_step_changes_nothing_but_its_place_in_the_data()
    {
        // Two runs that differ in nothing but a skip at the very end.
        TrainOptions options = TinyRun.Options with { Steps = 5, SampleEvery = 1000, ValidateEvery = 1000 };
        TinyRun.Start(folder.File("five"), options: options);
        TinyRun.Start(model, Run, Poison(badAfter: 5, goodAfter: 6), options: options with { Steps = 6 });
        using SafeTensorsReader five = SafeTensorsReader.Open(Path.Combine(folder.File("five"), "state.safetensors"));
        using SafeTensorsReader six = SafeTensorsReader.Open(Path.Combine(Run, "state.safetensors"));
        Assert.Multiple(() =>
        {
            foreach (TensorEntry tensor in five.Tensors)
                Assert.That(six.ReadFloats(tensor.Name), Is.EqualTo(five.ReadFloats(tensor.Name)), tensor.Name);
            Assert.That((five.Metadata["step"], six.Metadata["step"]), Is.EqualTo(("5", "6")));
            Assert.That((five.Metadata["updates"], six.Metadata["updates"]), Is.EqualTo(("5", "5")));
        });
    }

    [Test]
    public void Three_in_a_row_end_the_run_name_the_layer_and_keep_the_last_good_checkpoint()
    {
        TrainOptions options = TinyRun.Options with { SaveEvery = 1 };
        Recorder recorder = Poison(badAfter: 5, goodAfter: -1);
        GlowException e = Assert.Throws<GlowException>(() => TinyRun.Start(model, Run, recorder, options: options))!;
        Assert.Multiple(() =>
        {
            // The bad weights of step 5 give no finite loss, so they were never saved.
            Assert.That(e.Message, Is.EqualTo(
                "training: loss or gradient was not finite in the steps 6 to 8; the first layer whose output is not "
                    + "finite is levels.1.steps.0.coupling; "
                + "the checkpoint of step 4 is kept, and a new run can start from it with --init "
                + $"{Path.Combine(Run, "model.safetensors")} and a lower --lr"));
            Assert.That(recorder.Messages,
                Does.Contain("step 5: not saved, because its weights give a loss that is not finite"));
            Assert.That(new Checkpoint(Run).Recover()!.Step, Is.EqualTo(4));
            using FlowModel kept = ModelFile.Load(Path.Combine(Run, "model.safetensors"), device);
            Assert.That(kept.Parameters.Values.ToArray(), Is.All.Matches<float>(float.IsFinite));
        });
    }

    [Test]
    public void The_count_goes_on_over_a_resume()
    {
        // Skips at 6 and 7, an interrupt, a skip at 8: three in a row all the same.
        TrainOptions options = TinyRun.Options with { SaveEvery = 1000, SampleEvery = 1000, ValidateEvery = 1000 };
        using CancellationTokenSource stop = new();
        Recorder poison = Poison(badAfter: 5, goodAfter: 7);
        Recorder recorder = new()
        {
            AfterStep = step =>
            {
                poison.AfterStep!(step);
                if (step.Step == 7) stop.Cancel();
            },
        };
        TinyRun.Start(model, Run, recorder, options: options, stop: stop.Token);
        using Trainer trainer = new(model, TinyRun.Images, TinyRun.HeldOut, options, RunFolder.Create(Run, true),
            new Recorder(), true);
        Write([.. model.Parameters.Value(Poisoned).ToArray().Select(static _ => float.NaN)]);
        Assert.That(() => trainer.Run(default), Throws.TypeOf<GlowException>().With.Message.StartsWith(
            "training: loss or gradient was not finite in the steps 6 to 8; "));
    }

    [Test]
    public void A_rate_far_too_high_ends_in_that_sentence_and_not_in_a_crash()
    {
        TrainOptions options = TinyRun.Options with
        {
            LearningRate = 1e12,
            WarmupEpochs = 0,
            SaveEvery = 1,
            Steps = 50
        };
        GlowException e = Assert.Throws<GlowException>(() => TinyRun.Start(model, Run, options: options))!;
        Assert.That(e.Message, Does.StartWith("training: loss or gradient was not finite in the steps "));
        Assert.That(new Checkpoint(Run).Recover(), Is.Not.Null);
    }

    [Test]
    public void Weights_that_are_bad_from_the_start_leave_no_checkpoint()
    {
        Write([float.NaN, .. new float[model.Parameters.Find(Poisoned)!.Count - 1]]);
        model.Initialized = true;
        GlowException e = Assert.Throws<GlowException>(() => TinyRun.Start(model, Run))!;
        Assert.That(e.Message, Is.EqualTo(
            "training: loss or gradient was not finite in the steps 1 to 3; the first layer whose output is not "
                + "finite is levels.1.steps.0.coupling; no checkpoint was written"));
    }
}
