namespace GlowGpu.Engine;

/// <summary>
/// A failure the user can understand and mend. The message is one sentence: what was wrong, where, and what would be
/// right.
/// </summary>
public sealed class GlowException : Exception
{
    /// <summary>A failure with its one sentence.</summary>
    public GlowException(string message) : base(message) { }

    /// <summary>The same, with what caused it.</summary>
    public GlowException(string message, Exception inner) : base(message, inner) { }
}
