using System.Globalization;
using System.Text.RegularExpressions;

namespace GlowGpu.Bench.Ptx;

/// <summary>One kernel in machine code.</summary>
/// <param name="Registers">32-bit registers a thread</param>
/// <param name="SharedBytes">shared memory that the kernel itself declares, bytes a group</param>
/// <param name="StackBytes">stack frame of a thread</param>
/// <param name="SpillBytes">stores and loads of registers that did not fit</param>
/// <param name="Instructions">opcodes with their modifiers, in order</param>
/// <param name="Listing">the listing of cuobjdump that they stand in</param>
internal sealed partial record AssembledKernel(
    int Registers, int SharedBytes, int StackBytes, int SpillBytes, IReadOnlyList<string> Instructions, string Listing)
{
    /// <summary>From the report of ptxas -v and the listing of cuobjdump -sass.</summary>
    /// <exception cref="InvalidOperationException">They are not of exactly one kernel or not in a known
    /// form.</exception>
    public static AssembledKernel Parse(string report, string listing)
    {
        Match frame = Single(Frame(), report), used = Single(Used(), report);
        string[] instructions = [.. Instruction().Matches(listing).Select(static m => m.Groups["name"].Value)];
        if (instructions.Length == 0)
            throw new InvalidOperationException($"cuobjdump lists no instructions:\n{listing}");
        return new(Number(used, "registers"), Number(used, "shared"), Number(frame, "stack"),
            Number(frame, "stores") + Number(frame, "loads"), instructions, listing);
    }

    /// <summary>Whether an instruction is as promised: see <see cref="Kernels.Gpu.PromisesAttribute"/>.</summary>
    public bool Keeps(string promise) => Instructions.Any(instruction => Answers(instruction, promise));

    /// <summary>How often instructions that answer the promise stand in the code.</summary>
    public int CountOf(string promise) => Instructions.Count(instruction => Answers(instruction, promise));

    private static bool Answers(string instruction, string promise)
    {
        string[] parts = instruction.Split('.'), wanted = promise.Split('.');
        if (parts[0] != wanted[0] && !(wanted[0] is "LD" or "ST" && parts[0] == wanted[0] + "G")) return false;
        int found = 1;
        foreach (string part in parts.Skip(1))
            if (found < wanted.Length && part == wanted[found]) found++;
        return found == wanted.Length;
    }

    private static Match Single(Regex pattern, string report)
    {
        MatchCollection matches = pattern.Matches(report);
        return matches.Count == 1 ? matches[0] : throw new InvalidOperationException(
            $"ptxas reports {matches.Count} kernels; one was assembled:\n{report}");
    }

    private static int Number(Match match, string group) =>
        match.Groups[group] is { Success: true } found ? int.Parse(found.Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(
        @"(?<stack>\d+) bytes stack frame, (?<stores>\d+) bytes spill stores, (?<loads>\d+) bytes spill loads")]
    private static partial Regex Frame();

    // Barriers, constant memory and others may stand between and behind.
    [GeneratedRegex(@"Used (?<registers>\d+) registers(?:.*?(?<shared>\d+) bytes smem)?")]
    private static partial Regex Used();

    // An address, perhaps a predicate, the opcode.
    [GeneratedRegex(@"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P[0-9T]+\s+)?(?<name>[A-Z][A-Z0-9_]*(?:\.[A-Za-z0-9_]+)*)")]
    private static partial Regex Instruction();
}
