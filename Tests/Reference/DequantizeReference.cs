namespace GlowGpu.Tests.Reference;

/// <summary>Bytes to flow variables and back.</summary>
public static class DequantizeReference
{
    /// <summary>floor(v/2^(8−bits))/n_bins − ½ + u/n_bins.</summary>
    public static double[] Forward(double[] bytes, int bits, double[] u)
    {
        double bins = Math.Pow(2, bits);
        double[] x = new double[bytes.Length];
        for (int i = 0; i < x.Length; i++) x[i] = Math.Floor(bytes[i] / Math.Pow(2, 8 - bits)) / bins
            - 0.5 + u[i] / bins;
        return x;
    }

    /// <summary>clip(floor((x + ½)·n_bins)·256/n_bins, 0, 255).</summary>
    public static byte[] ToBytes(double[] x, int bits)
    {
        double bins = Math.Pow(2, bits);
        return Array.ConvertAll(x, v => (byte)Math.Clamp(Math.Floor((v + 0.5) * bins) * 256 / bins, 0, 255));
    }
}
