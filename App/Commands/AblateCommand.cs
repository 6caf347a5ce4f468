using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Plots;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow ablate</c>: figure 3 of the paper on any data.</summary>
internal static class AblateCommand
{
    // What the six variants or the comparison itself decide.
    private static readonly string[] Decided =
    [
        "--permutation", "--coupling", "--seed", "--steps", "--epochs", "--minutes", "--data", "--model-family",
        "--blocks", "--hidden", "--prior",
    ];

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        PlanOption[] arguments = [.. TrainArguments.Create().Where(static a => !Decided.Contains(a.Option.Name))];
        Option<string?> data = DataChoice.Source(required: true);
        Option<long> steps = Value.NumberOr<long>("--steps", "N", "Steps that every variant is trained for.", 0, 1,
            null);
        steps.DefaultValueFactory = null;
        steps.Required = true;
        Option<ulong[]?> seeds = Value.List<ulong>("--seeds", "S1,S2,…",
            "Seeds; every variant is trained with each. [0]", 0);
        Option<string?> preset = Value.Choice("--preset", Presets.Help + " [tiny for the demo set, else cifar10]",
            null, Presets.Names);
        Option<string?> output = Value.Path("--out", "DIR",
            "Folder for a run of each variant and seed, and ablation.md, .json and .png.", required: true);
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("ablate", "Train {reverse, shuffle, invconv} × {additive, affine} from the same seed "
            + "and in the same data order, as in figure 3 of the paper. "
            + "Given again, the same command keeps finished runs and continues where it stopped.") { data, steps,
            seeds, output, preset };
        foreach (PlanOption argument in arguments) command.Add(argument.Option);
        device.AddTo(command, graphs: true);
        command.Add(json);
        command.SetAction(parse =>
        {
            string set = parse.GetValue(data)!, folder = parse.GetValue(output)!;
            if (File.Exists(folder))
                throw new UsageException($"--out is '{folder}', which is a file; a folder is needed");
            ulong[] each = [.. (parse.Listed(seeds) ?? [0]).Distinct()];
            TrainPlan plan = Presets.Get(parse.GetValue(preset)
                ?? (set == "demo" ? "tiny" : "cifar10")) with
            { Data = set };
            foreach (PlanOption argument in arguments) plan = argument.Apply(parse, plan);
            plan = plan.With(t =>
                t with { Steps = parse.GetValue(steps), Epochs = null, Minutes = null, Seed = each[0] });
            TrainData images = TrainData.Open(plan, terminal);
            using Device on = device.Open(parse, terminal);
            TrainOptions options = plan.Options(on, images);
            return Run(new Ablation((GlowConfig)images.Config, options, images.Train, images.Validation, folder),
                images, options, each, folder, on, parse.GetValue(json), terminal);
        });
        return command;
    }

    private static int Run(Ablation ablation, TrainData images, TrainOptions options, ulong[] seeds, string folder,
        Device device, bool json, Terminal terminal)
    {
        List<AblationRun> runs = [];
        int count = AblationVariant.All.Count * seeds.Length;
        foreach (AblationVariant variant in AblationVariant.All)
        {
            foreach (ulong seed in seeds)
            {
                AblationRun run = ablation.Run(variant, seed, device, new Messages(terminal), terminal.Stop)
                    ?? throw new GlowException($"stopped in {ablation.FolderOf(variant, seed)}, run "
                    + $"{runs.Count + 1} of {count}; the same command continues there");
                runs.Add(run);
                terminal.Log($"run {runs.Count} of {count}, {variant.Name} seed {seed}: "
                    + $"{Readable.Bits(run.Metrics.LastTenth)} bits/dim on "
                    + $"{Readable.Set(images.Train.Name, images.Train.Hash)} after "
                    + $"{Readable.Count(options.Steps!.Value)} steps");
            }
        }
        AblationReport report = new(folder, options.Steps!.Value, seeds, images.Train.Name, images.Train.Hash,
            images.Validation?.Name, images.Validation?.Hash, AblationReport.RowsOf(runs));
        if (AblationPlot.Draw(Path.Combine(folder, "ablation.png"), runs) is { } lacks) terminal.Log(lacks);
        string settings = $"L={images.Config.Levels}, K={images.Config.Depth}, width {images.Config.Width}, "
            + $"{images.Config.NBits} bits, batch {options.Batch}, "
            + $"{options.Optimizer} at {Readable.Exact(options.LearningRate)}, warm-up "
            + $"{Readable.Exact(options.WarmupEpochs)} epochs; {device.Name}.";
        AtomicFile.WriteText(Path.Combine(folder, "ablation.md"), report.Markdown(settings, "ablation.png"));
        AtomicFile.WriteText(Path.Combine(folder, "ablation.json"), JsonOutput.Text(report) + "\n");
        if (json) JsonOutput.Write(terminal, report);
        else terminal.Out.Write(report.Markdown(settings, Path.Combine(folder, "ablation.png")));
        return 0;
    }

    // Six or more runs: a line a run is enough, and whatever went wrong.
    private sealed class Messages(Terminal terminal) : ITrainObserver
    {
        public void OnStep(StepMetrics step) { }

        public void OnValidation(ValidationMetrics validation) { }

        public void OnSamples(string path) { }

        public void OnSaved(string path) { }

        public void OnMessage(string message) => terminal.Log(message);
    }
}
