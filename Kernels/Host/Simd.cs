using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The few vector operations of the matrix kernels, one implementation per instruction set, so that a kernel is written
/// once and compiled once for each. All loads and stores are unaligned.
/// </summary>
internal unsafe interface ISimd<TVec> where TVec : struct
{
    /// <summary>Floats in a vector; divides <see cref="Panels.Width"/>.</summary>
    static abstract int Lanes { get; }

    static abstract TVec Load(float* p);
    static abstract void Store(float* p, TVec x);

    /// <summary>Stores the first <paramref name="count"/> floats (1 … Lanes) and touches nothing beyond.</summary>
    static abstract void StoreFirst(float* p, TVec x, int count);

    static abstract TVec Broadcast(float x);

    /// <summary>a·b + c.</summary>
    static abstract TVec MultiplyAdd(TVec a, TVec b, TVec c);

    static abstract TVec Add(TVec a, TVec b);

    /// <summary>max(x, 0); NaN stays NaN, so that a diverging run shows.</summary>
    static abstract TVec Relu(TVec x);

    /// <summary>x where the gate is above zero, elsewhere 0.</summary>
    static abstract TVec Where(TVec gate, TVec x);
}

internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Lanes => 16;

    public static Vector512<float> Load(float* p) => Vector512.Load(p);

    public static void Store(float* p, Vector512<float> x) => x.Store(p);

    public static void StoreFirst(float* p, Vector512<float> x, int count) =>
        Avx512F.MaskStore(p, Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle(), x);

    public static Vector512<float> Broadcast(float x) => Vector512.Create(x);

    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.FusedMultiplyAdd(a, b, c);

    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    // The second operand wins a comparison with NaN.
    public static Vector512<float> Relu(Vector512<float> x) => Avx512F.Max(Vector512<float>.Zero, x);

    public static Vector512<float> Where(Vector512<float> gate, Vector512<float> x) =>
        Vector512.GreaterThan(gate, Vector512<float>.Zero) & x;
}

internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Lanes => 8;

    public static Vector256<float> Load(float* p) => Vector256.Load(p);

    public static void Store(float* p, Vector256<float> x) => x.Store(p);

    public static void StoreFirst(float* p, Vector256<float> x, int count) =>
        Avx.MaskStore(p, Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle(), x);

    public static Vector256<float> Broadcast(float x) => Vector256.Create(x);

    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Fma.MultiplyAdd(a, b, c);

    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    public static Vector256<float> Relu(Vector256<float> x) => Avx.Max(Vector256<float>.Zero, x);

    public static Vector256<float> Where(Vector256<float> gate, Vector256<float> x) =>
        Vector256.GreaterThan(gate, Vector256<float>.Zero) & x;
}

internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Lanes => 4;

    public static Vector128<float> Load(float* p) => Vector128.Load(p);

    public static void Store(float* p, Vector128<float> x) => x.Store(p);

    public static void StoreFirst(float* p, Vector128<float> x, int count)
    {
        for (int i = 0; i < count; i++) p[i] = x[i];
    }

    public static Vector128<float> Broadcast(float x) => Vector128.Create(x);

    // Fused only where the machine has the instruction: its emulation would take a library call per element.
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);

    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    public static Vector128<float> Relu(Vector128<float> x) => Vector128.Max(x, Vector128<float>.Zero);

    public static Vector128<float> Where(Vector128<float> gate, Vector128<float> x) =>
        Vector128.GreaterThan(gate, Vector128<float>.Zero) & x;
}
