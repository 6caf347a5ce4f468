namespace GlowGpu.App.Console;

/// <summary>
/// A command line that cannot be carried out as it stands, found after parsing. The message is one sentence: what was
/// wrong, where, and what would be right. Exit code 2.
/// </summary>
internal sealed class UsageException(string message) : Exception(message);
