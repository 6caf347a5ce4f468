using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>Eight lanes: AVX2.</summary>
internal readonly unsafe struct Lanes256(Vector256<float> v) : ILanes<Lanes256>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private readonly Vector256<float> v = v;

    public static int Count => Vector256<float>.Count;

    [MethodImpl(Inline)]
    public static Lanes256 Load(float* address) => new(Vector256.Load(address));

    [MethodImpl(Inline)]
    public static Lanes256 LoadFirst(float* address, int count) =>
        new(Avx.MaskLoad(address, First(count)));

    [MethodImpl(Inline)]
    public void Store(float* address) => v.Store(address);

    [MethodImpl(Inline)]
    public void StoreStreaming(float* address) => Store(address);

    [MethodImpl(Inline)]
    public void StoreFirst(float* address, int count) => Avx.MaskStore(address, First(count), v);

    [MethodImpl(Inline)]
    public static Lanes256 All(float value) => new(Vector256.Create(value));

    [MethodImpl(Inline)]
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a.v + b.v);

    [MethodImpl(Inline)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a.v - b.v);

    [MethodImpl(Inline)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a.v * b.v);

    [MethodImpl(Inline)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a.v / b.v);

    [MethodImpl(Inline)]
    public static Lanes256 operator -(Lanes256 a) => new(-a.v);

    [MethodImpl(Inline)]
    public static Lanes256 Fma(Lanes256 a, Lanes256 b, Lanes256 c) => new(Vector256.FusedMultiplyAdd(a.v, b.v, c.v));

    [MethodImpl(Inline)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.MultiplyAddEstimate(a.v, b.v, c.v));

    [MethodImpl(Inline)]
    public static Lanes256 Abs(Lanes256 a) => new(Vector256.Abs(a.v));

    [MethodImpl(Inline)]
    public static Lanes256 Sqrt(Lanes256 a) => new(Vector256.Sqrt(a.v));

    [MethodImpl(Inline)]
    public static Lanes256 Round(Lanes256 a) => new(Vector256.Round(a.v));

    // Native: one instruction, which gives its second operand when either is NaN (x86) or the NaN (ARM).
    [MethodImpl(Inline)]
    public static Lanes256 Min(Lanes256 limit, Lanes256 x) => new(Vector256.MinNative(limit.v, x.v));

    [MethodImpl(Inline)]
    public static Lanes256 Max(Lanes256 limit, Lanes256 x) => new(Vector256.MaxNative(limit.v, x.v));

    [MethodImpl(Inline)]
    public static Lanes256 Less(Lanes256 a, Lanes256 b) => new(Vector256.LessThan(a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes256 Equal(Lanes256 a, Lanes256 b) => new(Vector256.Equals(a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes256 Where(Lanes256 mask, Lanes256 a, Lanes256 b) =>
        new(Vector256.ConditionalSelect(mask.v, a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes256 Scale(Lanes256 x, Lanes256 n)
    {
        // Two factors, each a normal power of two: the first product is exact, only the second rounds.
        Vector256<float> half = Vector256.Round(n.v * 0.5f);
        return new(x.v * PowerOfTwo(half) * PowerOfTwo(n.v - half));
    }

    [MethodImpl(Inline)]
    public static Lanes256 SplitExponent(Lanes256 x, out Lanes256 n)
    {
        Vector256<int> bits = x.v.AsInt32();
        Vector256<int> exponent = (bits - Vector256.Create(VectorMath.RootHalfBits)) >> 23;
        n = new(Vector256.ConvertToSingle(exponent));
        return new((bits - (exponent << 23)).AsSingle());
    }

    [MethodImpl(Inline)]
    public static (Lanes256 Even, Lanes256 Odd) Deinterleave(Lanes256 a, Lanes256 b)
    {
        Vector256<int> order = Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7);
        Vector256<float> p = Vector256.Shuffle(a.v, order), q = Vector256.Shuffle(b.v, order);
        return (new(Vector256.Create(p.GetLower(), q.GetLower())), new(Vector256.Create(p.GetUpper(), q.GetUpper())));
    }

    [MethodImpl(Inline)]
    public static (Lanes256 A, Lanes256 B) Interleave(Lanes256 even, Lanes256 odd)
    {
        Vector256<int> order = Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7);
        return (
            new(Vector256.Shuffle(Vector256.Create(even.v.GetLower(), odd.v.GetLower()), order)),
            new(Vector256.Shuffle(Vector256.Create(even.v.GetUpper(), odd.v.GetUpper()), order)));
    }

    [MethodImpl(Inline)]
    private static Vector256<float> First(int count) =>
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(Inline)]
    private static Vector256<float> PowerOfTwo(Vector256<float> n) =>
        ((Vector256.ConvertToInt32Native(n) + Vector256.Create(127)) << 23).AsSingle();
}
