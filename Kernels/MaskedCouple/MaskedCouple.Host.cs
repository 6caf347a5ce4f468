using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IMaskedCouple"/> on the host, tile by tile like <see cref="ICouple"/>'s: gathered into stack buffers,
/// one dense vector loop, scattered. Outside the mask factor and shift are made 0, so that the loop has no branch and
/// leaves z's bits alone. Sums are in double per segment of an image, added up in order.
/// </summary>
public sealed unsafe class HostMaskedCouple(Workers workers) : IMaskedCouple
{
    private readonly KeptMemory<double> segmentSums = new();
    private readonly KeptMemory<double> factorSums = new();

    /// <inheritdoc/>
    public void Forward(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet)
    {
        Shapes.CheckMaskedCouple(pixels, z, h, factor, logdet);
        Run<ScaleThenShift>(mask, pixels, z, h, factor, logdet, 1);
    }

    /// <inheritdoc/>
    public void Inverse(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet)
    {
        Shapes.CheckMaskedCouple(pixels, z, h, factor, logdet);
        Run<UnshiftThenUnscale>(mask, pixels, z, h, factor, logdet, -1);
    }

    /// <inheritdoc/>
    public void Backward(PixelMask mask, Pixels pixels, View z, View h, View factor, View dz, View dh,
        View dfactor, float gLogDet)
    {
        Shapes.CheckMaskedCoupleBackward(pixels, z, h, factor, dz, dh, dfactor);
        int channels = z.Cols;
        ImageSegments segments = new(pixels, channels);
        double* sums = factorSums.Take((long)segments.Parts * channels);
        workers.RunVectors(segments.Parts, new BackwardWork
        {
            Segments = segments,
            Mask = new Checkerboard(mask, pixels),
            Z = new HostRows(z),
            H = new HostRows(h),
            DZ = new HostRows(dz),
            DH = new HostRows(dh),
            Factor = HostBuffer.Address(factor),
            GLogDet = gLogDet,
            Sums = sums,
        });
        float* target = HostBuffer.Address(dfactor);
        for (int c = 0; c < channels; c++)
        {
            double total = 0;
            for (int part = 0; part < segments.Parts; part++) total += sums[(long)part * channels + c];
            target[c] = (float)total;
        }
    }

    /// <inheritdoc/>
    public void Condition(PixelMask mask, Pixels pixels, View z, View condition)
    {
        Shapes.CheckCondition(pixels, z, condition);
        RunCondition(mask, pixels, new HostRows(z), new HostRows(condition), add: false);
    }

    /// <inheritdoc/>
    public void AddCondition(PixelMask mask, Pixels pixels, View dcondition, View dz)
    {
        Shapes.CheckCondition(pixels, dz, dcondition);
        RunCondition(mask, pixels, new HostRows(dcondition), new HostRows(dz), add: true);
    }

    private void Run<TDirection>(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet, double sign)
        where TDirection : struct, IDirection
    {
        ImageSegments segments = new(pixels, z.Cols);
        double* sums = logdet.IsNone ? null : segmentSums.Take(segments.Count);
        workers.RunVectors(segments.Parts, new CoupleWork<TDirection>
        {
            Segments = segments,
            Mask = new Checkerboard(mask, pixels),
            Z = new HostRows(z),
            H = new HostRows(h),
            Factor = HostBuffer.Address(factor),
            Sums = sums,
        });
        if (sums is not null) segments.AddTo(HostBuffer.Address(logdet), sign, sums);
    }

    private void RunCondition(PixelMask mask, Pixels pixels, HostRows from, HostRows to, bool add)
    {
        ImageSegments segments = new(pixels, from.Cols);
        workers.Run(segments.Parts, new ConditionWork
        {
            Segments = segments,
            Mask = new Checkerboard(mask, pixels),
            From = from,
            To = to,
            Add = add,
        });
    }

    /// <summary>Which pixels a mask changes.</summary>
    private readonly struct Checkerboard(PixelMask mask, Pixels pixels)
    {
        private readonly int height = pixels.H, width = pixels.W, parity = mask == PixelMask.Even ? 0 : 1;

        public bool IsWhole { get; } = mask == PixelMask.All;

        public bool Changes(int pixel)
        {
            if (IsWhole) return true;
            (int row, int x) = Math.DivRem(pixel, width);
            return ((row % height + x) & 1) == parity;
        }

        /// <summary>Zeroes what lies beside the pixels of a tile that stay.</summary>
        public void Clear(Tile tile, float* values)
        {
            if (IsWhole) return;
            for (int r = 0; r < tile.Rows; r++)
                if (!Changes(tile.Row + r)) new Span<float>(values + r * tile.Cols, tile.Cols).Clear();
        }
    }

    private interface IDirection
    {
        static abstract V Apply<V>(V z, V shift, V s) where V : struct, ILanes<V>;
    }

    private struct ScaleThenShift : IDirection
    {
        public static V Apply<V>(V z, V shift, V s) where V : struct, ILanes<V> => V.Fma(z, VectorMath.Exp(s), shift);
    }

    private struct UnshiftThenUnscale : IDirection
    {
        public static V Apply<V>(V z, V shift, V s) where V : struct, ILanes<V> => (z - shift) * VectorMath.Exp(-s);
    }

    private struct CoupleWork<TDirection> : IVectorWork where TDirection : struct, IDirection
    {
        public ImageSegments Segments;
        public Checkerboard Mask;
        public HostRows Z, H;
        public float* Factor;
        public double* Sums;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], shift = stackalloc float[Tile.Length];
            float* raw = stackalloc float[Tile.Length], factor = stackalloc float[Tile.Length];
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
                    HostRows.Repeat(Factor, tile, factor);
                    Mask.Clear(tile, shift);
                    Mask.Clear(tile, factor);
                    Pairs.Pad<V>(raw, tile.Count, 0);
                    int padded = Pairs.Pad<V>(factor, tile.Count, 0);
                    for (int i = 0; i < padded; i += V.Count)
                    {
                        V s = V.Load(factor + i) * VectorMath.Tanh(V.Load(raw + i));
                        TDirection.Apply(V.Load(z + i), V.Load(shift + i), s).Store(z + i);
                        s.Store(raw + i);
                    }
                    Z.Scatter(tile, z);
                    if (Sums is not null) sum += HostReduce.Sum(raw, padded);
                }
                if (Sums is not null) Sums[segment] = sum;
            }
        }
    }

    private struct BackwardWork : IVectorWork
    {
        public ImageSegments Segments;
        public Checkerboard Mask;
        public HostRows Z, H, DZ, DH;
        public float* Factor;
        public float GLogDet;

        /// <summary>Σ ds·tanh of every part and channel.</summary>
        public double* Sums;

        [SkipLocalsInit]
        public readonly void Run<V>(int part, int worker) where V : struct, ILanes<V>
        {
            float* z = stackalloc float[Tile.Length], dz = stackalloc float[Tile.Length];
            float* shift = stackalloc float[Tile.Length], raw = stackalloc float[Tile.Length];
            float* factor = stackalloc float[Tile.Length], terms = stackalloc float[Tile.Length];
            double* sums = Sums + (long)part * Z.Cols;
            new Span<double>(sums, Z.Cols).Clear();
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                (int row, int endRow) = Segments.Rows(segment);
                TileWalk tiles = new(row, endRow, Z.Cols);
                while (tiles.Next())
                {
                    Tile tile = tiles.Current;
                    float* dh = DH.Address + 2 * tile.Offset(Z.Cols);
                    Z.Gather(tile, z);
                    DZ.Gather(tile, dz);
                    Pairs.Split<V>(H.Address + 2 * tile.Offset(Z.Cols), tile.Count, shift, raw);
                    HostRows.Repeat(Factor, tile, factor);
                    Mask.Clear(tile, factor);
                    Differentiate<V>(tile.Count, z, dz, shift, raw, factor, terms);
                    Mask.Clear(tile, shift);
                    Mask.Clear(tile, terms);
                    DZ.Scatter(tile, dz);
                    Pairs.Join<V>(shift, raw, tile.Count, dh);
                    for (int r = 0; r < tile.Rows; r++) HostReduce.AddRow(terms + r * tile.Cols, sums + tile.Col,
                        tile.Cols);
                }
            }
        }

        /// <summary>
        /// shift ← dt, raw ← draw, terms ← ds·tanh, dz ← dz·exp(s); a factor of 0 leaves dz and makes draw 0.
        /// </summary>
        private readonly void Differentiate<V>(int count, float* z, float* dz, float* shift, float* raw,
            float* factor, float* terms)
            where V : struct, ILanes<V>
        {
            for (int i = 0; i < count; i += V.Count)
            {
                V tanh = VectorMath.Tanh(V.Load(raw + i)), f = V.Load(factor + i), gradient = V.Load(dz + i);
                V ds = V.Fma(gradient, V.Load(z + i) - V.Load(shift + i), V.All(GLogDet));
                gradient.Store(shift + i);
                (ds * f * V.Fma(-tanh, tanh, V.All(1))).Store(raw + i);
                (ds * tanh).Store(terms + i);
                (gradient * VectorMath.Exp(f * tanh)).Store(dz + i);
            }
        }
    }

    private struct ConditionWork : IWork
    {
        public ImageSegments Segments;
        public Checkerboard Mask;
        public HostRows From, To;
        public bool Add;

        public readonly void Run(int part, int worker)
        {
            (int first, int end) = Segments.Of(part);
            for (int row = Segments.Rows(first).First; row < Segments.Rows(end - 1).End; row++)
            {
                Span<float> to = new(To.Row(row), To.Cols);
                bool stays = !Mask.Changes(row);
                if (Add)
                {
                    float* from = From.Row(row);
                    for (int c = 0; stays && c < to.Length; c++) to[c] += from[c];
                }
                else if (stays)
                {
                    new ReadOnlySpan<float>(From.Row(row), From.Cols).CopyTo(to);
                }
                else
                {
                    to.Clear();
                }
            }
        }
    }
}
