namespace GlowGpu.Tests.Ptx;

/// <summary>A program did what a GPU does not define, or what the machine does not know.</summary>
internal sealed class PtxException(string message) : Exception(message)
{
    /// <summary>The line of the PTX source that was executed, or 0.</summary>
    public int Line { get; init; }
}
