using System.Globalization;
using GlowGpu.Engine;

namespace GlowGpu.Model.Training;

/// <summary>
/// A run folder: <c>model.safetensors</c>, <c>best.safetensors</c>, <c>state.safetensors</c>, <c>metrics.jsonl</c>,
/// <c>config.json</c>, <c>samples/step-NNNNNN.png</c>, and of model and state the generation before
/// (<see cref="Engine.Checkpoint"/>).
/// </summary>
public sealed class RunFolder
{
    /// <summary>Name of the file with the weights that training continues from.</summary>
    public const string ModelFile = "model.safetensors";

    /// <summary>Name of the file with the weights to use: the Polyak average at the best validation.</summary>
    public const string BestFile = "best.safetensors";

    private RunFolder(string path)
    {
        Path = path;
        Checkpoint = new Checkpoint(path);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Model and state, to train on from.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>The best weights so far.</summary>
    public string BestPath => System.IO.Path.Combine(Path, BestFile);

    /// <summary>One JSON object per step.</summary>
    public string MetricsPath => System.IO.Path.Combine(Path, "metrics.jsonl");

    /// <summary>Model, options and data of the run.</summary>
    public string ConfigPath => System.IO.Path.Combine(Path, "config.json");

    /// <summary>The sample grid of a step.</summary>
    public string SamplePath(long step) =>
        System.IO.Path.Combine(Path, "samples", string.Create(CultureInfo.InvariantCulture, $"step-{step:D6}.png"));

    /// <summary>
    /// Creates the folder if need be. A new run refuses a folder that already holds one, unless resuming.
    /// </summary>
    /// <exception cref="GlowException">The folder holds a run and a new one is wanted, or the other way
    /// round.</exception>
    public static RunFolder Create(string path, bool resume)
    {
        RunFolder run = new(path);
        if (File.Exists(path)) throw new GlowException($"{path}: is a file; a run needs a folder");
        // A run that was killed before its first checkpoint left only its config: it may be resumed and may be
        // started over.
        bool trained = File.Exists(run.Checkpoint.ModelPath) || File.Exists(run.BestPath);
        if (!resume && trained)
            throw new GlowException(
                $"{path}: already holds a run; add --resume to continue it or choose another folder");
        if (resume && !trained && !File.Exists(run.ConfigPath))
            throw new GlowException($"{path}: holds no run to continue; leave out --resume to start one");
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{path}: cannot be made a run folder ({e.Message.TrimEnd('.')})", e);
        }
        return run;
    }

    /// <summary>Model, options and data of the run; null before it has begun.</summary>
    /// <exception cref="GlowException"><c>config.json</c> cannot be read.</exception>
    public RunConfig? ReadConfig()
    {
        if (!File.Exists(ConfigPath)) return null;
        try
        {
            return RunConfig.FromJson(File.ReadAllText(ConfigPath), ConfigPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{ConfigPath}: cannot be read ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>Writes <c>config.json</c>.</summary>
    /// <exception cref="GlowException">It cannot be written.</exception>
    public void WriteConfig(RunConfig config) => AtomicFile.WriteText(ConfigPath, config.ToJson() + "\n");

    /// <summary>Keeps every other process out until disposed, or until this process ends in whatever way.</summary>
    /// <exception cref="GlowException">Another process is training here.</exception>
    public IDisposable Lock()
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(Path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite,
                FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{Path}: another process is training in this folder, or it cannot be written "
                + $"({e.Message.TrimEnd('.')})", e);
        }
    }
}
