namespace GlowGpu.Tests.Checks;

/// <summary>
/// Seeded test data, exact in float32, so that a reference in double starts from the very same numbers.
/// </summary>
public sealed class Draw(int seed)
{
    private readonly Random random = new(seed);

    /// <summary>Normal values of a given spread.</summary>
    public float[] Normal(int count, double spread = 1, double mean = 0)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(mean + spread * Normal());
        return values;
    }

    /// <summary>Uniform values in [low, high).</summary>
    public float[] Uniform(int count, double low, double high)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(low + (high - low) * random.NextDouble());
        return values;
    }

    /// <summary>Whole numbers in [0, below), as floats.</summary>
    public float[] Integers(int count, int below)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = random.Next(below);
        return values;
    }

    /// <summary>A permutation of 0 … count − 1.</summary>
    public int[] Permutation(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        random.Shuffle(order);
        return order;
    }

    /// <summary>
    /// A well-conditioned <c>[n,n]</c> matrix: identity plus noise, rows shuffled so that pivoting matters.
    /// </summary>
    public float[] Mixing(int n)
    {
        int[] order = Permutation(n);
        float[] w = Normal(n * n, 0.3 / Math.Sqrt(n));
        for (int i = 0; i < n; i++) w[i * n + order[i]] += 1;
        return w;
    }

    private double Normal()
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
        return radius * Math.Cos(2 * Math.PI * random.NextDouble());
    }
}

/// <summary>Float arrays as the references take them.</summary>
public static class Widening
{
    /// <summary>The same numbers in double.</summary>
    public static double[] Wide(this float[] values) => Array.ConvertAll(values, static v => (double)v);

    /// <summary>Rounded to float32.</summary>
    public static float[] Narrow(this double[] values) => Array.ConvertAll(values, static v => (float)v);
}
