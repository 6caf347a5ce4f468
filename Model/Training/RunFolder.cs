namespace GlowGpu.Model.Training;

/// <summary>
/// A run folder: <c>model.safetensors</c>, <c>best.safetensors</c>, <c>state.safetensors</c>, <c>metrics.jsonl</c>,
/// <c>config.json</c>, <c>samples/step-NNNNNN.png</c>.
/// </summary>
public sealed class RunFolder
{
    /// <summary>Creates the folder if need be. A new run refuses a folder that already holds one, unless resuming.</summary>
    public static RunFolder Create(string path, bool resume) => throw new NotImplementedException();

    /// <summary>The folder.</summary>
    public string Path => throw new NotImplementedException();
}
