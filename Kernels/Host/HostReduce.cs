using System.Numerics;
using static GlowGpu.Kernels.Host.DoubleVector;

namespace GlowGpu.Kernels.Host;

/// <summary>Sums of float32 values in double, in an order that depends on the length alone.</summary>
internal static unsafe class HostReduce
{
    /// <summary>Σ x.</summary>
    public static double Sum(float* x, long count)
    {
        // Four sums: one chain of additions would wait for itself.
        Vector<double> s0 = default, s1 = default, s2 = default, s3 = default;
        int width = Vector<float>.Count;
        long i = 0;
        for (; i + 2 * width <= count; i += 2 * width)
        {
            LoadWide(x + i, out Vector<double> a, out Vector<double> b);
            LoadWide(x + i + width, out Vector<double> c, out Vector<double> d);
            s0 += a;
            s1 += b;
            s2 += c;
            s3 += d;
        }
        double sum = Vector.Sum(s0 + s1 + (s2 + s3));
        for (; i < count; i++) sum += x[i];
        return sum;
    }

    /// <summary>Σ x².</summary>
    public static double SumOfSquares(float* x, long count)
    {
        Vector<double> s0 = default, s1 = default, s2 = default, s3 = default;
        int width = Vector<float>.Count;
        long i = 0;
        for (; i + 2 * width <= count; i += 2 * width)
        {
            LoadWide(x + i, out Vector<double> a, out Vector<double> b);
            LoadWide(x + i + width, out Vector<double> c, out Vector<double> d);
            s0 = MultiplyAdd(a, a, s0);
            s1 = MultiplyAdd(b, b, s1);
            s2 = MultiplyAdd(c, c, s2);
            s3 = MultiplyAdd(d, d, s3);
        }
        double sum = Vector.Sum(s0 + s1 + (s2 + s3));
        for (; i < count; i++) sum += (double)x[i] * x[i];
        return sum;
    }

    /// <summary>
    /// target[i] += Σ over so many arrays, <paramref name="next"/> floats apart, of x[i], in their order.
    /// </summary>
    public static void Add(float* target, float* x, nint next, int arrays, nint length)
    {
        if (arrays == 0) return;
        int width = Vector<float>.Count;
        nint i = 0;
        for (; i + width <= length; i += width)
        {
            Vector<float> sum = Vector.Load(target + i);
            for (int array = 0; array < arrays; array++) sum += Vector.Load(x + array * next + i);
            sum.Store(target + i);
        }
        for (; i < length; i++)
            for (int array = 0; array < arrays; array++) target[i] += x[array * next + i];
    }

    /// <summary>sums[c] += row[c].</summary>
    public static void AddRow(float* row, double* sums, int count)
    {
        int width = Vector<float>.Count, half = Vector<double>.Count, i = 0;
        for (; i + width <= count; i += width)
        {
            LoadWide(row + i, out Vector<double> low, out Vector<double> high);
            Store(sums + i, Load(sums + i) + low);
            Store(sums + i + half, Load(sums + i + half) + high);
        }
        for (; i < count; i++) sums[i] += row[i];
    }

    /// <summary>sums[c] += (row[c] + shift[c])².</summary>
    public static void AddSquaresOfRow(float* row, float* shift, double* sums, int count)
    {
        int width = Vector<float>.Count, half = Vector<double>.Count, i = 0;
        for (; i + width <= count; i += width)
        {
            LoadWide(row + i, out Vector<double> low, out Vector<double> high);
            LoadWide(shift + i, out Vector<double> shiftLow, out Vector<double> shiftHigh);
            low += shiftLow;
            high += shiftHigh;
            Store(sums + i, MultiplyAdd(low, low, Load(sums + i)));
            Store(sums + i + half, MultiplyAdd(high, high, Load(sums + i + half)));
        }
        for (; i < count; i++)
        {
            double v = (double)row[i] + shift[i];
            sums[i] += v * v;
        }
    }
}
