using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Sums within a group, in shared memory and in one fixed order: no atomics, whose order changes from run to run, and
/// no warp shuffles, which a device may lack.
/// </summary>
internal static class GpuReduce
{
    /// <summary>Upper bound of <see cref="GpuContext.GroupSize"/>: what shared memory is reserved for.</summary>
    private const int LargestGroup = 256;

    /// <summary>The sum over the threads of a group whose size is a power of two; thread 0 gets it.</summary>
    public static float SumGroup(float value)
    {
        ArrayView<float> sums = SharedMemory.Allocate<float>(LargestGroup);
        return Strided(sums, value, 1);
    }

    /// <summary>
    /// The sums over threads that are <paramref name="lanes"/> apart, lanes and group size powers of two; the first
    /// <paramref name="lanes"/> threads get them.
    /// </summary>
    public static float SumLanes(float value, int lanes)
    {
        ArrayView<float> sums = SharedMemory.Allocate<float>(LargestGroup);
        return Strided(sums, value, lanes);
    }

    private static float Strided(ArrayView<float> sums, float value, int lanes)
    {
        int thread = Group.IdxX;
        sums[thread] = value;
        Group.Barrier();
        for (int distance = Group.DimX / 2; distance >= lanes; distance /= 2)
        {
            if (thread < distance) sums[thread] += sums[thread + distance];
            Group.Barrier();
        }
        return sums[thread];
    }
}

/// <summary>Compensated (Kahan) summation: the error of a long sum stays that of a few additions.</summary>
internal struct KahanSum
{
    private float lost;

    public float Value { get; private set; }

    public void Add(float term)
    {
        float corrected = term - lost;
        float next = Value + corrected;
        lost = (next - Value) - corrected;
        Value = next;
    }
}
