using System.Globalization;
using System.Text;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Console;

/// <summary>A training's numbers as plain lines.</summary>
internal static class Lines
{
    /// <summary>One line on the latest step.</summary>
    public static string Step(TrainState state)
    {
        StepMetrics step = state.Last!;
        StringBuilder line = new();
        line.Append(CultureInfo.InvariantCulture, $"step {StepOf(state)}  epoch {step.Epoch:0.00}  ");
        if (step.Skipped) line.Append("SKIPPED: loss or gradient not finite  ");
        line.Append(CultureInfo.InvariantCulture,
            $"train {Readable.Bits(state.BitsPerDim)} bits/dim on {state.Header.Train}  ");
        line.Append(CultureInfo.InvariantCulture,
            $"grad norm {Readable.Short(step.GradNorm)}  {Readable.Short(state.ImagesPerSecond)} images/s  ");
        if (state.Remaining() is TimeSpan left) line.Append(CultureInfo.InvariantCulture,
            $"ETA {Readable.Duration(left)}  ");
        line.Append(Memory(state));
        return line.ToString();
    }

    /// <summary>One line on a validation.</summary>
    public static string Validation(TrainState state, ValidationMetrics validation) => string.Create(
        CultureInfo.InvariantCulture,
        $"step {validation.Step}  epoch {validation.Epoch:0.00}  validation "
            + $"{Readable.Bits(validation.ValidationBitsPerDim)} bits/dim on "
        + $"{state.Header.Validation}, {Readable.Count(validation.Images)} "
        + $"images{(validation.Best ? ", the best so far" : "")}");

    /// <summary>120/1,000, or 120 when no number of steps is planned.</summary>
    public static string StepOf(TrainState state) => Readable.Count(state.Last?.Step ?? 0)
        + (state.Header.TotalSteps is long total ? "/" + Readable.Count(total) : "");

    /// <summary>Memory of device and process.</summary>
    public static string Memory(TrainState state) =>
        $"memory {Readable.Bytes(state.PeakBytes)} model, {Readable.Bytes(Environment.WorkingSet)} process";
}
