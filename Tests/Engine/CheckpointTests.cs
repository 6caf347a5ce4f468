using System.Diagnostics;
using GlowGpu.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

/// <summary>A kill at any moment leaves an agreeing pair: simulated at every boundary, and real.</summary>
public sealed class CheckpointTests
{
    private const int SaveBoundaries = 4;

    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private static void Kill(IEnumerable<string> steps, int after) => _ = steps.Take(after).Count();

    private void AssertPair(CheckpointPair? pair, long step)
    {
        Assert.Multiple(() =>
        {
            Assert.That(pair, Is.EqualTo(new CheckpointPair(folder.File("model.safetensors"),
                folder.File("state.safetensors"), step)));
            Assert.That(CheckpointLoop.Holds(pair!.ModelPath, step, 1), "model");
            Assert.That(CheckpointLoop.Holds(pair.StatePath, step, 2), "state");
            Assert.That(Directory.GetFiles(folder.Path, "*.tmp"), Is.Empty);
        });
    }

    private void SaveUntil(long step, int boundaries) =>
        Kill(new Checkpoint(folder.Path).SaveSteps(CheckpointLoop.Contents(step, 1), CheckpointLoop.Contents(step, 2),
            step), boundaries);

    [Test]
    public void An_empty_folder_holds_no_pair() => Assert.That(new Checkpoint(folder.Path).Recover(), Is.Null);

    [Test]
    public void The_first_save_is_there_when_complete_and_not_before()
    {
        for (int boundaries = 1; boundaries < SaveBoundaries; boundaries++)
        {
            SaveUntil(0, boundaries);
            Assert.That(new Checkpoint(folder.Path).Recover(), Is.Null, $"killed after {boundaries}");
        }
        SaveUntil(0, SaveBoundaries);
        AssertPair(new Checkpoint(folder.Path).Recover(), 0);
    }

    [Test]
    public void A_kill_at_any_boundary_of_any_save_leaves_the_newest_agreeing_pair()
    {
        long step = 0;
        for (int saves = 1; saves <= 3; saves++)
        {
            for (int boundaries = 1; boundaries <= SaveBoundaries; boundaries++)
            {
                Checkpoint checkpoint = new(folder.Path);
                for (int i = 0; i < saves; i++) CheckpointLoop.Save(checkpoint, ++step);
                SaveUntil(++step, boundaries);
                if (boundaries < SaveBoundaries) step--;
                AssertPair(new Checkpoint(folder.Path).Recover(), step);
            }
        }
    }

    [Test]
    public void A_kill_during_recovery_after_a_kill_during_a_save_loses_nothing()
    {
        // The worst folder: both current files are unusable in their own way.
        for (int recoveryBoundaries = 1; recoveryBoundaries <= 2; recoveryBoundaries++)
        {
            Checkpoint checkpoint = new(folder.Path);
            CheckpointLoop.Save(checkpoint, 1);
            CheckpointLoop.Save(checkpoint, 2);
            File.WriteAllText(checkpoint.ModelPath, "");
            File.WriteAllText(checkpoint.StatePath, "not a tensor");
            Kill(new Checkpoint(folder.Path).RecoverSteps(static _ => { }), recoveryBoundaries);
            AssertPair(new Checkpoint(folder.Path).Recover(), 1);
            // And a kill between the renames of the next save does not fall behind it.
            SaveUntil(2, 3);
            AssertPair(new Checkpoint(folder.Path).Recover(), 1);
        }
    }

    [Test]
    public void A_model_and_a_state_of_different_steps_are_never_paired()
    {
        Checkpoint checkpoint = new(folder.Path);
        CheckpointLoop.Save(checkpoint, 1);
        File.Copy(checkpoint.ModelPath, folder.File("saved"));
        CheckpointLoop.Save(checkpoint, 2);
        File.Move(folder.File("saved"), checkpoint.ModelPath, overwrite: true);
        AssertPair(checkpoint.Recover(), 1);
    }

    [Test]
    public void A_failed_save_keeps_the_pair_and_the_next_save_works()
    {
        Checkpoint checkpoint = new(folder.Path);
        CheckpointLoop.Save(checkpoint, 1);
        CheckpointLoop.Save(checkpoint, 2);
        // A folder in the way of the model's new contents.
        Directory.CreateDirectory(checkpoint.ModelPath + ".tmp");
        Assert.Throws<GlowException>(() => CheckpointLoop.Save(checkpoint, 3));
        Directory.Delete(checkpoint.ModelPath + ".tmp");
        AssertPair(new Checkpoint(folder.Path).Recover(), 2);
        CheckpointLoop.Save(checkpoint, 3);
        AssertPair(new Checkpoint(folder.Path).Recover(), 3);
    }

    [Test]
    public void Files_that_do_not_agree_are_one_sentence()
    {
        Checkpoint checkpoint = new(folder.Path);
        CheckpointLoop.Save(checkpoint, 5);
        File.WriteAllText(checkpoint.StatePath, "");
        Assert.That(() => checkpoint.Recover(), Throws.TypeOf<GlowException>().With.Message.EqualTo(
            $"{folder.Path}: no model and state file agree on a step (model.safetensors: step 5, "
                + "model.previous.safetensors: absent, "
            + "state.safetensors: not readable, state.previous.safetensors: absent); the files of one checkpoint "
            + "are needed"));
    }

    [Test]
    [Category("Process")]
    public void A_process_killed_at_random_moments_never_leaves_an_unreadable_pair()
    {
        const int kills = 8;
        Random random = new(1);
        long last = -1;
        int interrupted = 0;
        for (int kill = 0; kill < kills; kill++)
        {
            using Process child = CheckpointLoop.Start(folder.Path);
            WaitForStep(child, last + 1);
            Thread.Sleep(random.Next(1, 40));
            child.Kill();
            child.WaitForExit();
            if (Directory.GetFiles(folder.Path, "*.tmp").Length > 0) interrupted++;
            CheckpointPair? pair = new Checkpoint(folder.Path).Recover();
            Assert.That(pair?.Step, Is.GreaterThan(last), "every process completed a save, and none was lost");
            last = pair!.Step;
            AssertPair(pair, last);
        }
        Assert.That(interrupted, Is.GreaterThan(0), "no kill landed inside a save: the test shows nothing");
    }

    // Until the child has completed a save of its own.
    private void WaitForStep(Process child, long step)
    {
        Stopwatch patience = Stopwatch.StartNew();
        while (CurrentStep() < step)
        {
            Assert.That(child.HasExited, Is.False,
                () => $"the child ended by itself: {child.StandardError.ReadToEnd()}");
            Assert.That(patience.Elapsed, Is.LessThan(TimeSpan.FromMinutes(5)), "the child saved nothing");
            Thread.Sleep(5);
        }
    }

    private long CurrentStep()
    {
        string path = folder.File("model.safetensors");
        if (!File.Exists(path)) return -1;
        // While it is being replaced the file is whole all the same: this must not throw.
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        return long.Parse(reader.Metadata[Checkpoint.StepKey]);
    }
}
