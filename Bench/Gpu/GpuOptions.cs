using GlowGpu.Engine;

namespace GlowGpu.Bench.Gpu;

/// <summary>Arguments of <c>bench gpu</c>.</summary>
/// <param name="Device"><c>cuda</c> or <c>opencl</c></param>
/// <param name="Quick">small shapes and few runs</param>
/// <param name="Parts">what to measure besides the ceilings</param>
/// <param name="Precisions">of products</param>
/// <param name="Folder">where the report goes</param>
internal sealed record GpuOptions(string Device, bool Quick, IReadOnlyList<string> Parts,
    IReadOnlyList<string> Precisions, string Folder)
{
    /// <summary>Every part.</summary>
    public static IReadOnlyList<string> AllParts { get; } = ["operations", "products", "steps", "pytorch", "memory"];

    /// <summary>Reads them.</summary>
    /// <exception cref="GlowException">An option or value is not known.</exception>
    public static GpuOptions Parse(string[] arguments)
    {
        GpuOptions options = new("cuda", false, AllParts, PrecisionDevice.All, Path.Combine("Bench", "Results"));
        for (int i = 0; i < arguments.Length; i++)
        {
            string option = arguments[i];
            if (option == "--quick")
            {
                options = options with { Quick = true };
                continue;
            }
            if (option is not ("--device" or "--parts" or "--precision" or "--out"))
                throw new GlowException($"gpu: '{option}' is not an option; there are --device, --quick, --parts, "
                    + "--precision and --out FOLDER");
            if (++i == arguments.Length) throw new GlowException($"gpu: {option} needs a value");
            options = option switch
            {
                "--device" => options with { Device = arguments[i] },
                "--parts" => options with { Parts = List("part", arguments[i], AllParts) },
                "--precision" => options with { Precisions = List("precision", arguments[i], PrecisionDevice.All) },
                _ => options with { Folder = arguments[i] },
            };
        }
        return options.Device is "cuda" or "opencl" ? options
            : throw new GlowException($"gpu: --device is '{options.Device}'; it must be cuda or opencl");
    }

    private static string[] List(string what, string value, IReadOnlyList<string> known)
    {
        string[] chosen = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (chosen.Length == 0)
            throw new GlowException($"gpu: a {what} is missing; there are {string.Join(", ", known)}");
        return Array.Find(chosen, c => !known.Contains(c)) is { } unknown
            ? throw new GlowException($"gpu: '{unknown}' is not a {what}; there are {string.Join(", ", known)}")
            : chosen;
    }
}
