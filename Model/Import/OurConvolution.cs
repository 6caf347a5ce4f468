namespace GlowGpu.Model.Import;

/// <summary>
/// Weights of a convolution as this project has them, <c>[taps,in(+1),out]</c>, on their way to PyTorch.
/// </summary>
/// <param name="weight">the values</param>
/// <param name="ins">input channels without the edge channel</param>
/// <param name="outs">output channels</param>
/// <param name="edge">whether there is an edge row</param>
/// <param name="taps">9, or 1</param>
internal sealed class OurConvolution(float[] weight, int ins, int outs, bool edge, int taps = TorchConvolution.Taps)
{
    /// <summary>Input channels without the edge channel.</summary>
    public int Ins => ins;

    /// <summary>Output channels.</summary>
    public int Outs => outs;

    /// <summary>Whether any weight of the edge channel differs from zero.</summary>
    public bool HasEdge
    {
        get
        {
            for (int tap = 0; tap < taps; tap++)
                for (int j = 0; j < outs; j++)
                    if (Edge(tap, j) != 0) return true;
            return false;
        }
    }

    /// <summary>
    /// Whether the edge row is the sum over the first <paramref name="count"/> input channels (all unless given), as
    /// in a convolution padded with ones; to within <paramref name="relative"/> of the sum of magnitudes.
    /// </summary>
    public bool EdgeIsSum(double relative, int? count = null)
    {
        for (int tap = 0; tap < taps; tap++)
        {
            for (int j = 0; j < outs; j++)
            {
                double sum = 0, size = 0;
                for (int i = 0; i < (count ?? ins); i++)
                {
                    sum += Value(tap, i, j);
                    size += Math.Abs(Value(tap, i, j));
                }
                if (Math.Abs(sum - Edge(tap, j)) > relative * size) return false;
            }
        }
        return true;
    }

    /// <summary>Sum over taps and input channels, per output channel.</summary>
    public double[] Sums()
    {
        double[] sums = new double[outs];
        for (int tap = 0; tap < taps; tap++)
            for (int i = 0; i < ins; i++)
                for (int j = 0; j < outs; j++)
                    sums[j] += Value(tap, i, j);
        return sums;
    }

    /// <summary>
    /// <c>[theirOuts,theirIns,taps]</c>; our output channel j becomes their channel <c>order[j]</c>. Channels that
    /// ours lacks are zero, input channels that theirs lacks are left out.
    /// </summary>
    public double[] Torch(int theirOuts, int? theirIns = null, int[]? order = null)
    {
        int wide = theirIns ?? ins;
        double[] theirs = new double[theirOuts * wide * taps];
        for (int tap = 0; tap < taps; tap++)
            for (int i = 0; i < Math.Min(ins, wide); i++)
                for (int j = 0; j < outs; j++)
                    theirs[((order is null ? j : order[j]) * wide + i) * taps + tap] = Value(tap, i, j);
        return theirs;
    }

    /// <summary>
    /// Makes the sum over input channels of <paramref name="theirs"/> <c>[outs,theirIns,taps]</c> equal to the edge
    /// row by what it adds to input channel <paramref name="channel"/>.
    /// </summary>
    public void PutEdge(double[] theirs, int theirIns, int channel, int[] order)
    {
        for (int tap = 0; tap < taps; tap++)
        {
            for (int j = 0; j < outs; j++)
            {
                double sum = 0;
                int row = order[j] * theirIns;
                // The sum of what float32 will hold.
                for (int i = 0; i < theirIns; i++) sum += (float)theirs[(row + i) * taps + tap];
                theirs[(row + channel) * taps + tap] += Edge(tap, j) - sum;
            }
        }
    }

    private double Value(int tap, int i, int j) => weight[(tap * (ins + (edge ? 1 : 0)) + i) * outs + j];

    private double Edge(int tap, int j) => edge ? Value(tap, ins, j) : 0;
}
