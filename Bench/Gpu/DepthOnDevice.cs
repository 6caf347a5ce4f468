using GlowGpu.Bench.Steps;
using GlowGpu.Engine;
using GlowGpu.Model;

namespace GlowGpu.Bench.Gpu;

/// <summary>Device memory of training against depth, in both memory modes.</summary>
internal static class DepthOnDevice
{
    /// <summary>
    /// Measures a case at each depth; where no driver tells what is free, the peak is what was counted: weights and
    /// arena.
    /// </summary>
    public static List<DepthMemoryResult> Measure(string kind, StepCase what, IEnumerable<int> depths,
        List<string> failures, TextWriter log)
    {
        List<DepthMemoryResult> results = [];
        foreach (int depth in depths)
        {
            StepCase at = what with { Name = "memory", Depth = depth };
            log.WriteLine($"memory: {at}");
            Dictionary<string, double> bits = [];
            foreach (MemoryMode memory in (MemoryMode[])[MemoryMode.Stored, MemoryMode.Reversible])
            {
                string name = memory == MemoryMode.Stored ? "stored" : "reversible";
                try
                {
                    using Device device = PrecisionDevice.Open(kind, PrecisionDevice.Single);
                    long? before = DeviceMemory.FreeBytes(device);
                    using TrainingStep step = new(at, device);
                    // The second step meets the memory of the first.
                    for (int i = 0; i < 2; i++) bits[name] = step.Run(memory).BitsPerDim;
                    double weights = step.ParameterBytes + Packed(device, at);
                    results.Add(new DepthMemoryResult(depth, name, before - DeviceMemory.FreeBytes(device)
                        ?? weights + step.ArenaBytes, weights, step.ArenaBytes));
                }
                catch (OutOfMemoryException e)
                {
                    log.WriteLine($"memory: K = {depth}, {name}: {e.Message}");
                }
                catch (Exception e) when (Failures.CanBeReported(e))
                {
                    failures.Add($"{at}, {name}: {e.Message}");
                }
            }
            if (bits.Count == 2 && Math.Abs(bits["stored"] - bits["reversible"]) > 1e-2)
                failures.Add($"{at}: after a step stored gives {bits["stored"]} bits/dim and reversible "
                    + $"{bits["reversible"]}; they must agree");
        }
        return results;
    }

    private static double Packed(Device device, StepCase what) => Enumerable.Range(0, what.Levels)
        .Sum(level => (double)what.Depth * sizeof(float) * device.Backend.CouplingNet.PackedLength(
        GlowParameters.Network(what.Config, level), what.Image(level)));
}
