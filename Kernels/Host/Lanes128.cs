using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

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
    public static Lanes128 LoadFirst(float* address, int count)
    {
        if (count == 1) return new(Vector128.CreateScalar(*address));
        if (count == 4) return Load(address);
        return new(Vector128.Create(Vector64.Load(address), count == 2 ? Vector64<float>.Zero
            : Vector64.CreateScalar(address[2])));
    }

    [MethodImpl(Inline)]
    public void Store(float* address) => v.Store(address);

    [MethodImpl(Inline)]
    public void StoreStreaming(float* address) => Store(address);

    [MethodImpl(Inline)]
    public void StoreFirst(float* address, int count)
    {
        if (count == 4) v.Store(address);
        else if (count == 1) *address = v.ToScalar();
        else v.GetLower().Store(address);
        if (count == 3) address[2] = v.GetElement(2);
    }

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
    public static Lanes128 MultiplyAdd(Lanes128 a, Lanes128 b, Lanes128 c) =>
        new(Vector128.MultiplyAddEstimate(a.v, b.v, c.v));

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
    public static Lanes128 Where(Lanes128 mask, Lanes128 a, Lanes128 b) =>
        new(Vector128.ConditionalSelect(mask.v, a.v, b.v));

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

    // By instruction rather than from halves: the JIT takes the halves of a 128-bit vector through memory.
    [MethodImpl(Inline)]
    public static (Lanes128 Even, Lanes128 Odd) Deinterleave(Lanes128 a, Lanes128 b)
    {
        if (Sse.IsSupported)
            return (new(Sse.Shuffle(a.v, b.v, 0b10_00_10_00)), new(Sse.Shuffle(a.v, b.v, 0b11_01_11_01)));
        if (AdvSimd.Arm64.IsSupported)
            return (new(AdvSimd.Arm64.UnzipEven(a.v, b.v)), new(AdvSimd.Arm64.UnzipOdd(a.v, b.v)));
        return (
            new(Vector128.Create(a.v[0], a.v[2], b.v[0], b.v[2])),
            new(Vector128.Create(a.v[1], a.v[3], b.v[1], b.v[3])));
    }

    [MethodImpl(Inline)]
    public static (Lanes128 A, Lanes128 B) Interleave(Lanes128 even, Lanes128 odd)
    {
        if (Sse.IsSupported) return (new(Sse.UnpackLow(even.v, odd.v)), new(Sse.UnpackHigh(even.v, odd.v)));
        if (AdvSimd.Arm64.IsSupported)
            return (new(AdvSimd.Arm64.ZipLow(even.v, odd.v)), new(AdvSimd.Arm64.ZipHigh(even.v, odd.v)));
        return (
            new(Vector128.Create(even.v[0], odd.v[0], even.v[1], odd.v[1])),
            new(Vector128.Create(even.v[2], odd.v[2], even.v[3], odd.v[3])));
    }

    [MethodImpl(Inline)]
    private static Vector128<float> PowerOfTwo(Vector128<float> n) =>
        ((Vector128.ConvertToInt32Native(n) + Vector128.Create(127)) << 23).AsSingle();
}
