namespace GlowGpu.App.Console;

/// <summary>
/// A training as plain lines, for files, pipes and dumb terminals: the first steps, then one line every few seconds.
/// </summary>
internal sealed class PlainLog(Terminal terminal) : ITrainView
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private TimeSpan next;
    private TrainState? pending;

    /// <inheritdoc/>
    public void Show(Action training)
    {
        training();
        // The last step is worth its line too.
        Flush();
    }

    /// <inheritdoc/>
    public void Update(TrainState state, bool important)
    {
        if (!important && state.Elapsed < next)
        {
            pending = state;
            return;
        }
        pending = null;
        next = state.Elapsed + Interval;
        terminal.Log(Lines.Step(state));
    }

    /// <inheritdoc/>
    public void Line(string text)
    {
        Flush();
        terminal.Log(text);
    }

    private void Flush()
    {
        if (pending is not null) terminal.Log(Lines.Step(pending));
        pending = null;
    }
}
