using System.Runtime.InteropServices;

namespace GlowGpu.App.Console;

/// <summary>
/// Turns the first Ctrl-C (or SIGTERM, as batch schedulers send) into a request to stop in good order; the second ends
/// the process at once, as it would without us.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] signals;

    /// <summary>Starts to listen.</summary>
    public Interrupt() =>
        signals = [Register(PosixSignal.SIGINT), Register(PosixSignal.SIGTERM)];

    /// <summary>Signalled by the first Ctrl-C.</summary>
    public CancellationToken Token => source.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in signals) signal.Dispose();
        source.Dispose();
    }

    private PosixSignalRegistration Register(PosixSignal signal) => PosixSignalRegistration.Create(signal, context =>
    {
        if (source.IsCancellationRequested) return;
        context.Cancel = true;
        source.Cancel();
    });
}
