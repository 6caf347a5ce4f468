using System.Globalization;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Training;

/// <summary>
/// Where a run stands besides its weights: with the optimizer's buffers everything that a resumed run needs to go on
/// bit for bit.
/// </summary>
internal sealed record TrainingState
{
    /// <summary>Steps done, skipped ones included; also the number of the next batch in the data order.</summary>
    public long Step { get; init; }

    /// <summary>Updates done: steps less skipped ones.</summary>
    public long Updates { get; init; }

    /// <summary>Next unused block of the dequantisation noise.</summary>
    public ulong NoiseCounter { get; init; }

    /// <summary>Steps skipped in a row up to now.</summary>
    public int SkippedInRow { get; init; }

    /// <summary>Best validation so far.</summary>
    public double? BestBitsPerDim { get; init; }

    /// <summary>Step of the last validation; −1 before the first.</summary>
    public long ValidatedStep { get; init; } = -1;

    /// <summary>Tensors and metadata of <c>state.safetensors</c>.</summary>
    public SafeTensorsWriter Writer(FlowModel model, IOptimizer optimizer, double epoch)
    {
        SafeTensorsWriter writer = new();
        foreach ((string name, View view) in optimizer.State)
        {
            foreach (Parameter p in model.Parameters.All)
                writer.Add($"{name}.{p.Name}", p.Shape, View.Dense(view.Buffer, view.Offset + p.Offset, 1, p.Count));
        }
        writer.Metadata["optimizer"] = optimizer.Name;
        Set("epoch", epoch);
        Set("updates", Updates);
        Set("next_batch", Step);
        Set("noise_counter", NoiseCounter);
        Set("skipped_in_row", SkippedInRow);
        Set("validated_step", ValidatedStep);
        if (BestBitsPerDim is double best) Set("best_bits_per_dim", best);
        return writer;

        void Set(string key, IFormattable value) => writer.Metadata[key] = value.ToString(null,
            CultureInfo.InvariantCulture);
    }

    /// <summary>Reads a state file and fills the optimizer's buffers.</summary>
    /// <exception cref="GlowException">The file is not the state of this model and optimizer.</exception>
    public static TrainingState Load(string path, FlowModel model, IOptimizer optimizer)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        if (Get("optimizer") != optimizer.Name)
            throw new GlowException($"{path}: is the state of the optimizer {Get("optimizer")}, not {optimizer.Name}");
        foreach ((string name, View view) in optimizer.State)
        {
            foreach (Parameter p in model.Parameters.All)
            {
                string key = $"{name}.{p.Name}";
                if (reader.Find(key) is not { Type: TensorType.F32 } tensor || !tensor.HasShape(p.Shape))
                    throw new GlowException($"{path}: tensor '{key}' is missing or not F32 "
                        + $"[{string.Join(",", p.Shape)}]; the state of this model is needed");
                view.Buffer.Write(view.Offset + p.Offset, reader.ReadFloats(key));
            }
        }
        TrainingState state = new()
        {
            Step = Parse<long>(Checkpoint.StepKey),
            Updates = Parse<long>("updates"),
            NoiseCounter = Parse<ulong>("noise_counter"),
            SkippedInRow = Parse<int>("skipped_in_row"),
            ValidatedStep = Parse<long>("validated_step"),
            BestBitsPerDim = reader.Metadata.ContainsKey("best_bits_per_dim") ? Parse<double>("best_bits_per_dim")
                : null,
        };
        optimizer.Resume(state.Updates);
        return state;

        string Get(string key) => reader.Metadata.GetValueOrDefault(key)
            ?? throw new GlowException($"{path}: has no __metadata__.{key}; the state of a run is needed");

        T Parse<T>(string key) where T : IParsable<T> => T.TryParse(Get(key), CultureInfo.InvariantCulture,
            out T? value)
            ? value
            : throw new GlowException($"{path}: __metadata__.{key} is '{Get(key)}'; a number is needed");
    }
}
