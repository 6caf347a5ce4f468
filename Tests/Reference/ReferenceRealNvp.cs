using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Tests.Reference;

/// <summary>
/// A whole RealNVP in double, layer by layer as the paper has it. Parameters come by their checkpoint names;
/// statistics are the batch's own or the running ones among the parameters.
/// </summary>
public sealed class ReferenceRealNvp(RealNvpConfig config, IReadOnlyDictionary<string, double[]> parameters)
{
    private bool ofBatch;

    /// <summary>
    /// Log-likelihoods and latents of continuous x <c>[N,H,W,C]</c>, by the statistics of the batch or by running
    /// ones.
    /// </summary>
    public (double[] LogLikelihoods, Nhwc[] Eps) Encode(double[] x, int count, bool batchStatistics)
    {
        ofBatch = batchStatistics;
        Nhwc z = new(x, count, config.Height, config.ImageWidth, config.Channels);
        double[] sum = new double[count];
        Array.Fill(sum, -config.Dimensions * Math.Log(config.Bins));
        List<Nhwc> eps = [];
        for (int l = 0; l < config.Levels; l++)
        {
            bool last = l == config.Levels - 1;
            for (int k = 0; k < config.Depth + (last ? 1 : 0); k++) z = Forward($"levels.{l}.checkerboard.{k}", z,
                Mask(k), sum);
            if (last) break;
            z = SqueezeReference.Forward(z);
            for (int k = 0; k < config.Depth; k++)
            {
                // Whichever half changes, the two stay in their places.
                (Nhwc a, Nhwc b) = Halves(z);
                (Nhwc kept, Nhwc changed) = k % 2 == 0 ? (a, b) : (b, a);
                string name = $"levels.{l}.channel.{k}";
                Nhwc h = Network(name, kept);
                Add(sum, MaskedCoupleReference.LogDet(PixelMask.All, h, parameters[name + ".factor"]));
                changed = MaskedCoupleReference.Forward(PixelMask.All, changed, h, parameters[name + ".factor"]);
                z = Norm(name, k % 2 == 0 ? kept.Concatenate(changed) : changed.Concatenate(kept), sum);
            }
            (z, Nhwc leaving) = Halves(z);
            Score(leaving, eps, sum);
        }
        Score(z, eps, sum);
        return (sum, [.. eps]);
    }

    /// <summary>x <c>[N,H,W,C]</c> of latents, by running statistics.</summary>
    public double[] Decode(IReadOnlyList<double[]> eps, int count)
    {
        ofBatch = false;
        (int h, int w, int c) = config.LatentShape(config.Levels - 1);
        Nhwc z = new(eps[^1], count, h, w, c);
        for (int l = config.Levels - 1; l >= 0; l--)
        {
            bool last = l == config.Levels - 1;
            if (!last)
            {
                z = z.Concatenate(new Nhwc(eps[l], count, z.H, z.W, z.C));
                for (int k = config.Depth - 1; k >= 0; k--)
                {
                    string name = $"levels.{l}.channel.{k}";
                    (Nhwc a, Nhwc b) = Halves(Unnorm(name, z));
                    (Nhwc kept, Nhwc changed) = k % 2 == 0 ? (a, b) : (b, a);
                    changed = MaskedCoupleReference.Inverse(PixelMask.All, changed, Network(name, kept),
                        parameters[name + ".factor"]);
                    z = k % 2 == 0 ? kept.Concatenate(changed) : changed.Concatenate(kept);
                }
                z = SqueezeReference.Inverse(z);
            }
            for (int k = config.Depth - (last ? 0 : 1); k >= 0; k--)
            {
                string name = $"levels.{l}.checkerboard.{k}";
                z = Unnorm(name, z);
                Nhwc condition = MaskedCoupleReference.Condition(Mask(k), z);
                z = MaskedCoupleReference.Inverse(Mask(k), z, Network(name, condition), parameters[name + ".factor"]);
            }
        }
        return z.Data;
    }

    private static PixelMask Mask(int k) => k % 2 == 0 ? PixelMask.Even : PixelMask.Odd;

    private static (Nhwc First, Nhwc Second) Halves(Nhwc z) => (z.Channels(0, z.C / 2), z.Channels(z.C / 2, z.C / 2));

    private static void Add(double[] sum, double[] terms)
    {
        for (int n = 0; n < sum.Length; n++) sum[n] += terms[n];
    }

    private static void Score(Nhwc z, List<Nhwc> eps, double[] sum)
    {
        eps.Add(z);
        Add(sum, z.Map(static (v, _) => ScaledPriorReference.LogDensity(PriorKind.Gaussian, v)).SumPerImage());
    }

    private Nhwc Forward(string name, Nhwc z, PixelMask mask, double[] sum)
    {
        Nhwc h = Network(name, MaskedCoupleReference.Condition(mask, z));
        Add(sum, MaskedCoupleReference.LogDet(mask, h, parameters[name + ".factor"]));
        return Norm(name, MaskedCoupleReference.Forward(mask, z, h, parameters[name + ".factor"]), sum);
    }

    private Nhwc Norm(string name, Nhwc z, double[] sum)
    {
        (double[] mean, double[] variance) = Statistics(name + ".norm", z);
        for (int n = 0; n < sum.Length; n++) sum[n] += BatchNormReference.LogDet(z, variance);
        return BatchNormReference.Normalize(z, mean, variance);
    }

    private Nhwc Unnorm(string name, Nhwc z)
    {
        (double[] mean, double[] variance) = Statistics(name + ".norm", z);
        return BatchNormReference.Invert(z, mean, variance);
    }

    private (double[] Mean, double[] Variance) Statistics(string name, Nhwc x) => ofBatch
        ? BatchNormReference.Measure(x)
        : (parameters[name + ".running_mean"], parameters[name + ".running_variance"]);

    private Nhwc Network(string name, Nhwc x)
    {
        name += ".network";
        Nhwc h = Convolve($"{name}.in", 3, x);
        for (int b = 0; b < config.Blocks; b++)
        {
            string block = $"{name}.blocks.{b}";
            Nhwc u = Convolve($"{block}.conv1", 3, Relu($"{block}.norm1", h));
            Nhwc v = Convolve($"{block}.conv2", 3, Relu($"{block}.norm2", u));
            h = h with { Data = [.. h.Data.Zip(v.Data, static (p, q) => p + q)] };
        }
        return Convolve($"{name}.out", 1, Relu($"{name}.norm", h));
    }

    private Nhwc Convolve(string name, int size, Nhwc x) =>
        PlainConvolutionReference.Forward(size, x, parameters[name + ".weight"], parameters[name + ".bias"],
            relu: false);

    private Nhwc Relu(string name, Nhwc x)
    {
        (double[] mean, double[] variance) = Statistics(name, x);
        return BatchNormReference.Network(x, mean, variance, parameters[name + ".gain"], parameters[name + ".bias"]);
    }
}
