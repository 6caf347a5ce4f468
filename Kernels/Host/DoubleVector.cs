using System.Numerics;
using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>Loads, stores and multiply-adds of float64 vectors at the processor's width.</summary>
internal static unsafe class DoubleVector
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<double> Load(double* p) => Unsafe.ReadUnaligned<Vector<double>>(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(double* p, Vector<double> v) => Unsafe.WriteUnaligned(p, v);

    /// <summary>A float32 vector at <paramref name="p"/> as two of float64: its first half, then its second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadWide(float* p, out Vector<double> low, out Vector<double> high) =>
        Vector.Widen(Unsafe.ReadUnaligned<Vector<float>>(p), out low, out high);

    /// <summary>a·b + c, rounded once where the processor has an instruction for it and twice elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<double> MultiplyAdd(Vector<double> a, Vector<double> b, Vector<double> c) =>
        Vector.MultiplyAddEstimate(a, b, c);
}
