using System.Numerics;

namespace GlowGpu.Tests.Ptx;

/// <summary>The functions of the elementwise instructions. Integers wrap around.</summary>
internal static class Functions
{
    public struct Copy<T> : IUnary<T>
    {
        public static T Apply(T a) => a;
    }

    public struct Negate<T> : IUnary<T> where T : IUnaryNegationOperators<T, T>
    {
        public static T Apply(T a) => unchecked(-a);
    }

    public struct Not<T> : IUnary<T> where T : IBitwiseOperators<T, T, T>
    {
        public static T Apply(T a) => ~a;
    }

    public struct Abs : IUnary<float>
    {
        public static float Apply(float a) => Math.Abs(a);
    }

    public struct AbsInt : IUnary<int>
    {
        public static int Apply(int a) => a < 0 ? unchecked(-a) : a;
    }

    public struct Sqrt : IUnary<float>
    {
        public static float Apply(float a) => MathF.Sqrt(a);
    }

    public struct Reciprocal : IUnary<float>
    {
        public static float Apply(float a) => 1f / a;
    }

    public struct ReciprocalSqrt : IUnary<float>
    {
        public static float Apply(float a) => (float)(1 / Math.Sqrt(a));
    }

    public struct Exp2 : IUnary<float>
    {
        public static float Apply(float a) => (float)Math.Pow(2, a);
    }

    public struct Log2 : IUnary<float>
    {
        public static float Apply(float a) => (float)Math.Log2(a);
    }

    public struct Tanh : IUnary<float>
    {
        public static float Apply(float a) => (float)Math.Tanh(a);
    }

    public struct Add<T> : IBinary<T> where T : IAdditionOperators<T, T, T>
    {
        public static T Apply(T a, T b) => unchecked(a + b);
    }

    public struct Subtract<T> : IBinary<T> where T : ISubtractionOperators<T, T, T>
    {
        public static T Apply(T a, T b) => unchecked(a - b);
    }

    public struct Multiply<T> : IBinary<T> where T : IMultiplyOperators<T, T, T>
    {
        public static T Apply(T a, T b) => unchecked(a * b);
    }

    public struct Divide : IBinary<float>
    {
        public static float Apply(float a, float b) => a / b;
    }

    // A device returns some value of its own choice for a division by zero, which no kernel may count on. The smallest
    // integer divided by −1 wraps around.
    public struct DivideSigned<T> : IBinary<T> where T : IBinaryInteger<T>, ISignedNumber<T>
    {
        public static T Apply(T a, T b) => T.IsZero(b) ? throw new PtxException("a division by zero") : b == -T.One
            ? unchecked(-a) : a / b;
    }

    public struct RemainderSigned<T> : IBinary<T> where T : IBinaryInteger<T>, ISignedNumber<T>
    {
        public static T Apply(T a, T b) => T.IsZero(b) ? throw new PtxException("a division by zero")
            : b == -T.One ? T.Zero : a % b;
    }

    public struct DivideUnsigned<T> : IBinary<T> where T : IBinaryInteger<T>
    {
        public static T Apply(T a, T b) => T.IsZero(b) ? throw new PtxException("a division by zero") : a / b;
    }

    public struct RemainderUnsigned<T> : IBinary<T> where T : IBinaryInteger<T>
    {
        public static T Apply(T a, T b) => T.IsZero(b) ? throw new PtxException("a division by zero") : a % b;
    }

    // Numbers win over NaN, as in PTX.
    public struct Min<T> : IBinary<T> where T : INumber<T>
    {
        public static T Apply(T a, T b) => T.MinNumber(a, b);
    }

    public struct Max<T> : IBinary<T> where T : INumber<T>
    {
        public static T Apply(T a, T b) => T.MaxNumber(a, b);
    }

    public struct And<T> : IBinary<T> where T : IBitwiseOperators<T, T, T>
    {
        public static T Apply(T a, T b) => a & b;
    }

    public struct Or<T> : IBinary<T> where T : IBitwiseOperators<T, T, T>
    {
        public static T Apply(T a, T b) => a | b;
    }

    public struct Xor<T> : IBinary<T> where T : IBitwiseOperators<T, T, T>
    {
        public static T Apply(T a, T b) => a ^ b;
    }

    public struct MultiplyAdd<T> : ITernary<T> where T : IMultiplyOperators<T, T, T>, IAdditionOperators<T, T, T>
    {
        public static T Apply(T a, T b, T c) => unchecked(a * b + c);
    }

    public struct FusedMultiplyAdd : ITernary<float>
    {
        public static float Apply(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);
    }

    public struct Equal<T> : IComparison<T> where T : IEqualityOperators<T, T, bool>
    {
        public static bool Apply(T a, T b) => a == b;
    }

    // Ordered: false for NaN.
    public struct NotEqual<T> : IComparison<T> where T : INumber<T>
    {
        public static bool Apply(T a, T b) => a < b || a > b;
    }

    public struct Less<T> : IComparison<T> where T : IComparisonOperators<T, T, bool>
    {
        public static bool Apply(T a, T b) => a < b;
    }

    public struct LessOrEqual<T> : IComparison<T> where T : IComparisonOperators<T, T, bool>
    {
        public static bool Apply(T a, T b) => a <= b;
    }

    public struct Greater<T> : IComparison<T> where T : IComparisonOperators<T, T, bool>
    {
        public static bool Apply(T a, T b) => a > b;
    }

    public struct GreaterOrEqual<T> : IComparison<T> where T : IComparisonOperators<T, T, bool>
    {
        public static bool Apply(T a, T b) => a >= b;
    }

    public struct Ordered<T> : IComparison<T> where T : INumberBase<T>
    {
        public static bool Apply(T a, T b) => !T.IsNaN(a) && !T.IsNaN(b);
    }

    /// <summary>The opposite: true for NaN.</summary>
    public struct Opposite<T, TComparison> : IComparison<T> where TComparison : struct, IComparison<T>
    {
        public static bool Apply(T a, T b) => !TComparison.Apply(a, b);
    }
}
