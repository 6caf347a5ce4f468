using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// Runs the same work again and again, on a device that can record it: the first two times as it is, so that memory
/// is allocated and kernels are loaded; the third time recorded; from then on as a replay, until
/// <typeparamref name="TKey"/> (whatever is fixed in the recording: shapes, addresses, constants) changes or device
/// memory is released. A refusal of the device costs no work and ends the recording for good
/// (<see cref="Device.GraphRefusal"/>). On other devices, and with graphs turned off, the work is simply run.
/// </summary>
/// <remarks>
/// What the work does on the host must leave everything there as it found it, because a replay does nothing on the
/// host.
/// </remarks>
public sealed class Replay<TKey>(Device device) : IDisposable where TKey : struct, IEquatable<TKey>
{
    private const int RunsBefore = 2;

    private TKey key;
    private IRecordedWork? recorded;
    private long releases;
    private int runs;
    private bool quiet;

    /// <summary>Whether the last run was a replay.</summary>
    public bool Replayed { get; private set; }

    /// <summary>Runs the work, or its recording.</summary>
    public void Run(TKey wanted, Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        Replayed = false;
        if (device.Recorder is not { } recorder)
        {
            Forget();
            work();
            return;
        }
        if (recorded is not null && (!wanted.Equals(key) || device.Backend.Releases != releases)) Forget();
        if (!wanted.Equals(key)) runs = 0;
        key = wanted;
        if (recorded is null && runs >= RunsBefore && quiet) recorded = Record(recorder, work);
        if (recorded is not null)
        {
            string? refusal = recorded.Run();
            Replayed = refusal is null;
            if (Replayed) return;
            Refuse(refusal!);
        }
        long before = device.Backend.Allocations + device.Backend.Releases;
        work();
        runs++;
        quiet = device.Backend.Allocations + device.Backend.Releases == before;
    }

    /// <inheritdoc/>
    public void Dispose() => Forget();

    private void Forget()
    {
        recorded?.Dispose();
        recorded = null;
        runs = 0;
    }

    private IRecordedWork? Record(IWorkRecorder recorder, Action work)
    {
        string? refusal = recorder.Begin();
        if (refusal is not null)
        {
            Refuse(refusal);
            return null;
        }
        IRecordedWork? made;
        try
        {
            work();
        }
        finally
        {
            // Also when the work throws: the device must not go on recording.
            made = recorder.End(out refusal);
        }
        releases = device.Backend.Releases;
        if (made is null) Refuse(refusal!);
        return made;
    }

    private void Refuse(string refusal)
    {
        Forget();
        device.RefuseGraphs(refusal);
    }
}
