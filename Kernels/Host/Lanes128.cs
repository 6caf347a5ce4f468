using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>Four lanes: SSE or NEON.</summary>
internal readonly unsafe struct Lanes128(Vector128<float> v) : ILanes<Lanes128>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private readonly Vector128<float> v = v;

    public static int Count => Vector128<float>.Count;

    [MethodImpl(Inline)]
    public static Lanes128 Load(float* address) => new(Vector128.Load(address));

    [MethodImpl(Inline)]
    public void Store(float* address) => v.Store(address);

    [MethodImpl(Inline)]
    public static Lanes128 All(float value) => new(Vector128.Create(value));

    [MethodImpl(Inline)]
    public static Lanes128 operator +(Lanes128 a, Lanes128 b) => new(a.v + b.v);

    [MethodImpl(Inline)]
    public static Lanes128 operator -(Lanes128 a, Lanes128 b) => new(a.v - b.v);

    [MethodImpl(Inline)]
    public static Lanes128 operator *(Lanes128 a, Lanes128 b) => new(a.v * b.v);

    [MethodImpl(Inline)]
    public static Lanes128 operator /(Lanes128 a, Lanes128 b) => new(a.v / b.v);

    [MethodImpl(Inline)]
    public static Lanes128 operator -(Lanes128 a) => new(-a.v);

    [MethodImpl(Inline)]
    public static Lanes128 Fma(Lanes128 a, Lanes128 b, Lanes128 c) => new(Vector128.FusedMultiplyAdd(a.v, b.v, c.v));

    [MethodImpl(Inline)]
    public static Lanes128 Abs(Lanes128 a) => new(Vector128.Abs(a.v));

    [MethodImpl(Inline)]
    public static Lanes128 Sqrt(Lanes128 a) => new(Vector128.Sqrt(a.v));

    [MethodImpl(Inline)]
    public static Lanes128 Round(Lanes128 a) => new(Vector128.Round(a.v));

    // Native: one instruction, which gives its second operand when either is NaN (x86) or the NaN (ARM).
    [MethodImpl(Inline)]
    public static Lanes128 Min(Lanes128 limit, Lanes128 x) => new(Vector128.MinNative(limit.v, x.v));

    [MethodImpl(Inline)]
    public static Lanes128 Max(Lanes128 limit, Lanes128 x) => new(Vector128.MaxNative(limit.v, x.v));

    [MethodImpl(Inline)]
    public static Lanes128 Less(Lanes128 a, Lanes128 b) => new(Vector128.LessThan(a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes128 Equal(Lanes128 a, Lanes128 b) => new(Vector128.Equals(a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes128 Where(Lanes128 mask, Lanes128 a, Lanes128 b) => new(Vector128.ConditionalSelect(mask.v, a.v, b.v));

    [MethodImpl(Inline)]
    public static Lanes128 Scale(Lanes128 x, Lanes128 n)
    {
        // Two factors, each a normal power of two: the first product is exact, only the second rounds.
        Vector128<float> half = Vector128.Round(n.v * 0.5f);
        return new(x.v * PowerOfTwo(half) * PowerOfTwo(n.v - half));
    }

    [MethodImpl(Inline)]
    public static Lanes128 SplitExponent(Lanes128 x, out Lanes128 n)
    {
        Vector128<int> bits = x.v.AsInt32();
        Vector128<int> exponent = (bits - Vector128.Create(VectorMath.RootHalfBits)) >> 23;
        n = new(Vector128.ConvertToSingle(exponent));
        return new((bits - (exponent << 23)).AsSingle());
    }

    [MethodImpl(Inline)]
    public static (Lanes128 Even, Lanes128 Odd) Deinterleave(Lanes128 a, Lanes128 b)
    {
        Vector128<int> order = Vector128.Create(0, 2, 1, 3);
        Vector128<float> p = Vector128.Shuffle(a.v, order), q = Vector128.Shuffle(b.v, order);
        return (new(Vector128.Create(p.GetLower(), q.GetLower())), new(Vector128.Create(p.GetUpper(), q.GetUpper())));
    }

    [MethodImpl(Inline)]
    public static (Lanes128 A, Lanes128 B) Interleave(Lanes128 even, Lanes128 odd)
    {
        Vector128<int> order = Vector128.Create(0, 2, 1, 3);
        return (
            new(Vector128.Shuffle(Vector128.Create(even.v.GetLower(), odd.v.GetLower()), order)),
            new(Vector128.Shuffle(Vector128.Create(even.v.GetUpper(), odd.v.GetUpper()), order)));
    }

    [MethodImpl(Inline)]
    private static Vector128<float> PowerOfTwo(Vector128<float> n) =>
        ((Vector128.ConvertToInt32Native(n) + Vector128.Create(127)) << 23).AsSingle();
}
