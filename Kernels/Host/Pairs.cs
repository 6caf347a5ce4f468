namespace GlowGpu.Kernels.Host;

/// <summary>Interleaved pairs a0 b0 a1 b1 … (shift and scale, mean and logs) to and from two arrays.</summary>
internal static unsafe class Pairs
{
    /// <summary>first[i] = pairs[2i], second[i] = pairs[2i + 1] for i below <paramref name="count"/>.</summary>
    public static void Split<V>(float* pairs, int count, float* first, float* second) where V : struct, ILanes<V>
    {
        int i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            (V a, V b) = V.Deinterleave(V.Load(pairs + 2 * i), V.Load(pairs + 2 * i + V.Count));
            a.Store(first + i);
            b.Store(second + i);
        }
        for (; i < count; i++)
        {
            first[i] = pairs[2 * i];
            second[i] = pairs[2 * i + 1];
        }
    }

    /// <summary>pairs[2i] = first[i], pairs[2i + 1] = second[i] for i below <paramref name="count"/>.</summary>
    public static void Join<V>(float* first, float* second, int count, float* pairs) where V : struct, ILanes<V>
    {
        int i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            (V a, V b) = V.Interleave(V.Load(first + i), V.Load(second + i));
            a.Store(pairs + 2 * i);
            b.Store(pairs + 2 * i + V.Count);
        }
        for (; i < count; i++)
        {
            pairs[2 * i] = first[i];
            pairs[2 * i + 1] = second[i];
        }
    }

    /// <summary>Fills x[count …] up to the next multiple of the vector width, which it returns.</summary>
    public static int Pad<V>(float* x, int count, float value) where V : struct, ILanes<V>
    {
        int padded = (count + V.Count - 1) / V.Count * V.Count;
        for (int i = count; i < padded; i++) x[i] = value;
        return padded;
    }
}
