using System.CommandLine;
using System.Globalization;
using GlowGpu.App.Options;

namespace GlowGpu.App.Commands;

/// <summary>What a training option decides, and so where it may be given again.</summary>
internal enum PlanPart
{
    /// <summary>The model's shape: fixed by a checkpoint.</summary>
    Shape,

    /// <summary>Data and recipe: fixed by a run.</summary>
    Run,

    /// <summary>
    /// When to stop or write, and where data lies: free even when a run is resumed, since no number depends on it.
    /// </summary>
    Free,
}

/// <summary>An option of <c>glow train</c> together with the place it has in a <see cref="TrainPlan"/>.</summary>
internal abstract class PlanOption(PlanPart part)
{
    /// <summary>What it decides.</summary>
    public PlanPart Part { get; } = part;

    /// <summary>The one family of models that the option applies to, or null for all.</summary>
    public string? Family { get; private set; }

    /// <summary>The same, for one family of models only.</summary>
    public PlanOption For(string family)
    {
        Family = family;
        return this;
    }

    /// <summary>The option itself.</summary>
    public abstract Option Option { get; }

    /// <summary>The plan with the option's value in place, if given.</summary>
    public abstract TrainPlan Apply(ParseResult parse, TrainPlan plan);

    /// <summary>
    /// When the option is given and says otherwise than a plan: both in words, e.g. <c>--batch is 16</c> and <c>with
    /// 8</c>.
    /// </summary>
    public abstract (string Given, string Fixed)? Contradiction(ParseResult parse, TrainPlan plan);
}

/// <inheritdoc/>
/// <param name="option">the option</param>
/// <param name="part">what it decides</param>
/// <param name="get">its place in a plan</param>
/// <param name="set">puts a value there</param>
internal sealed class PlanOption<T>(
    Option<T> option, PlanPart part, Func<TrainPlan, object?> get, Func<TrainPlan, T, TrainPlan> set) : PlanOption(part)
{
    /// <inheritdoc/>
    public override Option Option => option;

    /// <inheritdoc/>
    public override TrainPlan Apply(ParseResult parse, TrainPlan plan) =>
        parse.IsGiven(option) ? set(plan, parse.GetValue(option)!) : plan;

    /// <inheritdoc/>
    public override (string Given, string Fixed)? Contradiction(ParseResult parse, TrainPlan plan)
    {
        string fixedTo = Words(get(plan));
        string given = Words(get(Apply(parse, plan)));
        // "auto" fits whatever was decided.
        if (given == fixedTo || given == "auto") return null;
        return typeof(T) == typeof(bool) ? ($"{option.Name} is given", "without it") : ($"{option.Name} is {given}",
            $"with {fixedTo}");
    }

    private static string Words(object? value) => value switch
    {
        null => "not set",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
