using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace GlowGpu.App.Console;

/// <summary>
/// A training as a panel that redraws itself at the bottom of a terminal; lines that stay scroll away above it.
/// </summary>
internal sealed class LiveDisplay(IAnsiConsole console) : ITrainView
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(120);
    private const int BarCells = 44;
    private LiveDisplayContext? context;
    private TimeSpan next;
    private TrainState? latest;

    /// <inheritdoc/>
    public void Show(Action training) => console
        .Live(new Markup("preparing the first step"))
        .Start(live =>
        {
            context = live;
            try
            {
                training();
                if (latest is not null) Update(latest, important: true);
            }
            finally
            {
                context = null;
            }
        });

    /// <inheritdoc/>
    public void Update(TrainState state, bool important)
    {
        latest = state;
        if (context is null || (!important && state.Elapsed < next)) return;
        next = state.Elapsed + Interval;
        context.UpdateTarget(Draw(state));
    }

    /// <inheritdoc/>
    public void Line(string text) => console.WriteLine(text);

    private static Panel Draw(TrainState state)
    {
        Grid grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(2))
            .AddColumn(new GridColumn().NoWrap().PadRight(2)).AddColumn();
        Row(grid, "step", Lines.StepOf(state), string.Create(CultureInfo.InvariantCulture,
            $"epoch {state.Last?.Epoch ?? 0:0.00}   learning rate {Readable.Short(state.Last?.Lr ?? 0)}"));
        Row(grid, "train", $"{Readable.Bits(state.BitsPerDim)} bits/dim", state.Header.Train);
        if (state.Header.Validation is string set)
        {
            string value = state.Validation is null ? "not yet"
                : $"{Readable.Bits(state.Validation.ValidationBitsPerDim)} bits/dim";
            string best = state.Best is null ? "" : $", best {Readable.Bits(state.Best.ValidationBitsPerDim)} at "
                + $"step {Readable.Count(state.Best.Step)}";
            Row(grid, "validation", value, set + best);
        }
        string skipped = state.Skipped == 0 ? "" : $"   {state.Skipped} steps skipped (not finite)";
        Row(grid, "speed", $"{Readable.Short(state.ImagesPerSecond)} images/s",
            $"gradient norm {Readable.Short(state.Last?.GradNorm ?? 0)}{skipped}");
        Row(grid, "memory", $"{Readable.Bytes(state.PeakBytes)} model",
            $"{Readable.Bytes(Environment.WorkingSet)} process");
        return new Panel(new Rows(new Markup($"[bold]{Markup.Escape(state.Header.Title)}[/]"), Bar(state), grid))
            .Header($" {Markup.Escape(state.Header.Run)} ")
            .RoundedBorder();
    }

    private static IRenderable Bar(TrainState state)
    {
        string eta = state.Remaining() is TimeSpan left ? $"ETA {Readable.Duration(left)}" : "until Ctrl-C";
        if (state.Fraction() is not double done)
            return new Markup(Markup.Escape($"{Readable.Duration(state.Elapsed)} so far, {eta}"));
        int full = (int)(done * BarCells);
        string percent = string.Create(CultureInfo.InvariantCulture, $"{done * 100,3:0} %");
        return new Markup(
            $"[green]{new string('━', full)}[/][grey]{new string('━', BarCells - full)}[/] {percent}   {eta}");
    }

    private static void Row(Grid grid, string label, string value, string note) =>
        grid.AddRow(new Markup($"[grey]{label}[/]"), new Text(value), new Markup($"[grey]{Markup.Escape(note)}[/]"));
}
