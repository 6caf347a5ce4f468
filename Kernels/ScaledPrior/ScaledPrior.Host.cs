using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IScaledPrior"/> on the host, tile by tile. Log-densities are summed in double per image, the gradient
/// of the scales in double per column down the images.
/// </summary>
public sealed unsafe class HostScaledPrior(Workers workers) : IScaledPrior
{
    private const double HalfLogTwoPi = 0.91893853320467274178;

    private readonly KeptMemory<double> imageSums = new();

    /// <inheritdoc/>
    public void Forward(PriorKind kind, View x, View logs, View logp, View z)
    {
        Shapes.CheckScaledPrior(x, logs, logp, z);
        double* sums = imageSums.Take(x.Rows);
        workers.RunVectors(x.Rows, new ForwardWork
        {
            Kind = kind,
            X = new HostRows(x),
            Z = new HostRows(z),
            Logs = HostBuffer.Address(logs),
            Sums = sums,
        });
        if (logp.IsNone) return;
        // What the scales and the Gaussian's constant add is the same for every image, and exact here.
        double all = HostReduce.Sum(HostBuffer.Address(logs), logs.Count) - (kind == PriorKind.Gaussian
            ? HalfLogTwoPi * x.Cols : 0);
        float* target = HostBuffer.Address(logp);
        for (int n = 0; n < x.Rows; n++) target[n] = (float)(target[n] + sums[n] + all);
    }

    /// <inheritdoc/>
    public void Inverse(View z, View logs, View x)
    {
        Shapes.CheckScaledPriorInverse(z, logs, x);
        workers.RunVectors(x.Rows,
            new InverseWork { X = new HostRows(x), Z = new HostRows(z), Logs = HostBuffer.Address(logs) });
    }

    /// <inheritdoc/>
    public void Backward(PriorKind kind, View x, View logs, float gLogP, View dx, View dlogs)
    {
        Shapes.CheckScaledPriorBackward(x, logs, dx, dlogs);
        Chunks columns = new(x.Cols, Tile.Length);
        workers.RunVectors(columns.Count, new BackwardWork
        {
            Kind = kind,
            Columns = columns,
            Images = x.Rows,
            X = new HostRows(x),
            DX = new HostRows(dx),
            Logs = HostBuffer.Address(logs),
            DLogs = HostBuffer.Address(dlogs),
            GLogP = gLogP,
        });
    }

    /// <summary>One image in each part: ln p(z) without the constant.</summary>
    private struct ForwardWork : IVectorWork
    {
        public PriorKind Kind;
        public HostRows X, Z;
        public float* Logs;
        public double* Sums;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], logs = stackalloc float[Tile.Length];
            double sum = 0;
            TileWalk tiles = new(part, part + 1, X.Cols);
            while (tiles.Next())
            {
                Tile tile = tiles.Current;
                X.Gather(tile, z);
                HostRows.Repeat(Logs, tile, logs);
                Pairs.Pad<V>(logs, tile.Count, 0);
                int padded = Pairs.Pad<V>(z, tile.Count, 0);
                for (int i = 0; i < padded; i += V.Count) (V.Load(z + i) * VectorMath.Exp(V.Load(logs + i)))
                    .Store(z + i);
                if (!Z.IsNone) Z.Scatter(tile, z);
                Score<V>(tile.Count, z);
                sum += HostReduce.Sum(z, tile.Count);
            }
            Sums[part] = sum;
        }

        private readonly void Score<V>(int count, float* z) where V : struct, ILanes<V>
        {
            for (int i = 0; i < count; i += V.Count)
            {
                V value = V.Load(z + i), magnitude = V.Abs(value);
                V density = Kind == PriorKind.Gaussian
                    ? V.All(-0.5f) * value * value
                    : V.Fma(V.All(-2), VectorMath.Log1pOfUnit(VectorMath.Exp(-magnitude)), -magnitude);
                density.Store(z + i);
            }
        }
    }

    private struct InverseWork : IVectorWork
    {
        public HostRows X, Z;
        public float* Logs;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], logs = stackalloc float[Tile.Length];
            TileWalk tiles = new(part, part + 1, X.Cols);
            while (tiles.Next())
            {
                Tile tile = tiles.Current;
                Z.Gather(tile, z);
                HostRows.Repeat(Logs, tile, logs);
                for (int i = 0; i < tile.Count; i += V.Count) (V.Load(z + i) * VectorMath.Exp(-V.Load(logs + i)))
                    .Store(z + i);
                X.Scatter(tile, z);
            }
        }
    }

    /// <summary>Some columns of all images in each part.</summary>
    private struct BackwardWork : IVectorWork
    {
        public PriorKind Kind;
        public Chunks Columns;
        public int Images;
        public HostRows X, DX;
        public float* Logs, DLogs;
        public float GLogP;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* x = stackalloc float[Tile.Length], scale = stackalloc float[Tile.Length],
                terms = stackalloc float[Tile.Length];
            double* sums = stackalloc double[Tile.Length];
            (long first, long end) = Columns.Of(part);
            int count = (int)(end - first);
            new Span<double>(sums, count).Clear();
            HostRows.Repeat(Logs, new Tile(0, 1, (int)first, count), scale);
            for (int i = 0; i < count; i += V.Count) VectorMath.Exp(V.Load(scale + i)).Store(scale + i);
            for (int n = 0; n < Images; n++)
            {
                Tile tile = new(n, 1, (int)first, count);
                X.Gather(tile, x);
                for (int i = 0; i < count; i += V.Count)
                {
                    V factor = V.Load(scale + i), z = V.Load(x + i) * factor;
                    V slope = Kind == PriorKind.Gaussian ? -z : -VectorMath.Tanh(V.All(0.5f) * z);
                    (V.All(GLogP) * slope * factor).Store(x + i);
                    V.Fma(slope, z, V.All(1)).Store(terms + i);
                }
                DX.Scatter(tile, x);
                HostReduce.AddRow(terms, sums, count);
            }
            for (int i = 0; i < count; i++) DLogs[first + i] = (float)(GLogP * sums[i]);
        }
    }
}
