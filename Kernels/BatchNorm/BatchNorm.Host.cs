using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IBatchNorm"/> on the host. Sums per channel are in double over chunks of rows whose number depends on
/// the shape alone, added up in order; the elementwise passes gather tiles and repeat the channels' values beside
/// them, so that one dense vector loop serves every number of channels. y may be x.
/// </summary>
public sealed unsafe class HostBatchNorm(Workers workers) : IBatchNorm
{
    private const float Epsilon = 1e-5f;
    private const int ChunkElements = 32768;
    private const int MaxChunks = 256;

    private readonly KeptMemory<double> sumMemory = new();
    private readonly KeptMemory<float> rowMemory = new();

    /// <inheritdoc/>
    public void Measure(View x, View mean, View variance)
    {
        Shapes.CheckBatchNormMeasure(x, mean, variance);
        int channels = x.Cols;
        Chunks rows = Cut(x);
        double* sums = sumMemory.Take((long)rows.Count * channels);
        float* shift = rowMemory.Take(channels), m = HostBuffer.Address(mean), v = HostBuffer.Address(variance);
        workers.Run(rows.Count, new StatisticsWork { Rows = rows, X = new HostRows(x), Sums = sums });
        for (int c = 0; c < channels; c++)
        {
            m[c] = (float)(Total(sums, c, channels, rows.Count) / x.Rows);
            shift[c] = -m[c];
        }
        // About the mean as rounded to float32, which is the one that will be subtracted.
        workers.Run(rows.Count, new StatisticsWork { Rows = rows, X = new HostRows(x), Shift = shift, Sums = sums });
        for (int c = 0; c < channels; c++) v[c] = (float)(Total(sums, c, channels, rows.Count) / x.Rows);
    }

    /// <inheritdoc/>
    public void Apply(View x, View mean, View variance, BatchNormAffine affine, View y)
    {
        Shapes.CheckBatchNorm(x, mean, variance, affine, y);
        Chunks rows = Cut(x);
        workers.RunVectors(rows.Count,
            new ApplyWork
            {
                Rows = rows,
                X = new HostRows(x),
                Y = new HostRows(y),
                Norm = Of(mean, variance, affine)
            });
    }

    /// <inheritdoc/>
    public void Invert(View y, View mean, View variance, View x)
    {
        Shapes.CheckBatchNorm(y, mean, variance, default, x);
        Chunks rows = Cut(x);
        workers.RunVectors(rows.Count,
            new InvertWork
            {
                Rows = rows,
                X = new HostRows(x),
                Y = new HostRows(y),
                Norm = Of(mean, variance, default)
            });
    }

    /// <inheritdoc/>
    public void AddLogDet(Pixels pixels, View variance, float sign, View logdet)
    {
        Shapes.CheckBatchNormLogDet(pixels, variance, logdet);
        float* v = HostBuffer.Address(variance), target = HostBuffer.Address(logdet);
        double sum = 0;
        for (int c = 0; c < variance.Count; c++) sum += Math.Log((double)v[c] + Epsilon);
        sum *= -0.5 * sign * pixels.H * pixels.W;
        for (int n = 0; n < pixels.N; n++) target[n] = (float)(target[n] + sum);
    }

    /// <inheritdoc/>
    public void Backward(View x, View mean, View variance, BatchNormAffine affine, View dy, float gLogDet, View dx,
        BatchNormAffine gradients)
    {
        Shapes.CheckBatchNormBackward(x, mean, variance, affine, dy, dx, gradients);
        int channels = x.Cols;
        Chunks rows = Cut(x);
        double* sums = sumMemory.Take(2L * rows.Count * channels);
        Norm norm = Of(mean, variance, affine);
        HostRows input = new(x), output = new(dy);
        workers.RunVectors(rows.Count, new SumWork { Rows = rows, X = input, DY = output, Norm = norm, Sums = sums });

        // The kept rows behind r.
        float* means = norm.Over + channels;
        for (int c = 0; c < channels; c++)
        {
            double g = Total(sums, c, 2 * channels, rows.Count),
                gn = Total(sums, channels + c, 2 * channels, rows.Count);
            means[c] = (float)(g / x.Rows);
            means[channels + c] = (float)(gn / x.Rows);
            if (affine.IsNone) continue;
            HostBuffer.Address(gradients.Bias)[c] = (float)g;
            HostBuffer.Address(gradients.Gain)[c] = (float)gn;
        }
        workers.RunVectors(rows.Count, new GradientWork
        {
            Rows = rows,
            X = input,
            DY = output,
            DX = new HostRows(dx),
            Norm = norm,
            Means = means,
            GLogDet = gLogDet,
        });
    }

    /// <inheritdoc/>
    public void Blend(View batch, View running, float momentum, View scale = default)
    {
        Shapes.CheckBatchNormBlend(batch, running, momentum, scale);
        if (!scale.IsNone && float.IsNaN(*HostBuffer.Address(scale))) return;
        float* b = HostBuffer.Address(batch), r = HostBuffer.Address(running);
        for (int c = 0; c < batch.Count; c++) r[c] += momentum * (b[c] - r[c]);
    }

    private static Chunks Cut(View x) =>
        new(x.Rows, Math.Max(1, Math.Max(ChunkElements / x.Cols, (x.Rows + MaxChunks - 1) / MaxChunks)));

    private static double Total(double* sums, int column, int columns, int chunks)
    {
        double total = 0;
        for (int chunk = 0; chunk < chunks; chunk++) total += sums[(long)chunk * columns + column];
        return total;
    }

    /// <summary>The channels' values; the first part of the kept rows holds r = 1/√(variance + ε).</summary>
    private Norm Of(View mean, View variance, BatchNormAffine affine)
    {
        int channels = (int)mean.Count;
        float* over = rowMemory.Take(3L * channels), v = HostBuffer.Address(variance);
        for (int c = 0; c < channels; c++) over[c] = (float)(1 / Math.Sqrt((double)v[c] + Epsilon));
        return new Norm
        {
            Mean = HostBuffer.Address(mean),
            Over = over,
            Gain = affine.IsNone ? null : HostBuffer.Address(affine.Gain),
            Bias = affine.IsNone ? null : HostBuffer.Address(affine.Bias),
        };
    }

    private struct Norm
    {
        public float* Mean, Over, Gain, Bias;
    }

    /// <summary>Per chunk and channel, Σ x or, with a shift, Σ (x + shift)².</summary>
    private struct StatisticsWork : IWork
    {
        public Chunks Rows;
        public HostRows X;
        public float* Shift;
        public double* Sums;

        public readonly void Run(int part, int worker)
        {
            double* sums = Sums + (long)part * X.Cols;
            new Span<double>(sums, X.Cols).Clear();
            (long first, long end) = Rows.Of(part);
            for (int row = (int)first; row < end; row++)
            {
                if (Shift is null) HostReduce.AddRow(X.Row(row), sums, X.Cols);
                else HostReduce.AddSquaresOfRow(X.Row(row), Shift, sums, X.Cols);
            }
        }
    }

    /// <summary>
    /// The channels' values of a tile, repeated for each of its rows. Tiles of one width repeat alike, so few are
    /// filled.
    /// </summary>
    private ref struct Channels(Norm norm, float* memory)
    {
        private readonly Norm norm = norm;
        private int column = -1, count;

        public readonly bool HasAffine => norm.Gain is not null;

        public readonly float* Mean => memory;

        public readonly float* Over => memory + Tile.Length;

        public readonly float* Gain => memory + 2 * Tile.Length;

        public readonly float* Bias => memory + 3 * Tile.Length;

        /// <summary>Floats of memory for all four.</summary>
        public const int Length = 4 * Tile.Length;

        public void Turn(Tile tile)
        {
            if (tile.Col == column && tile.Count <= count) return;
            (column, count) = (tile.Col, tile.Count);
            HostRows.Repeat(norm.Mean, tile, Mean);
            HostRows.Repeat(norm.Over, tile, Over);
            if (norm.Gain is null) return;
            HostRows.Repeat(norm.Gain, tile, Gain);
            HostRows.Repeat(norm.Bias, tile, Bias);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly V Normalize<V>(float* x, int i) where V : struct, ILanes<V> =>
            (V.Load(x + i) - V.Load(Mean + i)) * V.Load(Over + i);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly V Affine<V>(V n, int i) where V : struct,
            ILanes<V> => V.Fma(n, V.Load(Gain + i), V.Load(Bias + i));
    }

    private struct ApplyWork : IVectorWork
    {
        public Chunks Rows;
        public HostRows X, Y;
        public Norm Norm;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* x = stackalloc float[Tile.Length], memory = stackalloc float[Channels.Length];
            Channels channels = new(Norm, memory);
            (long first, long end) = Rows.Of(part);
            TileWalk tiles = new((int)first, (int)end, X.Cols);
            while (tiles.Next())
            {
                Tile tile = tiles.Current;
                X.Gather(tile, x);
                channels.Turn(tile);
                if (Norm.Gain is null)
                {
                    for (int i = 0; i < tile.Count; i += V.Count) channels.Normalize<V>(x, i).Store(x + i);
                }
                else
                {
                    for (int i = 0; i < tile.Count; i += V.Count)
                        V.Max(V.All(0), channels.Affine(channels.Normalize<V>(x, i), i)).Store(x + i);
                }
                Y.Scatter(tile, x);
            }
        }
    }

    private struct InvertWork : IVectorWork
    {
        public Chunks Rows;
        public HostRows X, Y;
        public Norm Norm;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* y = stackalloc float[Tile.Length], memory = stackalloc float[Channels.Length];
            Channels channels = new(Norm, memory);
            (long first, long end) = Rows.Of(part);
            TileWalk tiles = new((int)first, (int)end, Y.Cols);
            while (tiles.Next())
            {
                Tile tile = tiles.Current;
                Y.Gather(tile, y);
                channels.Turn(tile);
                for (int i = 0; i < tile.Count; i += V.Count)
                    (V.Load(y + i) / V.Load(channels.Over + i) + V.Load(channels.Mean + i)).Store(y + i);
                X.Scatter(tile, y);
            }
        }
    }

    /// <summary>Per chunk and channel, Σ g and Σ g·n.</summary>
    private struct SumWork : IVectorWork
    {
        public Chunks Rows;
        public HostRows X, DY;
        public Norm Norm;
        public double* Sums;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* x = stackalloc float[Tile.Length], g = stackalloc float[Tile.Length],
                memory = stackalloc float[Channels.Length];
            double* sums = Sums + 2L * part * X.Cols;
            new Span<double>(sums, 2 * X.Cols).Clear();
            Channels channels = new(Norm, memory);
            (long first, long end) = Rows.Of(part);
            TileWalk tiles = new((int)first, (int)end, X.Cols);
            while (tiles.Next())
            {
                Tile tile = tiles.Current;
                X.Gather(tile, x);
                DY.Gather(tile, g);
                channels.Turn(tile);
                for (int i = 0; i < tile.Count; i += V.Count)
                {
                    V n = channels.Normalize<V>(x, i), open = Open(channels, n, V.Load(g + i), i);
                    open.Store(g + i);
                    (open * n).Store(x + i);
                }
                for (int r = 0; r < tile.Rows; r++)
                {
                    HostReduce.AddRow(g + r * tile.Cols, sums + tile.Col, tile.Cols);
                    HostReduce.AddRow(x + r * tile.Cols, sums + X.Cols + tile.Col, tile.Cols);
                }
            }
        }
    }

    private struct GradientWork : IVectorWork
    {
        public Chunks Rows;
        public HostRows X, DY, DX;
        public Norm Norm;

        /// <summary>Means over all rows, of g and of g·n.</summary>
        public float* Means;
        public float GLogDet;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* x = stackalloc float[Tile.Length], g = stackalloc float[Tile.Length],
                dx = stackalloc float[Tile.Length];
            float* means = stackalloc float[2 * Tile.Length], memory = stackalloc float[Channels.Length];
            Channels channels = new(Norm, memory);
            V gLogDet = V.All(GLogDet);
            (long first, long end) = Rows.Of(part);
            TileWalk tiles = new((int)first, (int)end, X.Cols);
            while (tiles.Next())
            {
                Tile tile = tiles.Current;
                X.Gather(tile, x);
                DY.Gather(tile, g);
                DX.Gather(tile, dx);
                channels.Turn(tile);
                HostRows.Repeat(Means, tile, means);
                HostRows.Repeat(Means + X.Cols, tile, means + Tile.Length);
                for (int i = 0; i < tile.Count; i += V.Count)
                {
                    V n = channels.Normalize<V>(x, i);
                    V d = Open(channels, n, V.Load(g + i), i) - V.Load(means + i) - n * V.Load(means + Tile.Length + i);
                    if (Norm.Gain is not null) d *= V.Load(channels.Gain + i);
                    V.Fma(V.Load(channels.Over + i), d - gLogDet * n, V.Load(dx + i)).Store(dx + i);
                }
                DX.Scatter(tile, dx);
            }
        }
    }

    /// <summary>g where the ReLU behind n is open, else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Open<V>(Channels channels, V n, V g, int i) where V : struct, ILanes<V> =>
        channels.HasAffine ? V.Where(V.Less(V.All(0), channels.Affine(n, i)), g, V.All(0)) : g;
}
