using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="ICouple"/> on the host. A tile of z2 is gathered and its h deinterleaved into stack buffers, so that the
/// arithmetic is one dense vector loop for every channel count and stride. Log-determinants are summed in double per
/// segment of an image. z2 is updated in place; h, dh and logdet must not overlap it.
/// </summary>
public sealed unsafe class HostCouple(Workers workers) : ICouple
{
    // Adding 2 starts a coupling with zero h at scale sigmoid(2) = 0.88, near the identity.
    private const float ScaleOffset = 2;

    private readonly KeptMemory<double> segmentSums = new();

    /// <inheritdoc/>
    public void Forward(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        Shapes.CheckCouple(kind, pixels, z2, h, logdet);
        if (kind == CouplingKind.Affine) RunAffine<ShiftThenScale>(pixels, z2, h, logdet, 1);
        else RunAdditive(pixels, z2, h, 1);
    }

    /// <inheritdoc/>
    public void Inverse(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        Shapes.CheckCouple(kind, pixels, z2, h, logdet);
        if (kind == CouplingKind.Affine) RunAffine<UnscaleThenUnshift>(pixels, z2, h, logdet, -1);
        else RunAdditive(pixels, z2, h, -1);
    }

    /// <inheritdoc/>
    public void Backward(CouplingKind kind, Pixels pixels, View z2, View h, View dz2, View dh, float gLogDet)
    {
        Shapes.CheckCoupleBackward(kind, pixels, z2, h, dz2, dh);
        ImageSegments segments = new(pixels, z2.Cols);
        workers.RunVectors(segments.Parts, new BackwardWork
        {
            Kind = kind,
            Segments = segments,
            Z = new HostRows(z2),
            H = new HostRows(h),
            DZ = new HostRows(dz2),
            DH = new HostRows(dh),
            GLogDet = gLogDet,
        });
    }

    private void RunAffine<TDirection>(Pixels pixels, View z2, View h, View logdet, double sign)
        where TDirection : struct, IDirection
    {
        ImageSegments segments = new(pixels, z2.Cols);
        double* sums = logdet.IsNone ? null : segmentSums.Take(segments.Count);
        workers.RunVectors(segments.Parts, new AffineWork<TDirection>
        {
            Segments = segments,
            Z = new HostRows(z2),
            H = new HostRows(h),
            Sums = sums,
        });
        if (sums is not null) segments.AddTo(HostBuffer.Address(logdet), sign, sums);
    }

    private void RunAdditive(Pixels pixels, View z2, View h, float sign)
    {
        ImageSegments segments = new(pixels, z2.Cols);
        workers.RunVectors(segments.Parts, new AdditiveWork
        {
            Segments = segments,
            Z = new HostRows(z2),
            H = new HostRows(h),
            Sign = sign,
        });
    }

    private interface IDirection
    {
        static abstract V Apply<V>(V z, V shift, V scale) where V : struct, ILanes<V>;
    }

    private struct ShiftThenScale : IDirection
    {
        public static V Apply<V>(V z, V shift, V scale) where V : struct, ILanes<V> => (z + shift) * scale;
    }

    private struct UnscaleThenUnshift : IDirection
    {
        public static V Apply<V>(V z, V shift, V scale) where V : struct, ILanes<V> => z / scale - shift;
    }

    private struct AffineWork<TDirection> : IVectorWork where TDirection : struct, IDirection
    {
        public ImageSegments Segments;
        public HostRows Z, H;
        public double* Sums;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], shift = stackalloc float[Tile.Length];
            float* raw = stackalloc float[Tile.Length], logScale = stackalloc float[Tile.Length];
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                double sum = 0;
                (int row, int endRow) = Segments.Rows(segment);
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    Z.Gather(tile, z);
                    Pairs.Split<V>(H.Address + 2 * tile.Offset(Z.Cols), tile.Count, shift, raw);
                    Pairs.Pad<V>(z, tile.Count, 0);
                    Pairs.Pad<V>(shift, tile.Count, 0);
                    // sigmoid(∞) = 1, whose logarithm adds nothing to the sum.
                    int padded = Pairs.Pad<V>(raw, tile.Count, float.PositiveInfinity);
                    Transform<V>(padded, z, shift, raw, Sums is null ? null : logScale);
                    Z.Scatter(tile, z);
                    if (Sums is not null) sum += HostReduce.Sum(logScale, padded);
                }
                if (Sums is not null) Sums[segment] = sum;
            }
        }

        private static void Transform<V>(int count, float* z, float* shift, float* raw, float* logScale) where V
            : struct, ILanes<V>
        {
            for (int i = 0; i < count; i += V.Count)
            {
                V s = V.Load(raw + i) + V.All(ScaleOffset);
                V t = VectorMath.Exp(-V.Abs(s));
                V scale = V.Where(V.Less(s, V.All(0)), t, V.All(1)) / (V.All(1) + t);
                TDirection.Apply(V.Load(z + i), V.Load(shift + i), scale).Store(z + i);
                if (logScale is not null) (V.Min(V.All(0), s) - VectorMath.Log1pOfUnit(t)).Store(logScale + i);
            }
        }
    }

    private struct AdditiveWork : IVectorWork
    {
        public ImageSegments Segments;
        public HostRows Z, H;
        public float Sign;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], shift = stackalloc float[Tile.Length];
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                (int row, int endRow) = Segments.Rows(segment);
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    Z.Gather(tile, z);
                    H.Gather(tile, shift);
                    for (int i = 0; i < tile.Count; i += V.Count)
                        V.Fma(V.All(Sign), V.Load(shift + i), V.Load(z + i)).Store(z + i);
                    Z.Scatter(tile, z);
                }
            }
        }
    }

    private struct BackwardWork : IVectorWork
    {
        public CouplingKind Kind;
        public ImageSegments Segments;
        public HostRows Z, H, DZ, DH;
        public float GLogDet;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], dz = stackalloc float[Tile.Length];
            float* shift = stackalloc float[Tile.Length], raw = stackalloc float[Tile.Length];
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                (int row, int endRow) = Segments.Rows(segment);
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    if (Kind == CouplingKind.Additive)
                    {
                        DZ.Gather(tile, DH.Address + tile.Offset(Z.Cols));
                        continue;
                    }
                    Z.Gather(tile, z);
                    DZ.Gather(tile, dz);
                    Pairs.Split<V>(H.Address + 2 * tile.Offset(Z.Cols), tile.Count, shift, raw);
                    Differentiate<V>(tile.Count, z, dz, raw);
                    DZ.Scatter(tile, dz);
                    Pairs.Join<V>(dz, raw, tile.Count, DH.Address + 2 * tile.Offset(Z.Cols));
                }
            }
        }

        /// <summary>
        /// dz ← dz·scale, which is dshift too; raw ← draw. Lanes past count hold whatever the buffers held.
        /// </summary>
        private readonly void Differentiate<V>(int count, float* z, float* dz, float* raw) where V : struct, ILanes<V>
        {
            for (int i = 0; i < count; i += V.Count)
            {
                V s = V.Load(raw + i) + V.All(ScaleOffset);
                V t = VectorMath.Exp(-V.Abs(s));
                V negative = V.Less(s, V.All(0)), sum = V.All(1) + t;
                V scale = V.Where(negative, t, V.All(1)) / sum;
                V rest = V.Where(negative, V.All(1), t) / sum;
                V gradient = V.Load(dz + i);
                (V.Fma(gradient, V.Load(z + i), V.All(GLogDet)) * rest).Store(raw + i);
                (gradient * scale).Store(dz + i);
            }
        }
    }
}
