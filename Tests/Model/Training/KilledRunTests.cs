using System.Diagnostics;
using GlowGpu.Engine;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>A real process, really killed, again and again.</summary>
public sealed class KilledRunTests
{
    private const int Kills = 6;

    [Test]
    [Category("Process")]
    public void A_run_killed_at_random_moments_and_resumed_is_the_run_that_was_not()
    {
        using TemporaryFolder folder = new();
        string whole = folder.File("whole"), killed = folder.File("killed");
        KilledRun.Continue(whole);
        Random random = new(2);
        long last = -1;
        for (int kill = 0; kill < Kills; kill++)
        {
            using Process child = Program.Start("train", killed);
            // Until it has saved something of its own, and then a moment longer.
            WaitForStep(child, killed, last + 1);
            Thread.Sleep(random.Next(40));
            child.Kill();
            child.WaitForExit();
            last = SavedStep(killed);
        }
        KilledRun.Continue(killed);
        TinyRun.AssertSame(whole, killed);
    }

    private static void WaitForStep(Process child, string folder, long step)
    {
        Stopwatch patience = Stopwatch.StartNew();
        while (SavedStep(folder) < step && !child.HasExited)
        {
            Assert.That(patience.Elapsed, Is.LessThan(TimeSpan.FromMinutes(5)), "the child saved nothing");
            Thread.Sleep(5);
        }
        Assert.That(!child.HasExited || child.ExitCode == 0,
            () => $"the child failed: {child.StandardError.ReadToEnd()}");
    }

    private static long SavedStep(string folder)
    {
        string path = new Checkpoint(folder).ModelPath;
        if (!File.Exists(path)) return -1;
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        return long.Parse(reader.Metadata[Checkpoint.StepKey]);
    }
}
