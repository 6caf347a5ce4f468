using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IGaussianScore"/> on the host, tile by tile like <see cref="HostCouple"/>: gathered into stack buffers,
/// one dense vector loop, scattered. Log-densities are summed in double per segment of an image. eps may be z, dz may
/// be z.
/// </summary>
public sealed unsafe class HostGaussianScore(Workers workers) : IGaussianScore
{
    private const double HalfLogTwoPi = 0.91893853320467274178;

    private readonly KeptMemory<double> segmentSums = new();

    /// <inheritdoc/>
    public void Forward(Pixels pixels, StatsLayout layout, View z, View stats, View logp, View eps)
    {
        Shapes.CheckGaussianScore(pixels, z, stats, logp, eps);
        ImageSegments segments = new(pixels, z.Cols);
        double* sums = logp.IsNone ? null : segmentSums.Take(segments.Count);
        workers.RunVectors(segments.Parts, new ForwardWork
        {
            Segments = segments,
            Z = new HostRows(z),
            Stats = new Statistics(layout, stats),
            Eps = new HostRows(eps),
            Sums = sums,
        });
        if (sums is not null) segments.AddTo(HostBuffer.Address(logp), 1, sums);
    }

    /// <inheritdoc/>
    public void Inverse(Pixels pixels, StatsLayout layout, View eps, View stats, View z)
    {
        Shapes.CheckGaussianScoreInverse(pixels, eps, stats, z);
        ImageSegments segments = new(pixels, z.Cols);
        workers.RunVectors(segments.Parts, new InverseWork
        {
            Segments = segments,
            Z = new HostRows(z),
            Stats = new Statistics(layout, stats),
            Eps = new HostRows(eps),
        });
    }

    /// <inheritdoc/>
    public void Backward(Pixels pixels, StatsLayout layout, View z, View stats, float gLogP, View dz, View dstats)
    {
        Shapes.CheckGaussianScoreBackward(pixels, z, stats, dz, dstats);
        ImageSegments segments = new(pixels, z.Cols);
        workers.RunVectors(segments.Parts, new BackwardWork
        {
            Segments = segments,
            Z = new HostRows(z),
            Stats = new Statistics(layout, stats),
            DZ = new HostRows(dz),
            DStats = new Statistics(layout, dstats),
            GLogP = gLogP,
        });
    }

    /// <summary>Mean and logs of a tile, to and from either layout.</summary>
    private readonly struct Statistics(StatsLayout layout, View stats)
    {
        private readonly StatsLayout layout = layout;
        private readonly HostRows rows = new(stats);

        public void Gather<V>(Tile tile, float* mean, float* logs) where V : struct, ILanes<V>
        {
            int c = rows.Cols / 2;
            if (layout == StatsLayout.Interleaved)
            {
                Pairs.Split<V>(rows.Address + 2 * tile.Offset(c), tile.Count, mean, logs);
                return;
            }
            rows.Columns(0, c).Gather(tile, mean);
            rows.Columns(c, c).Gather(tile, logs);
        }

        public void Scatter<V>(Tile tile, float* mean, float* logs) where V : struct, ILanes<V>
        {
            int c = rows.Cols / 2;
            if (layout == StatsLayout.Interleaved)
            {
                Pairs.Join<V>(mean, logs, tile.Count, rows.Address + 2 * tile.Offset(c));
                return;
            }
            rows.Columns(0, c).Scatter(tile, mean);
            rows.Columns(c, c).Scatter(tile, logs);
        }
    }

    private struct ForwardWork : IVectorWork
    {
        public ImageSegments Segments;
        public HostRows Z, Eps;
        public Statistics Stats;
        public double* Sums;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], mean = stackalloc float[Tile.Length];
            float* logs = stackalloc float[Tile.Length];
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                (int row, int endRow) = Segments.Rows(segment);
                // The constant is added once, exactly; padded lanes of zeros then score zero.
                double sum = -HalfLogTwoPi * (endRow - row) * Z.Cols;
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    Z.Gather(tile, z);
                    Stats.Gather<V>(tile, mean, logs);
                    Pairs.Pad<V>(z, tile.Count, 0);
                    Pairs.Pad<V>(mean, tile.Count, 0);
                    int padded = Pairs.Pad<V>(logs, tile.Count, 0);
                    Score<V>(padded, z, mean, logs);
                    if (!Eps.IsNone) Eps.Scatter(tile, z);
                    if (Sums is not null) sum += HostReduce.Sum(logs, padded);
                }
                if (Sums is not null) Sums[segment] = sum;
            }
        }

        /// <summary>z ← eps, logs ← −½·eps² − logs.</summary>
        private static void Score<V>(int count, float* z, float* mean, float* logs) where V : struct, ILanes<V>
        {
            for (int i = 0; i < count; i += V.Count)
            {
                V l = V.Load(logs + i);
                V eps = (V.Load(z + i) - V.Load(mean + i)) * VectorMath.Exp(-l);
                eps.Store(z + i);
                V.Fma(V.All(-0.5f) * eps, eps, -l).Store(logs + i);
            }
        }
    }

    private struct InverseWork : IVectorWork
    {
        public ImageSegments Segments;
        public HostRows Z, Eps;
        public Statistics Stats;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* eps = stackalloc float[Tile.Length], mean = stackalloc float[Tile.Length];
            float* logs = stackalloc float[Tile.Length];
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                (int row, int endRow) = Segments.Rows(segment);
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    Eps.Gather(tile, eps);
                    Stats.Gather<V>(tile, mean, logs);
                    for (int i = 0; i < tile.Count; i += V.Count)
                        V.Fma(VectorMath.Exp(V.Load(logs + i)), V.Load(eps + i), V.Load(mean + i)).Store(eps + i);
                    Z.Scatter(tile, eps);
                }
            }
        }
    }

    private struct BackwardWork : IVectorWork
    {
        public ImageSegments Segments;
        public HostRows Z, DZ;
        public Statistics Stats, DStats;
        public float GLogP;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], mean = stackalloc float[Tile.Length];
            float* logs = stackalloc float[Tile.Length];
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                (int row, int endRow) = Segments.Rows(segment);
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    Z.Gather(tile, z);
                    Stats.Gather<V>(tile, mean, logs);
                    Differentiate<V>(tile.Count, z, mean, logs);
                    DZ.Scatter(tile, z);
                    DStats.Scatter<V>(tile, mean, logs);
                }
            }
        }

        /// <summary>z ← dz, mean ← dmean, logs ← dlogs.</summary>
        private readonly void Differentiate<V>(int count, float* z, float* mean, float* logs) where V : struct,
            ILanes<V>
        {
            V g = V.All(GLogP);
            for (int i = 0; i < count; i += V.Count)
            {
                V inverse = VectorMath.Exp(-V.Load(logs + i));
                V eps = (V.Load(z + i) - V.Load(mean + i)) * inverse;
                V dmean = g * eps * inverse;
                (-dmean).Store(z + i);
                dmean.Store(mean + i);
                (g * V.Fma(eps, eps, V.All(-1))).Store(logs + i);
            }
        }
    }
}
