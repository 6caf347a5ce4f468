using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>A run that was stopped in whatever way and resumed is, bit for bit, the run that was not.</summary>
public sealed class ResumeTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        TinyRun.Start(folder.File("whole"));
    }

    [TearDown]
    public void End() => folder.Dispose();

    private string Whole => folder.File("whole");

    private string Other => folder.File("other");

    [Test]
    public void Two_runs_are_the_same()
    {
        TinyRun.Start(Other);
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void The_rows_are_complete()
    {
        // 14 steps, and validations at 4, 8, 12 and the end.
        long[] steps = [.. TinyRun.Rows(Whole)
            .Select(static r => System.Text.Json.Nodes.JsonNode.Parse(r)!["step"]!.GetValue<long>())];
        Assert.That(steps, Is.EqualTo(new long[] { 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 12, 13, 14, 14 }));
        Assert.That(Directory.GetFiles(Path.Combine(Whole, "samples")).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "step-000007.png", "step-000014.png" }));
    }

    [TestCase(1)]
    [TestCase(4)]
    [TestCase(5)]
    [TestCase(13)]
    [TestCase(14)]
    public void An_interrupt_finishes_the_step_and_saves_and_the_resumed_run_is_the_same(int step)
    {
        using CancellationTokenSource stop = new();
        Recorder recorder = new() { AfterStep = s => { if (s.Step == step) stop.Cancel(); } };
        TrainOutcome outcome = TinyRun.Start(Other, recorder, stop: stop.Token);
        Assert.That((outcome.End, outcome.Step, recorder.Steps.Count), Is.EqualTo((TrainEnd.Interrupted, step, step)));
        Assert.That(ModelFile.ReadMetadata(Path.Combine(Other, "model.safetensors"))["step"], Is.EqualTo($"{step}"));

        Recorder second = new();
        outcome = TinyRun.Start(Other, second, resume: true);
        Assert.That((outcome.End, outcome.Step), Is.EqualTo((TrainEnd.Finished, 14)));
        Assert.That(second.Steps.Select(static s => s.Step), Is.EqualTo(Enumerable.Range(step + 1, 14 - step)));
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void An_interrupt_during_validation_leaves_it_to_the_resumed_run()
    {
        using CancellationTokenSource stop = new();
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, TinyRun.Options.Seed);
        HookedImages held = new(TinyRun.HeldOut, stop.Cancel);
        Recorder recorder = new();
        using (Trainer trainer = new(model, TinyRun.Images, held, TinyRun.Options, RunFolder.Create(Other, false),
            recorder, false))
        {
            Assert.That(trainer.Run(stop.Token).End, Is.EqualTo(TrainEnd.Interrupted));
        }
        Assert.That((recorder.Steps.Count, recorder.Validations.Count), Is.EqualTo((4, 0)));
        TinyRun.Start(Other, resume: true);
        TinyRun.AssertSame(Whole, Other);
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(5)]
    [TestCase(8)]
    [TestCase(14)]
    public void A_crash_between_checkpoints_is_undone_and_every_step_is_there_once(int step)
    {
        Recorder crash = new()
        {
            AfterStep = s =>
            { if (s.Step == step) throw new InvalidOperationException("killed"); }
        };
        Assert.Throws<InvalidOperationException>(() => TinyRun.Start(Other, crash));
        // Half a row, as a kill in the middle of a write leaves it.
        File.AppendAllText(Path.Combine(Other, "metrics.jsonl"), $"{{\"step\":{step + 1},\"ep");
        TinyRun.Start(Other, resume: true);
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void A_crash_after_a_validation_or_a_save_is_undone_too()
    {
        Recorder crash = new()
        {
            AfterValidation = v =>
            { if (v.Step == 8) throw new InvalidOperationException("killed"); }
        };
        Assert.Throws<InvalidOperationException>(() => TinyRun.Start(Other, crash));
        int saves = 0;
        crash = new() { AfterSave = () => { if (++saves == 3) throw new InvalidOperationException("killed"); } };
        Assert.Throws<InvalidOperationException>(() => TinyRun.Start(Other, crash, resume: true));
        TinyRun.Start(Other, resume: true);
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void A_model_of_one_step_and_a_state_of_another_are_not_mixed()
    {
        Recorder crash = new()
        {
            AfterStep = s =>
            { if (s.Step == 11) throw new InvalidOperationException("killed"); }
        };
        Assert.Throws<InvalidOperationException>(() => TinyRun.Start(Other, crash));
        // As if killed between the renames: the state is of the new step, the model of the one before.
        File.Move(Path.Combine(Other, "model.previous.safetensors"), Path.Combine(Other, "model.safetensors"),
            overwrite: true);
        TinyRun.Start(Other, resume: true);
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void More_steps_continue_as_if_they_had_been_planned()
    {
        TrainOptions shorter = TinyRun.Options with { Steps = 8 };
        TinyRun.Start(Other, options: shorter);
        TinyRun.Start(Other, resume: true);
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void A_finished_run_has_nothing_left_to_do()
    {
        Recorder recorder = new();
        TrainOutcome outcome = TinyRun.Start(Whole, recorder, resume: true);
        Assert.That((outcome.End, outcome.Step, recorder.Steps.Count, recorder.Saves),
            Is.EqualTo((TrainEnd.Finished, 14, 0, 0)));
    }

    [Test]
    public void A_run_stopped_before_its_first_checkpoint_starts_over()
    {
        Directory.CreateDirectory(Other);
        File.Copy(Path.Combine(Whole, "config.json"), Path.Combine(Other, "config.json"));
        Recorder recorder = new();
        TinyRun.Start(Other, recorder, resume: true);
        Assert.That(recorder.Messages[0],
            Is.EqualTo($"{Other} was stopped before its first checkpoint; starting from step 0"));
        TinyRun.AssertSame(Whole, Other);
    }

    [Test]
    public void A_time_limit_ends_the_run_with_a_checkpoint()
    {
        TrainOutcome outcome = TinyRun.Start(Other, options: TinyRun.Options with { Minutes = 0 });
        Assert.That((outcome.End, outcome.Step), Is.EqualTo((TrainEnd.TimeUp, 0)));
        Assert.That(File.Exists(Path.Combine(Other, "model.safetensors")));
    }
}
