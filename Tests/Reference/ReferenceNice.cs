using GlowGpu.Model;

namespace GlowGpu.Tests.Reference;

/// <summary>A whole NICE in double; parameters come by their checkpoint names.</summary>
public sealed class ReferenceNice(NiceConfig config, IReadOnlyDictionary<string, double[]> parameters)
{
    /// <summary>Log-likelihoods and the latent of continuous x <c>[N,H,W,C]</c>.</summary>
    public (double[] LogLikelihoods, Nhwc[] Eps) Encode(double[] x, int count)
    {
        double[] z = [.. x], logs = Logs(), sums = new double[count];
        int d = config.Dimensions;
        for (int n = 0; n < count; n++)
        {
            for (int k = 0; k < config.Depth; k++) Couple(z.AsSpan(n * d, d), k, 1);
            sums[n] = -d * Math.Log(config.Bins);
            for (int i = 0; i < d; i++)
            {
                z[n * d + i] *= Math.Exp(logs[i]);
                sums[n] += logs[i] + ScaledPriorReference.LogDensity(config.LatentDensity, z[n * d + i]);
            }
        }
        return (sums, [new Nhwc(z, count, config.Height, config.ImageWidth, config.Channels)]);
    }

    /// <summary>x <c>[N,H,W,C]</c> of latents.</summary>
    public double[] Decode(double[] eps, int count)
    {
        double[] x = [.. eps], logs = Logs();
        int d = config.Dimensions;
        for (int n = 0; n < count; n++)
        {
            for (int i = 0; i < d; i++) x[n * d + i] /= Math.Exp(logs[i]);
            for (int k = config.Depth - 1; k >= 0; k--) Couple(x.AsSpan(n * d, d), k, -1);
        }
        return x;
    }

    // The scales in the order of the image's values: even places first in the parameter, then odd ones.
    private double[] Logs()
    {
        double[] halves = parameters["levels.0.scale.logs"];
        return [.. Enumerable.Range(0, config.Dimensions).Select(i => halves[i % 2 * config.Half + i / 2])];
    }

    private void Couple(Span<double> image, int k, int sign)
    {
        double[] a = new double[config.Half];
        for (int i = 0; i < a.Length; i++) a[i] = image[2 * i + k % 2];
        for (int layer = 0; layer <= config.Hidden; layer++)
        {
            string name = $"levels.0.couplings.{k}.layers.{layer}";
            double[] w = parameters[name + ".weight"], next = [.. parameters[name + ".bias"]];
            for (int i = 0; i < a.Length; i++)
                for (int j = 0; j < next.Length; j++) next[j] += a[i] * w[i * next.Length + j];
            a = layer == config.Hidden ? next : Array.ConvertAll(next, static v => Math.Max(v, 0));
        }
        for (int i = 0; i < a.Length; i++) image[2 * i + 1 - k % 2] += sign * a[i];
    }
}
