using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow train</c>: a new run, or the continuation of one.</summary>
internal static class TrainCommand
{
    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        TrainPlanner planner = new();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("train",
            "Train a model. Without options: the tiny preset on the demo set, a few minutes on a plain CPU. "
            + "Values in brackets are the defaults for any other data: the published CIFAR-10 run.")
        {
            planner.Output, planner.Preset, planner.Init, planner.Resume,
        };
        foreach (PlanOption argument in planner.Arguments) command.Add(argument.Option);
        device.AddTo(command, graphs: true);
        command.Add(json);
        command.SetAction(parse =>
        {
            bool resume = parse.GetValue(planner.Resume);
            TrainPlan plan = resume ? planner.Continued(parse) : planner.New(parse);
            string folder = parse.GetValue(planner.Output)
                ?? OutputPath.Free(Path.Combine("runs", TrainPlan.NameOf(plan.Data!)));
            using Device on = plan.Precision is Precision kept ? device.OpenAgain(parse, kept, folder, terminal)
                : device.Open(parse, terminal);
            TrainSummary summary = Run(plan, folder, resume, parse.GetValue(planner.Init), on, terminal);
            if (parse.GetValue(json)) JsonOutput.Write(terminal, summary);
            else summary.Print(terminal);
            return 0;
        });
        return command;
    }

    private static TrainSummary Run(TrainPlan plan, string folder, bool resume, string? init,
        Device device, Terminal terminal)
    {
        // A folder that is in use already is refused before data is fetched and hashed; a new one is made once there
        // is something to put in.
        if (Path.Exists(folder)) RunFolder.Create(folder, resume);
        TrainData data = TrainData.Open(plan, terminal);
        FlowConfig config = data.Config;
        TrainOptions options = plan.Options(device, data);
        using FlowModel model = init is null ? config.Create(device, options.Seed) : ModelFile.Load(init, device);
        RunFolder run = RunFolder.Create(folder, resume);
        TrainObserver observer = new();
        using Trainer trainer = new(model, data.Train, data.Validation, options, run, observer, resume);
        TrainHeader header = new(
            folder,
            $"{config.Family}, L={config.Levels} K={config.Depth} width {config.Width}, {Readable.Count(model.Parameters.Count)} parameters, {device.Name}{(device.Precision == Precision.Fp32 ? "" : $", {DeviceFactory.Word(device.Precision)}")}",
            Readable.Set(data.Train.Name, data.Train.Hash),
            data.Validation is null ? null : Readable.Set(data.Validation.Name, data.Validation.Hash),
            trainer.TotalSteps,
            options.Minutes,
            () => MemoryPrediction.Of(config, 0, options.Memory, device.Backend.CouplingNet, options.PolyakEpochs > 0)
                .Parameters + device.Arena.Bytes);
        ITrainView view = terminal.Live is { } live ? new LiveDisplay(live) : new PlainLog(terminal);
        TrainState state = new(header, trainer.StartStep);
        observer.Begin(view, state);
        Announce(terminal, header, plan, options, trainer, data, device);
        TrainOutcome? outcome = null;
        view.Show(() => outcome = trainer.Run(terminal.Stop));
        return TrainSummary.Of(run, outcome!, data, observer.Samples, model.Parameters.Count);
    }

    private static void Announce(Terminal terminal, TrainHeader header, TrainPlan plan, TrainOptions options,
        Trainer trainer, TrainData data, Device device)
    {
        terminal.Log($"{(trainer.StartStep > 0 ? $"continuing at step {Readable.Count(trainer.StartStep)} in" : "training in")} {header.Run}: {header.Title}");
        terminal.Log($"{Readable.Count(data.Train.Count)} images of {header.Train}"
            + (data.Validation is null ? ", no validation"
            : $", validated on {Readable.Count(data.Validation.Count)} of {header.Validation}"));
        int batch = Math.Min(options.Batch, data.Train.Count);
        MemoryPrediction memory = MemoryPrediction.Of(data.Config, batch, options.Memory, device.Backend.CouplingNet,
            options.PolyakEpochs > 0);
        terminal.Log($"batch {Readable.Count(batch)}{(batch < options.Batch ? $" (every image: there are fewer than {Readable.Count(options.Batch)})" : "")}, predicted memory {Readable.Bytes(memory.Total)} (--memory {TrainPlan.Name(options.Memory)}), "
            + (trainer.TotalSteps is long steps ? $"{Readable.Count(steps)} steps" : options.Minutes is double minutes
            ? $"{Readable.Exact(minutes)} minutes" : "until Ctrl-C"));
    }
}
