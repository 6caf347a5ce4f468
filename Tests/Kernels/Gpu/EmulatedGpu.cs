using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>
/// The GPU backend on ILGPU's emulator, for one test fixture: every thread of a group is a thread of the system, so
/// groups and shapes stay tiny.
/// </summary>
internal sealed class EmulatedGpu(int groupSize = 4) : IDisposable
{
    private readonly Random random = new(20180709);

    public GpuBackend Backend { get; } = DeviceProbe.Emulated(groupSize).Open();

    public GpuContext Gpu => Backend.Gpu;

    /// <summary>A dense view of zeros.</summary>
    public View Zeros(int rows, int cols) => View.Dense(Backend.Allocate((long)rows * cols), 0, rows, cols);

    /// <summary>A dense view of these values.</summary>
    public View Upload(int rows, int cols, ReadOnlySpan<float> values)
    {
        View view = Zeros(rows, cols);
        view.Write(values);
        return view;
    }

    /// <summary>A dense view of uniform numbers in (−scale, scale), and those numbers.</summary>
    public (View View, float[] Values) Draw(int rows, int cols, double scale = 1)
    {
        float[] values = [.. Enumerable.Range(0,
            rows * cols).Select(_ => (float)((2 * random.NextDouble() - 1) * scale))];
        return (Upload(rows, cols, values), values);
    }

    public void Dispose() => Backend.Dispose();

    /// <summary>
    /// Every element within <paramref name="relative"/> of the expected one or of the largest, whichever is more.
    /// </summary>
    public static void AssertClose(string name, ReadOnlySpan<float> got, ReadOnlySpan<double> expected, double relative)
    {
        Assert.That(got.Length, Is.EqualTo(expected.Length), $"{name}: number of elements");
        double scale = 0;
        foreach (double e in expected) scale = Math.Max(scale, Math.Abs(e));
        for (int i = 0; i < got.Length; i++)
        {
            // Negated, so that NaN fails.
            if (!(Math.Abs(got[i] - expected[i]) <= relative * scale))
                Assert.Fail($"{name}[{i}]: expected {expected[i]:R}, got {got[i]:R}, tolerance {relative * scale:e1}");
        }
    }
}
