using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>The channel GEMM takes its tiles of pixels where it can, and products elsewhere.</summary>
[TestFixture]
internal sealed class PixelTilesTests
{
    // Blocks of four channels, threads: threads that share a block of dw, one thread a block, and too few for backward.
    [TestCase(4, 16, 1, true, true)]
    [TestCase(12, 16, 37, true, true)]
    [TestCase(12, 4, 9, true, false)]
    [TestCase(36, 4, 6, true, false)]
    [TestCase(6, 4, 5, false, false)]
    [TestCase(68, 4, 5, false, false)]
    public void ItsKernelsRunWhereTheyFit(int channels, int threads, int pixels, bool tiled, bool tiledBackward)
    {
        Context context = Context.Create(static builder => builder.Optimize(OptimizationLevel.O1));
        Accelerator accelerator = new CPUDevice(threads, 1, 1).CreateAccelerator(context);
        Recorder recorder = new(accelerator);
        using GpuBackend backend = new(accelerator, new GpuTraits(0, 48 * 1024), recorder);
        float[] x = Values(pixels * channels), w = Values(channels * channels), b = Values(channels),
            dy = Values(pixels * channels + 1)[1..];
        View vx = Upload(x, pixels), vdy = Upload(dy, pixels), vw = Upload(w, channels), vb = Upload(b, 1);
        View y = Upload(new float[x.Length], pixels), dx = Upload(new float[x.Length], pixels),
            dw = Upload(new float[w.Length], channels), db = Upload(new float[channels], 1);
        backend.ChannelAffine.Apply(vx, vw, vb, y);
        backend.ChannelAffine.Backward(vdy, vx, vw, dx, dw, db);
        Assert.Multiple(() =>
        {
            EmulatedGpu.AssertClose("y", y.ToArray(), Sums(pixels, channels, channels,
                (p, j, i) => (double)x[p * channels + i] * w[i * channels + j], j => b[j]), 1e-6);
            EmulatedGpu.AssertClose("dx", dx.ToArray(), Sums(pixels, channels, channels,
                (p, i, j) => (double)dy[p * channels + j] * w[i * channels + j], static _ => 0), 1e-6);
            EmulatedGpu.AssertClose("dw", dw.ToArray(), Sums(channels, channels, pixels,
                (i, j, p) => (double)x[p * channels + i] * dy[p * channels + j], static _ => 0), 1e-6);
            EmulatedGpu.AssertClose("db", db.ToArray(), Sums(1, channels, pixels, (_, j, p) => dy[p * channels + j],
                static _ => 0), 1e-6);
            Assert.That(recorder.Loaded.Contains("PixelTiles.Apply"), Is.EqualTo(tiled), "forward in tiles");
            Assert.That(recorder.Loaded.Contains("PixelTiles.Backward"), Is.EqualTo(tiledBackward),
                "backward in tiles");
        });

        View Upload(float[] values, int rows)
        {
            View view = View.Dense(backend.Allocate(values.Length), 0, rows, values.Length / rows);
            view.Write(values);
            return view;
        }
    }

    private static double[] Sums(int rows, int cols, int terms, Func<int, int, int, double> term,
        Func<int, double> first) =>
    [
        .. from row in Enumerable.Range(0, rows)
           from col in Enumerable.Range(0, cols)
           select first(col) + Enumerable.Range(0, terms).Sum(k => term(row, col, k)),
    ];

    private static float[] Values(int count)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(2 * random.NextDouble() - 1))];
    }

    /// <summary>The device's runner, and what it was asked for.</summary>
    private sealed class Recorder(Accelerator accelerator) : IKernelRunner
    {
        private readonly DriverRunner driver = new(accelerator);

        public HashSet<string> Loaded { get; } = [];

        public Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method)
            where TArguments : struct
        {
            Loaded.Add($"{method.Method.DeclaringType!.Name}.{method.Method.Name}");
            return driver.Load(method);
        }
    }
}
