using System.Globalization;
using System.Text;

namespace GlowGpu.Tests.Ptx;

/// <summary>What the launches of a kernel did, by instruction.</summary>
internal sealed class PtxReport(PtxKernel kernel)
{
    private readonly Counts[] counts = new Counts[kernel.Instructions.Count];

    /// <summary>The kernel.</summary>
    public PtxKernel Kernel => kernel;

    /// <summary>Adds the counts of a launch.</summary>
    public void Add(ReadOnlySpan<Counts> launch)
    {
        lock (counts)
            for (int i = 0; i < counts.Length; i++) counts[i].Add(launch[i]);
    }

    /// <summary>The sum over the instructions that a condition holds for.</summary>
    public Counts Sum(Func<PtxInstruction, bool> condition)
    {
        Counts sum = default;
        for (int i = 0; i < counts.Length; i++)
            if (condition(kernel.Instructions[i])) sum.Add(counts[i]);
        return sum;
    }

    /// <summary>The sum over the instructions with an opcode.</summary>
    public Counts Of(string opcode) => Sum(i => i.Opcode == opcode);

    /// <summary>A table by opcode: executions by warps and lanes, bank conflicts, sectors.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach (string opcode in kernel.Instructions.Select(static i => i.Opcode).Distinct()
            .Order(StringComparer.Ordinal))
        {
            Counts c = Of(opcode);
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{opcode,-40} warps {c.Warps,10} lanes {c.Lanes,12} wavefronts {c.Wavefronts}/{c.IdealWavefronts} "
                    + $"sectors {c.Sectors}/{c.IdealSectors}");
        }
        return text.ToString();
    }
}
