using System.Diagnostics;

namespace GlowGpu.App.Console;

/// <summary>
/// Reports on standard error how many images of a long loop are done: nothing in the first seconds, then now and
/// then.
/// </summary>
internal sealed class Progress(Terminal terminal, string verb, int total)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private TimeSpan next = Interval;

    /// <summary>Tells the number done so far.</summary>
    public void Report(int done)
    {
        if (clock.Elapsed < next || done == 0) return;
        next = clock.Elapsed + Interval;
        TimeSpan left = clock.Elapsed * ((double)(total - done) / done);
        terminal.Log($"{verb} {Readable.Count(done)} of {Readable.Count(total)} images, ETA {Readable.Duration(left)}");
    }
}
