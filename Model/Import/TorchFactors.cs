using System.Globalization;
using GlowGpu.Engine;

namespace GlowGpu.Model.Import;

/// <summary>The fixed parts of a factored 1×1 convolution as PyTorch programs store them.</summary>
internal static class TorchFactors
{
    /// <summary>A permutation matrix P <c>[C,C]</c> as row order: row <c>rows[r]</c> of P·A is row r of A.</summary>
    /// <exception cref="GlowException">It is not a permutation matrix.</exception>
    public static int[] Rows(StateDict state, string name, int c)
    {
        double[] p = state.Read(name, c, c);
        int[] rows = new int[c];
        Array.Fill(rows, -1);
        for (int i = 0; i < c; i++)
        {
            int column = p.AsSpan(i * c, c).IndexOf(1.0);
            bool alone = column >= 0 && !p.AsSpan(i * c, column).ContainsAnyExcept(0.0)
                && !p.AsSpan(i * c + column + 1, c - column - 1).ContainsAnyExcept(0.0);
            if (!alone || rows[column] >= 0)
                throw new GlowException($"{state.Path}: tensor '{state.FullName(name)}' is not a permutation matrix "
                    + $"(row {i}); it must be one");
            rows[column] = i;
        }
        return rows;
    }

    /// <summary>Signs of a diagonal <c>[C]</c>.</summary>
    /// <exception cref="GlowException">One is neither 1 nor −1.</exception>
    public static double[] Signs(StateDict state, string name, int c)
    {
        double[] signs = state.Read(name, c);
        foreach (double sign in signs)
            if (sign is not (1 or -1))
                throw new GlowException(
                    $"{state.Path}: tensor '{state.FullName(name)}' holds "
                        + $"{sign.ToString(CultureInfo.InvariantCulture)}; every sign must be 1 or -1");
        return signs;
    }
}
