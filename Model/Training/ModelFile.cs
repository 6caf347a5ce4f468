using System.Globalization;
using GlowGpu.Engine;

namespace GlowGpu.Model.Training;

/// <summary>
/// Reads and writes a model as one safetensors checkpoint: every parameter and fixed tensor under its name, and in
/// the metadata
/// <c>config</c> (JSON), <c>initialized</c> (whether the data-dependent initialisation has run) and <c>step</c>.
/// </summary>
public static class ModelFile
{
    private const string ConfigKey = "config";
    private const string InitializedKey = "initialized";

    /// <summary>
    /// The checkpoint that a path means: the file itself, or of a run folder <c>best.safetensors</c>, else
    /// <c>model.safetensors</c>.
    /// </summary>
    /// <exception cref="GlowException">There is nothing of that kind.</exception>
    public static string Resolve(string path)
    {
        if (!Directory.Exists(path))
            return File.Exists(path) ? path
                : throw new GlowException($"{path}: there is no such checkpoint or run folder");
        string best = Path.Combine(path, RunFolder.BestFile), model = Path.Combine(path, RunFolder.ModelFile);
        return File.Exists(best) ? best
            : File.Exists(model) ? model
            : throw new GlowException($"{path}: holds neither {RunFolder.BestFile} nor {RunFolder.ModelFile}; a run "
            + "folder or a checkpoint file is needed");
    }

    /// <summary>Config of a checkpoint file or run folder, without loading its tensors.</summary>
    /// <exception cref="GlowException">There is no such checkpoint, or it carries no readable config.</exception>
    public static FlowConfig ReadConfig(string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(Resolve(path));
        return ReadConfig(reader);
    }

    /// <summary>
    /// All metadata of a checkpoint file or run folder: what it was trained on, its step, its bits/dim.
    /// </summary>
    /// <exception cref="GlowException">There is no such checkpoint.</exception>
    public static IReadOnlyDictionary<string, string> ReadMetadata(string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(Resolve(path));
        return reader.Metadata;
    }

    /// <summary>
    /// Loads a checkpoint file, or of a run folder the Polyak average in <c>best.safetensors</c> (else
    /// <c>model.safetensors</c>).
    /// </summary>
    /// <exception cref="GlowException">The checkpoint is not there, not whole, or its tensors are not those of its
    /// config.</exception>
    public static FlowModel Load(string path, Device device)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(Resolve(path));
        FlowConfig config = ReadConfig(reader);
        // Before anything is allocated: the config may ask for a model far larger than the file.
        CheckTensors(reader, config);
        FlowModel model = config.Create(device, seed: 0);
        try
        {
            Fill(reader, model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
        return model;
    }

    /// <summary>Overwrites parameters and fixed tensors of a model of the same config.</summary>
    /// <exception cref="GlowException">The checkpoint is not there, not whole, or of another config.</exception>
    public static void LoadInto(FlowModel model, string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        string stored = ReadConfig(reader).ToJson(), own = model.Config.ToJson();
        if (stored != own)
            throw new GlowException($"{path}: is a model of config {stored}; the one to be filled has {own}");
        CheckTensors(reader, model.Config);
        Fill(reader, model);
    }

    /// <summary>Writes a checkpoint in one step.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void Save(FlowModel model, string path, long step,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        SafeTensorsWriter writer = Writer(model, metadata);
        writer.Metadata[Checkpoint.StepKey] = step.ToString(CultureInfo.InvariantCulture);
        writer.Save(path);
    }

    /// <summary>Opens a Glow's checkpoint file or run folder whose tensors are those of its config.</summary>
    /// <exception cref="GlowException">
    /// The checkpoint is not there, not whole, of another family, or its tensors are not those of its config.
    /// </exception>
    internal static SafeTensorsReader OpenChecked(string path, out GlowConfig config, out bool initialized)
    {
        SafeTensorsReader reader = SafeTensorsReader.Open(Resolve(path));
        try
        {
            config = ReadConfig(reader) switch
            {
                GlowConfig glow => glow,
                FlowConfig other => throw new GlowException(
                    $"{path}: is a model of the family {other.Family}; a Glow is needed here"),
            };
            CheckTensors(reader, config);
            foreach ((string name, _, bool integer) in GlowParameters.ConstantLayout(config))
            {
                if (integer) ReadOrder(reader, name);
                else ReadSigns(reader, name);
            }
        }
        catch
        {
            reader.Dispose();
            throw;
        }
        initialized = reader.Metadata.GetValueOrDefault(InitializedKey) != "false";
        return reader;
    }

    /// <summary>
    /// Writes a checkpoint of tensors that lie in host arrays (<c>float[]</c>, <c>int[]</c>), by name, in one step.
    /// </summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    internal static void Save(GlowConfig config, bool initialized, IReadOnlyDictionary<string, Array> tensors,
        string path,
        IReadOnlyDictionary<string, string> metadata)
    {
        SafeTensorsWriter writer = new();
        foreach ((string key, string value) in metadata) writer.Metadata[key] = value;
        writer.Metadata[ConfigKey] = config.ToJson();
        writer.Metadata[InitializedKey] = initialized ? "true" : "false";
        writer.Metadata[Checkpoint.StepKey] = "0";
        foreach ((string name, int[] shape) in GlowParameters.Layout(config)) writer.Add(name, shape,
            (float[])tensors[name]);
        foreach ((string name, int length, bool integer) in GlowParameters.ConstantLayout(config))
        {
            if (integer) writer.Add(name, [length], (int[])tensors[name]);
            else writer.Add(name, [length], (float[])tensors[name]);
        }
        writer.Save(path);
    }

    /// <summary>The tensors and metadata of a checkpoint; values are read from the device when it is written.</summary>
    internal static SafeTensorsWriter Writer(FlowModel model, IReadOnlyDictionary<string, string>? metadata)
    {
        SafeTensorsWriter writer = new();
        foreach ((string key, string value) in metadata
            ?? new Dictionary<string, string>()) writer.Metadata[key] = value;
        writer.Metadata[ConfigKey] = model.Config.ToJson();
        writer.Metadata[InitializedKey] = model.Initialized ? "true" : "false";
        foreach (Parameter p in model.Parameters.All) writer.Add(p.Name, p.Shape, model.Parameters.Value(p.Name));
        foreach ((string name, Array values) in model.Constants)
        {
            if (values is int[] integers) writer.Add(name, [integers.Length], integers);
            else writer.Add(name, [values.Length], (float[])values);
        }
        return writer;
    }

    private static FlowConfig ReadConfig(SafeTensorsReader reader)
    {
        string json = reader.Metadata.GetValueOrDefault(ConfigKey)
            ?? throw new GlowException(
            $"{reader.Path}: has no __metadata__.config; a checkpoint of glow train is needed");
        try
        {
            return FlowConfig.FromJson(json);
        }
        catch (GlowException e)
        {
            throw new GlowException($"{reader.Path}: {e.Message}", e);
        }
    }

    private static void CheckTensors(SafeTensorsReader reader, FlowConfig config)
    {
        HashSet<string> expected = [];
        foreach ((string name, int[] shape) in config.Layout())
        {
            Check(name, shape);
            if (reader.Find(name)!.Type is not (TensorType.F32 or TensorType.F64 or TensorType.F16 or TensorType.BF16))
                throw new GlowException(
                    $"{reader.Path}: tensor '{name}' is {reader.Find(name)!.Type}; a floating-point type is needed");
        }
        foreach ((string name, int length, _) in config.ConstantLayout()) Check(name, [length]);
        if (reader.Tensors.FirstOrDefault(t => !expected.Contains(t.Name)) is { } extra)
            throw new GlowException(
                $"{reader.Path}: holds a tensor '{extra.Name}' that a model of its config does not have");

        void Check(string name, int[] shape)
        {
            expected.Add(name);
            TensorEntry tensor = reader.Find(name)
                ?? throw new GlowException(
                $"{reader.Path}: lacks the tensor '{name}' [{string.Join(",", shape)}] that its config asks for");
            if (!tensor.HasShape(shape))
                throw new GlowException(
                    $"{reader.Path}: tensor '{name}' is [{string.Join(",", tensor.Shape)}]; its config asks for "
                        + $"[{string.Join(",", shape)}]");
        }
    }

    private static void Fill(SafeTensorsReader reader, FlowModel model)
    {
        foreach (Parameter p in model.Parameters.All) model.Parameters.Value(p.Name).Write(reader.ReadFloats(p.Name));
        foreach ((string name, _, bool integer) in model.Config.ConstantLayout())
        {
            if (integer) model.SetConstant(name, ReadOrder(reader, name));
            else model.SetConstant(name, ReadSigns(reader, name));
        }
        model.Parameters.Touch();
        // Checkpoints of other programs do not say; their weights are meant to be used as they are.
        model.Initialized = reader.Metadata.GetValueOrDefault(InitializedKey) != "false";
    }

    private static int[] ReadOrder(SafeTensorsReader reader, string name)
    {
        int[] order = reader.ReadInts(name);
        bool[] seen = new bool[order.Length];
        foreach (int i in order)
        {
            if (i < 0 || i >= order.Length || seen[i])
                throw new GlowException($"{reader.Path}: tensor '{name}' is not an order of 0 to {order.Length - 1} "
                    + $"({i} is out of place)");
            seen[i] = true;
        }
        return order;
    }

    private static float[] ReadSigns(SafeTensorsReader reader, string name)
    {
        float[] signs = reader.ReadFloats(name);
        if (signs.Any(static s => s is not (1 or -1)))
            throw new GlowException($"{reader.Path}: tensor '{name}' holds "
                + $"{signs.First(static s => s is not (1 or -1))}; every sign must be 1 or -1");
        return signs;
    }
}
