using GlowGpu.Model.Training;

namespace GlowGpu.Tests.Model.Training;

/// <summary>A run that a process of its own works on until it is killed, as often as it takes.</summary>
internal static class KilledRun
{
    /// <summary>
    /// Everything that a run writes, as often as possible, so that a kill lands in the middle of something.
    /// </summary>
    public static TrainOptions Options { get; } = TinyRun.Options with
    {
        Steps = 60,
        SaveEvery = 1,
        SampleEvery = 3,
        ValidateEvery = 2
    };

    /// <summary>Starts the run, or continues it.</summary>
    public static void Continue(string folder) =>
        TinyRun.Start(folder, resume: File.Exists(Path.Combine(folder, "config.json")), options: Options);
}
