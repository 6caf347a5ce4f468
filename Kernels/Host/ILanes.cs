namespace GlowGpu.Kernels.Host;

/// <summary>
/// A vector of float32 of some hardware width, so that a kernel is written once for all of them. An operation gives
/// each lane the same bits at every width. Masks are vectors whose lanes have all bits set or none.
/// </summary>
/// <typeparam name="T">the implementing struct</typeparam>
internal unsafe interface ILanes<T> where T : struct, ILanes<T>
{
    /// <summary>Number of lanes.</summary>
    static abstract int Count { get; }

    /// <summary>Count floats from an address of any alignment.</summary>
    static abstract T Load(float* address);

    /// <summary>The first <paramref name="count"/> floats (1 … Count), then zeros; reads nothing beyond.</summary>
    static abstract T LoadFirst(float* address, int count);

    /// <summary>Writes Count floats to an address of any alignment.</summary>
    void Store(float* address);

    /// <summary>
    /// Writes Count floats to an address that is a multiple of 64 bytes: past the caches where they fill a line,
    /// which then need not be brought in nor taken from another core; else as <see cref="Store"/> does. Other threads
    /// may read them after a fence.
    /// </summary>
    void StoreStreaming(float* address);

    /// <summary>Writes the first <paramref name="count"/> floats (1 … Count) and nothing beyond.</summary>
    void StoreFirst(float* address, int count);

    /// <summary>The same value in every lane.</summary>
    static abstract T All(float value);

    static abstract T operator +(T a, T b);

    static abstract T operator -(T a, T b);

    static abstract T operator *(T a, T b);

    static abstract T operator /(T a, T b);

    static abstract T operator -(T a);

    /// <summary>a·b + c, rounded once.</summary>
    static abstract T Fma(T a, T b, T c);

    /// <summary>
    /// a·b + c, rounded once where the processor has an instruction for it and twice elsewhere: for long sums, where
    /// emulating
    /// <see cref="Fma"/> would take most of the time. The one operation whose bits depend on the processor.
    /// </summary>
    static abstract T MultiplyAdd(T a, T b, T c);

    static abstract T Abs(T a);

    static abstract T Sqrt(T a);

    /// <summary>Nearest integer, ties to even.</summary>
    static abstract T Round(T a);

    /// <summary>The smaller of limit and x; a NaN in x comes through, limit must not be one.</summary>
    static abstract T Min(T limit, T x);

    /// <summary>The larger of limit and x; a NaN in x comes through, limit must not be one.</summary>
    static abstract T Max(T limit, T x);

    /// <summary>Mask of a &lt; b; false where either is NaN.</summary>
    static abstract T Less(T a, T b);

    /// <summary>Mask of a = b; false where either is NaN.</summary>
    static abstract T Equal(T a, T b);

    /// <summary>Lanes of a where the mask is set, else of b.</summary>
    static abstract T Where(T mask, T a, T b);

    /// <summary>x·2^n for whole n from −152 to 128, rounded once, into the subnormals and to ∞.</summary>
    static abstract T Scale(T x, T n);

    /// <summary>m·2^n = x with whole n and m in [√½, √2), for positive normal x; anything for other x.</summary>
    static abstract T SplitExponent(T x, out T n);

    /// <summary>Elements 0, 2, 4 … and 1, 3, 5 … of a followed by b.</summary>
    static abstract (T Even, T Odd) Deinterleave(T a, T b);

    /// <summary>Undoes <see cref="Deinterleave"/>.</summary>
    static abstract (T A, T B) Interleave(T even, T odd);
}

/// <summary>A piece of data-parallel work whose parts are written for vectors of any width.</summary>
internal interface IVectorWork
{
    /// <summary>Runs one part; see <see cref="IWork.Run"/>.</summary>
    void Run<V>(int part, int worker) where V : struct, ILanes<V>;
}

/// <summary>Runs <see cref="IVectorWork"/> at the widest vectors of the processor.</summary>
internal static class VectorWork
{
    /// <summary>As <see cref="Workers.Run"/>.</summary>
    public static void RunVectors<TWork>(this Workers workers, int partCount, TWork job) where TWork : struct,
        IVectorWork =>
        workers.Run(partCount, new Widest<TWork>(job));

    private struct Widest<TWork>(TWork job) : IWork where TWork : struct, IVectorWork
    {
        private TWork job = job;

        public void Run(int part, int worker)
        {
            if (System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated) job.Run<Lanes512>(part, worker);
            else if (System.Runtime.Intrinsics.Vector256.IsHardwareAccelerated) job.Run<Lanes256>(part, worker);
            else job.Run<Lanes128>(part, worker);
        }
    }
}
