using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary>
/// Turns the options of <c>glow train</c> into a plan: what was said, on top of a preset, a checkpoint or a run.
/// </summary>
internal sealed class TrainPlanner
{
    /// <summary>The options that have a place in the plan.</summary>
    public PlanOption[] Arguments { get; } = TrainArguments.Create();

    /// <summary><c>--preset</c>.</summary>
    public Option<string?> Preset { get; } = Value.Choice("--preset",
        Presets.Help + " [tiny for the demo set, else cifar10]", null, Presets.Names);

    /// <summary><c>--init M</c>.</summary>
    public Option<string?> Init { get; } = Value.Path("--init", "M",
        "Start from the weights and with the shape of a checkpoint file or run folder.");

    /// <summary><c>--resume</c>.</summary>
    public Option<bool> Resume { get; } = Value.Flag("--resume",
        "Continue the run in --out, bit for bit; everything but --epochs, --steps and --minutes comes from its "
            + "config.json.");

    /// <summary><c>--out RUN</c>.</summary>
    public Option<string?> Output { get; } = Value.Path("--out", "RUN",
        "Run folder [runs/NAME-OF-DATA, or the next free number].");

    /// <summary>The plan of a new run.</summary>
    public TrainPlan New(ParseResult parse)
    {
        string? data = parse.GetValue<string?>("--data");
        string preset = parse.GetValue(Preset) ?? (data is null or "demo" ? "tiny" : "cifar10");
        TrainPlan plan = Presets.Get(preset, parse.GetValue<string?>("--model-family"));
        // A limit of the user's replaces that of the preset.
        if (Arguments.Any(a => IsStop(a) && parse.IsGiven(a.Option)))
            plan = plan.With(static t => t with { Epochs = null, Steps = null, Minutes = null });
        if (parse.GetValue(Init) is string init)
        {
            FlowConfig config = ModelFile.ReadConfig(init);
            plan = plan with
            {
                Model = config,
                Classes = Readable.Whole(config.Classes),
                ImageSize = config.Height == config.ImageWidth ? config.Height : null,
            };
            Refuse(parse, plan, static part => part == PlanPart.Shape,
                (option, given, made) =>
                    $"{given}, but the model {init} was made {made}; leave {option} out or start without --init");
        }
        foreach (PlanOption argument in Arguments) plan = argument.Apply(parse, plan);
        CheckFamily(parse, plan);
        if (plan.Data is null)
            throw new UsageException(
                $"--preset {preset} needs --data D; its images are not distributed with a name of their own");
        return plan;
    }

    /// <summary>The plan of a run that is resumed: its own, with new limits.</summary>
    public TrainPlan Continued(ParseResult parse)
    {
        if (parse.GetValue(Output) is not string run)
            throw new UsageException("--resume needs --out RUN; it continues the run in that folder");
        if (parse.IsGiven(Init))
            throw new UsageException(
                "--init is given with --resume; a run is either continued or started from a model");
        if (parse.IsGiven(Preset))
            throw new UsageException("--preset is given with --resume; the run's own config.json decides");
        TrainPlan plan = TrainPlan.Of(RunFolder.Create(run, resume: true).ReadConfig()
            ?? throw new GlowException($"{run}: holds no run to continue; leave out --resume to start one"), run);
        CheckFamily(parse, plan);
        Refuse(parse, plan, static part => part != PlanPart.Free,
            (option, given, started) =>
                $"{given}, but the run in {run} was started {started}; leave {option} out or start a new run");
        if (Arguments.Any(a => IsStop(a) && parse.IsGiven(a.Option)))
            plan = plan.With(static t => t with { Epochs = null, Steps = null, Minutes = null });
        foreach (PlanOption argument in Arguments.Where(static a => a.Part == PlanPart.Free)) plan = argument.Apply(
            parse, plan);
        return plan;
    }

    private void CheckFamily(ParseResult parse, TrainPlan plan)
    {
        string family = plan.Model.Family;
        foreach (PlanOption argument in Arguments)
        {
            if (argument.Family is string only && only != family && parse.IsGiven(argument.Option))
                throw new UsageException($"{argument.Option.Name} is given, but the model is of family {family}; "
                    + $"leave it out, it is for {only} only");
        }
        if (plan.Memory == "reversible" && !plan.Model.CanRebuild)
            throw new UsageException($"--memory is reversible, but the layers of a {family} model are not rebuilt "
                + "from their outputs; it must be auto or stored");
    }

    private static bool IsStop(PlanOption argument) => argument.Option.Name is "--epochs" or "--steps" or "--minutes";

    private void Refuse(ParseResult parse, TrainPlan plan, Func<PlanPart, bool> isFixed,
        Func<string, string, string, string> sentence)
    {
        foreach (PlanOption argument in Arguments.Where(a => isFixed(a.Part)))
        {
            if (argument.Contradiction(parse, plan) is (string given, string has))
                throw new UsageException(sentence(argument.Option.Name, given, has));
        }
    }
}
