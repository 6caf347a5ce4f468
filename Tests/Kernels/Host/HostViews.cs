using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Views of host memory for tests, filled from a seeded generator; released together.</summary>
internal sealed class HostViews(int seed) : IDisposable
{
    private readonly Random random = new(seed);
    private readonly List<HostBuffer> buffers = [];

    /// <summary>Dense <c>[rows, cols]</c> of normal values.</summary>
    public View Normal(int rows, int cols, double spread = 1) => Fill(Zeros(rows, cols),
        () => (float)(spread * Normal()));

    /// <summary>The last <paramref name="cols"/> columns of rows of <paramref name="stride"/> normal values.</summary>
    public View Strided(int rows, int cols, int stride, double spread = 1) =>
        Normal(rows, stride, spread).Columns(stride - cols, cols);

    /// <summary>Dense zeros.</summary>
    public View Zeros(int rows, int cols)
    {
        HostBuffer buffer = new((long)rows * cols);
        buffers.Add(buffer);
        return View.Dense(buffer, 0, rows, cols);
    }

    /// <summary>One row of whole numbers below a limit.</summary>
    public View Integers(int count, int below) => Fill(Zeros(1, count), () => random.Next(below));

    /// <summary>One row of these values.</summary>
    public View Of(params float[] values)
    {
        View view = Zeros(1, values.Length);
        view.Write(values);
        return view;
    }

    /// <summary>A normal draw.</summary>
    public double Normal() =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>Everything a view's buffer holds, its gaps included.</summary>
    public static float[] Everything(View view)
    {
        float[] values = new float[view.Buffer.Length];
        view.Buffer.Read(0, values);
        return values;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (HostBuffer buffer in buffers) buffer.Dispose();
    }

    private static View Fill(View view, Func<float> next)
    {
        float[] values = new float[view.Count];
        for (int i = 0; i < values.Length; i++) values[i] = next();
        view.Write(values);
        return view;
    }
}
