using GlowGpu.Engine;

namespace GlowGpu.Model.Training;

/// <summary>Reads and writes a Glow as one safetensors checkpoint.</summary>
public static class ModelFile
{
    /// <summary>Config of a checkpoint file or run folder, without loading its tensors.</summary>
    public static GlowConfig ReadConfig(string path) => throw new NotImplementedException();

    /// <summary>
    /// Loads a checkpoint file, or of a run folder the Polyak average in <c>best.safetensors</c> (else <c>model.safetensors</c>).
    /// </summary>
    public static Glow Load(string path, Device device) => throw new NotImplementedException();
}
