using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>Sixteen lanes: AVX-512.</summary>
internal readonly unsafe struct Lanes512(Vector512<float> v) : ILanes<Lanes512>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private readonly Vector512<float> v = v;

    public static int Count => Vector512<float>.Count;

    [MethodImpl(Inline)]
    public static Lanes512 Load(float* address) => new(Vector512.Load(address));

    [MethodImpl(Inline)]
    public static Lanes512 LoadFirst(float* address, int count) =>
        new(Avx512F.MaskLoad(address, First(count), Vector512<float>.Zero));

    [MethodImpl(Inline)]
    public void Store(float* address) => v.Store(address);

    [MethodImpl(Inline)]
    public void StoreStreaming(float* address) => v.StoreAlignedNonTemporal(address);

    [MethodImpl(Inline)]
    public void StoreFirst(float* address, int count) => Avx512F.MaskStore(address, First(count), v);

    [MethodImpl(Inline)]
    public static Lanes512 All(float value) => new(Vector512.Create(value));

    [MethodImpl(Inline)]
    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a.v + b.v);

    [MethodImpl(Inline)]
    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a.v - b.v);

    [MethodImpl(Inline)]
    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a.v * b.v);

    [MethodImpl(Inline)]
    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a.v / b.v);

    [MethodImpl(Inline)]
    public static Lanes512 operator -(Lanes512 a) => new(-a.v);

    [MethodImpl(Inline)]
    public static Lanes512 Fma(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a.v, b.v, c.v));

    [MethodImpl(Inline)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Vector512.MultiplyAddEstimate(a.v, b.v, c.v));

    [MethodImpl(Inline)]
    public static Lanes512 Abs(Lanes512 a) => new(Vector512.Abs(a.v));

    [MethodImpl(Inline)]
    public static Lanes512 Sqrt(Lanes512 a) => new(Vector512.Sqrt(a.v));

    [MethodImpl(Inline)]
    public static Lanes512 Round(Lanes512 a) => new(Vector512.Round(a.v));

    // Native: one instruction, which gives its second operand when either is NaN (x86) or the NaN (ARM).
    [MethodImpl(Inline)]
    public static Lanes512 Min(Lanes512 limit, Lanes512 x) => new(Vector512.MinNative(limit.v, x.v));

    [MethodImpl(Inline)]
    public static Lanes512 Max(Lanes512 limit, Lanes512 x) => new(Vector512.MaxNative(limit.v, x.v));

    [MethodImpl(Inline)]
    public static Lanes512 Less(Lanes512 a, Lanes512 b) => new(Vector512.LessThan(a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes512 Equal(Lanes512 a, Lanes512 b) => new(Vector512.Equals(a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes512 Where(Lanes512 mask, Lanes512 a, Lanes512 b) =>
        new(Vector512.ConditionalSelect(mask.v, a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes512 Scale(Lanes512 x, Lanes512 n)
    {
        if (Avx512F.IsSupported) return new(Avx512F.Scale(x.v, n.v));
        // Two factors, each a normal power of two: the first product is exact, only the second rounds.
        Vector512<float> half = Vector512.Round(n.v * 0.5f);
        return new(x.v * PowerOfTwo(half) * PowerOfTwo(n.v - half));
    }

    [MethodImpl(Inline)]
    public static Lanes512 SplitExponent(Lanes512 x, out Lanes512 n)
    {
        Vector512<int> bits = x.v.AsInt32();
        Vector512<int> exponent = (bits - Vector512.Create(VectorMath.RootHalfBits)) >> 23;
        n = new(Vector512.ConvertToSingle(exponent));
        return new((bits - (exponent << 23)).AsSingle());
    }

    [MethodImpl(Inline)]
    public static (Lanes512 Even, Lanes512 Odd) Deinterleave(Lanes512 a, Lanes512 b)
    {
        Vector512<int> order = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
        Vector512<float> p = Vector512.Shuffle(a.v, order), q = Vector512.Shuffle(b.v, order);
        return (new(Vector512.Create(p.GetLower(), q.GetLower())), new(Vector512.Create(p.GetUpper(), q.GetUpper())));
    }

    [MethodImpl(Inline)]
    public static (Lanes512 A, Lanes512 B) Interleave(Lanes512 even, Lanes512 odd)
    {
        Vector512<int> order = Vector512.Create(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        return (
            new(Vector512.Shuffle(Vector512.Create(even.v.GetLower(), odd.v.GetLower()), order)),
            new(Vector512.Shuffle(Vector512.Create(even.v.GetUpper(), odd.v.GetUpper()), order)));
    }

    [MethodImpl(Inline)]
    private static Vector512<float> First(int count) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();

    [MethodImpl(Inline)]
    private static Vector512<float> PowerOfTwo(Vector512<float> n) =>
        ((Vector512.ConvertToInt32Native(n) + Vector512.Create(127)) << 23).AsSingle();
}
