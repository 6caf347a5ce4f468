using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>A function of one float, written for a vector of them.</summary>
internal interface IVectorOp
{
    static abstract V Invoke<V>(V x) where V : struct, ILanes<V>;
}

/// <summary>
/// The vector loop over an array, once for every function. The tail goes through a padded vector, so an element's
/// bits do not depend on its place.
/// </summary>
internal static unsafe class Elementwise
{
    /// <summary>y[i] = op(x[i]); y may be x.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Map<TOp>(ReadOnlySpan<float> x, Span<float> y) where TOp : struct, IVectorOp
    {
        if (x.Length != y.Length)
            throw new ArgumentException(
                $"elementwise: x has {x.Length} elements and y {y.Length}; they must be as long");
        fixed (float* from = x, to = y)
        {
            if (Vector512.IsHardwareAccelerated) Map<TOp, Lanes512>(from, to, x.Length);
            else if (Vector256.IsHardwareAccelerated) Map<TOp, Lanes256>(from, to, x.Length);
            else Map<TOp, Lanes128>(from, to, x.Length);
        }
    }

    /// <summary>The same at one width.</summary>
    public static void Map<TOp, V>(float* x, float* y, int count) where TOp : struct, IVectorOp where V : struct,
        ILanes<V>
    {
        int i = 0;
        for (; i + V.Count <= count; i += V.Count) TOp.Invoke(V.Load(x + i)).Store(y + i);
        if (i == count) return;
        float* tail = stackalloc float[V.Count];
        for (int j = 0; j < V.Count; j++) tail[j] = i + j < count ? x[i + j] : 0;
        TOp.Invoke(V.Load(tail)).Store(tail);
        for (int j = 0; i + j < count; j++) y[i + j] = tail[j];
    }
}

/// <summary><see cref="VectorMath.Exp"/></summary>
internal struct Exp : IVectorOp
{
    public static V Invoke<V>(V x) where V : struct, ILanes<V> => VectorMath.Exp(x);
}

/// <summary><see cref="VectorMath.Log"/></summary>
internal struct Log : IVectorOp
{
    public static V Invoke<V>(V x) where V : struct, ILanes<V> => VectorMath.Log(x);
}

/// <summary><see cref="VectorMath.Log1p"/></summary>
internal struct Log1p : IVectorOp
{
    public static V Invoke<V>(V x) where V : struct, ILanes<V> => VectorMath.Log1p(x);
}

/// <summary><see cref="VectorMath.Sigmoid"/></summary>
internal struct Sigmoid : IVectorOp
{
    public static V Invoke<V>(V x) where V : struct, ILanes<V> => VectorMath.Sigmoid(x);
}

/// <summary><see cref="VectorMath.Softplus"/></summary>
internal struct Softplus : IVectorOp
{
    public static V Invoke<V>(V x) where V : struct, ILanes<V> => VectorMath.Softplus(x);
}

/// <summary><see cref="VectorMath.LogSigmoid"/></summary>
internal struct LogSigmoid : IVectorOp
{
    public static V Invoke<V>(V x) where V : struct, ILanes<V> => VectorMath.LogSigmoid(x);
}
