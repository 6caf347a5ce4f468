using System.CommandLine;
using GlowGpu.Model;

namespace GlowGpu.App.Options;

/// <summary>Options that several verbs have, defined once.</summary>
internal static class Shared
{
    /// <summary><c>--model M</c>.</summary>
    public static Option<string?> ModelPath() => Value.Path("--model", "M",
        "A checkpoint file (.safetensors) or a run folder.", required: true);

    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() => Value.Flag("--json",
        "Print one JSON object on standard output and nothing else there.");

    /// <summary><c>--seed S</c>.</summary>
    public static Option<ulong> Seed(string description) => Value.NumberOr<ulong>("--seed", "S", description, 0, 0,
        null);

    /// <summary><c>--batch N</c> of verbs that do not train.</summary>
    public static Option<int> Batch() => Value.NumberOr("--batch", "N",
        "Images at a time; matters for memory and speed only.", 32, 1, 65536);

    /// <summary><c>--temperature T</c>.</summary>
    public static Option<double> Temperature() => Value.NumberOr("--temperature", "T",
        "Standard deviation of the latents; below 1 gives cleaner, less varied images.", 0.7, 0, 10.0);

    /// <summary><c>--columns N</c>.</summary>
    public static Option<int?> Columns() => Value.Number<int>("--columns", "N",
        "Images in a row of a PNG grid.", 1, 10000);

    /// <summary><c>--dequantize uniform|center</c>.</summary>
    public static Option<string?> Dequantize(Dequantization standard) => Value.Choice("--dequantize",
        "Noise within a byte's bin: uniform as in the paper, or center (u = 0.5, deterministic).",
        Name(standard), Name(Dequantization.Uniform), Name(Dequantization.Center));

    /// <summary>Reads the value of <see cref="Dequantize"/>.</summary>
    public static Dequantization DequantizationOf(string? word) =>
        word == Name(Dequantization.Center) ? Dequantization.Center : Dequantization.Uniform;

    /// <summary>The word for a way of dequantising.</summary>
    public static string Name(Dequantization mode) => mode == Dequantization.Center ? "center" : "uniform";
}
