namespace GlowGpu.Kernels;

/// <summary>
/// Records work instead of running it, so that it can be queued again as a whole at next to no cost for the host.
/// Work in between may neither read nor write from the host, nor allocate, nor load a kernel: whoever records has run
/// the same work before.
/// </summary>
public interface IWorkRecorder
{
    /// <summary>From here on work is recorded. Null, or why the device refuses; then nothing is recorded.</summary>
    string? Begin();

    /// <summary>
    /// Ends the recording. Null and the reason when the work could not be recorded: then nothing of it has run.
    /// </summary>
    IRecordedWork? End(out string? refusal);
}

/// <summary>Recorded work.</summary>
public interface IRecordedWork : IDisposable
{
    /// <summary>
    /// Queues it, with the addresses and arguments it was recorded with. Null, or why the device refuses; then it
    /// does not run.
    /// </summary>
    string? Run();
}
