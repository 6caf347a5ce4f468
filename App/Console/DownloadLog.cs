namespace GlowGpu.App.Console;

/// <summary>Reports downloads on standard error, at most once a second.</summary>
internal static class DownloadLog
{
    /// <summary>A listener for <see cref="Model.Data.DataOptions.Progress"/>.</summary>
    public static Action<string, long, long?> To(Terminal terminal)
    {
        long last = 0;
        return (name, done, total) =>
        {
            long now = Environment.TickCount64;
            if (now - last < 1000 && done != total) return;
            last = now;
            string of = total is long all ? $" of {Readable.Bytes(all)}" : "";
            terminal.Log($"downloading {name}: {Readable.Bytes(done)}{of}");
        };
    }
}
