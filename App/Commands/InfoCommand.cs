using System.CommandLine;
using System.Text.Json.Nodes;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.Engine;
using GlowGpu.Kernels.Host;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using Spectre.Console;

namespace GlowGpu.App.Commands;

/// <summary><c>glow info</c>: what a checkpoint holds and what it costs.</summary>
internal static class InfoCommand
{
    private static readonly int[] Batches = [1, 16, 64, 256];

    private sealed record Result(
        string Model, JsonNode Config, int Dimensions, long Parameters, long ForwardFlopsPerImage,
            long TrainingFlopsPerImage,
        Level[] Levels, MemoryRow[] PredictedTrainingMemory);

    private sealed record Level(int[] Shape, int[] Latent, int Steps, long Parameters);

    private sealed record MemoryRow(int Batch, long StoredBytes, long? ReversibleBytes);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string> model = new("M")
        {
            HelpName = "M",
            Description = "A checkpoint file (.safetensors) or a run folder.",
        };
        Option<bool> json = Shared.Json();
        Command command = new("info",
            "Config, shapes, parameters, arithmetic and predicted memory of a model.") { model, json };
        command.SetAction(parse =>
        {
            Result result = Describe(parse.GetValue(model)!);
            if (parse.GetValue(json)) JsonOutput.Write(terminal, result);
            else Print(terminal, result);
            return 0;
        });
        return command;
    }

    private static Result Describe(string path)
    {
        FlowConfig config = ModelFile.ReadConfig(path);
        long flops = ModelCost.ForwardFlops(config);
        using HostBackend host = new(threads: 1);
        return new Result(
            path,
            JsonNode.Parse(config.ToJson())!,
            config.Dimensions,
            ModelCost.Parameters(config),
            flops,
            3 * flops,
            [.. Enumerable.Range(0, config.Levels).Select(level => LevelOf(config, level))],
            [.. Batches.Select(batch => new MemoryRow(batch,
                MemoryPrediction.Of(config, batch, MemoryMode.Stored, host.CouplingNet).Total,
                config.CanRebuild ? MemoryPrediction.Of(config, batch, MemoryMode.Reversible, host.CouplingNet).Total
                    : null))]);
    }

    private static Level LevelOf(FlowConfig config, int level)
    {
        (int h, int w, int c) = config.LevelShape(level);
        (int latentH, int latentW, int latentC) = config.LatentShape(level);
        return new Level([h, w, c], [latentH, latentW, latentC], config.Steps(level),
            ModelCost.Parameters(config, $"levels.{level}."));
    }

    private static void Print(Terminal terminal, Result result)
    {
        Table summary = new Table().RoundedBorder().HideHeaders().AddColumns("", "");
        summary.AddRow(new Text("model"), new Text(result.Model));
        foreach ((string key, JsonNode? value) in result.Config.AsObject())
            summary.AddRow(new Text(key), new Text(value?.ToJsonString().Trim('"') ?? ""));
        summary.AddRow(new Text("parameters"), new Text(Readable.Count(result.Parameters)));
        summary.AddRow(new Text("arithmetic"), new Text(
            $"{Readable.Scaled(result.ForwardFlopsPerImage, "FLOP")} an image forward or sampled, "
                + $"{Readable.Scaled(result.TrainingFlopsPerImage, "FLOP")} trained"));
        terminal.Render(summary);

        Table levels = new Table().RoundedBorder().AddColumns("level", "shape [[h,w,c]]", "steps", "latent [[h,w,c]]",
            "parameters");
        for (int i = 0; i < result.Levels.Length; i++)
        {
            Level level = result.Levels[i];
            levels.AddRow(new Text(Readable.Count(i)), Shape(level.Shape), new Text(Readable.Count(level.Steps)),
                Shape(level.Latent),
                new Text(Readable.Count(level.Parameters)));
        }
        terminal.Render(levels);

        Table memory = new Table().RoundedBorder().Title("predicted training memory on a CPU")
            .AddColumns("--batch", "--memory stored", "--memory reversible");
        foreach (MemoryRow row in result.PredictedTrainingMemory)
            memory.AddRow(Readable.Count(row.Batch), Readable.Bytes(row.StoredBytes),
                row.ReversibleBytes is long bytes ? Readable.Bytes(bytes) : "not supported");
        terminal.Render(memory);
    }

    private static Text Shape(int[] shape) => new($"[{string.Join(',', shape)}]");
}
