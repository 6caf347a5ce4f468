using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IChannelStats"/> on the host: per-channel sums in double over chunks of rows whose number depends on the
/// shape alone, added up in order.
/// </summary>
public sealed unsafe class HostChannelStats(Workers workers) : IChannelStats
{
    private const int ChunkElements = 32768;
    private const int MaxChunks = 256;
    private const double Epsilon = 1e-6;

    private readonly KeptMemory<double> memory = new();

    /// <inheritdoc/>
    public void InitializeActNorm(View x, View bias, View logs)
    {
        Shapes.CheckChannelStats(x, bias, logs);
        int channels = x.Cols;
        Chunks rows = new(x.Rows,
            Math.Max(1, Math.Max(ChunkElements / channels, (x.Rows + MaxChunks - 1) / MaxChunks)));
        double* sums = memory.Take((long)rows.Count * channels);
        float* b = HostBuffer.Address(bias), l = HostBuffer.Address(logs);

        workers.Run(rows.Count, new SumWork { Rows = rows, X = new HostRows(x), Sums = sums });
        for (int c = 0; c < channels; c++) b[c] = (float)(-Total(sums, c, channels, rows.Count) / x.Rows);

        // About the mean as rounded to float32, which is the one that actnorm will subtract.
        workers.Run(rows.Count, new SumWork { Rows = rows, X = new HostRows(x), Bias = b, Sums = sums });
        for (int c = 0; c < channels; c++)
        {
            double deviation = Math.Sqrt(Total(sums, c, channels, rows.Count) / x.Rows);
            l[c] = (float)(Math.Log(1 / (deviation + Epsilon)) / 3);
        }
    }

    private static double Total(double* sums, int channel, int channels, int chunks)
    {
        double total = 0;
        for (int chunk = 0; chunk < chunks; chunk++) total += sums[(long)chunk * channels + channel];
        return total;
    }

    /// <summary>Per chunk and channel, Σ x or, with a bias, Σ (x + bias)².</summary>
    private struct SumWork : IWork
    {
        public Chunks Rows;
        public HostRows X;
        public float* Bias;
        public double* Sums;

        public readonly void Run(int part, int worker)
        {
            double* sums = Sums + (long)part * X.Cols;
            new Span<double>(sums, X.Cols).Clear();
            (long first, long end) = Rows.Of(part);
            for (int row = (int)first; row < end; row++)
            {
                if (Bias is null) HostReduce.AddRow(X.Row(row), sums, X.Cols);
                else HostReduce.AddSquaresOfRow(X.Row(row), Bias, sums, X.Cols);
            }
        }
    }
}
