using System.Diagnostics;
using GlowGpu.Engine;

namespace GlowGpu.Tests.Engine;

/// <summary>
/// A process that saves one checkpoint after the other until it is killed, and what the files of a step contain, so
/// that the survivor can tell whether a pair belongs together.
/// </summary>
internal static class CheckpointLoop
{
    // Large enough that a save takes milliseconds, so that a random kill often lands inside one.
    private const int Values = 100_000;

    /// <summary>Saves steps from the recovered one on, for ever.</summary>
    public static void Run(string folder)
    {
        Checkpoint checkpoint = new(folder);
        long step = checkpoint.Recover()?.Step ?? -1;
        while (true) Save(checkpoint, ++step);
    }

    /// <summary>Starts <see cref="Run"/> in a process of its own.</summary>
    public static Process Start(string folder) => Program.Start("save-checkpoints", folder);

    /// <summary>Saves both files of one step.</summary>
    public static void Save(Checkpoint checkpoint, long step) =>
        checkpoint.Save(Contents(step, 1), Contents(step, 2), step);

    /// <summary>Contents that only this step's model (part 1) or state (part 2) file has.</summary>
    public static SafeTensorsWriter Contents(long step, int part)
    {
        SafeTensorsWriter writer = new();
        float[] values = new float[Values];
        values.AsSpan().Fill(step * 10 + part);
        writer.Add("values", [Values], values);
        return writer;
    }

    /// <summary>Whether the file holds exactly what <see cref="Contents"/> gave.</summary>
    public static bool Holds(string path, long step, int part)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        float[] values = reader.ReadFloats("values");
        return values.Length == Values && !values.AsSpan().ContainsAnyExcept((float)(step * 10 + part));
    }
}
