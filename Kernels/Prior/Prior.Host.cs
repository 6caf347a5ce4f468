using System.Numerics;
using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IPrior"/> on the host. Forward adds rows of two small tables, one per <see cref="EdgeMask"/> and one per
/// image. Backward runs in parallel over blocks of 16 columns (a cache line, so that dstats is read once), which
/// share no sums; they are kept in double.
/// </summary>
public sealed unsafe class HostPrior(Workers workers) : IPrior
{
    private readonly KeptMemory<float> tables = new();
    private readonly KeptMemory<double> imageSums = new();

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape does not fit, or a label is not a class.</exception>
    public void Forward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View stats)
    {
        Shapes.CheckPrior(edgeBias, pixels, parameters, labels, stats);
        PriorPointers p = new(edgeBias, stats.Cols, parameters, labels);
        p.CheckLabels("prior", pixels.N);
        int columns = stats.Cols;
        float* byMask = tables.Take((long)(EdgeMask.Count + pixels.N) * columns),
            byImage = byMask + EdgeMask.Count * columns;
        for (int j = 0; j < columns; j++)
        {
            double scale = p.Scale(j), classScale = p.ClassScale(j);
            for (int mask = 0; mask < EdgeMask.Count; mask++)
                byMask[mask * columns + j] = (float)(p.BeforeScale(mask, j) * scale);
            for (int n = 0; n < pixels.N; n++)
                byImage[(long)n * columns + j] = (float)(p.ClassBeforeScale(n, j) * classScale);
        }
        ImageSegments segments = new(pixels, columns);
        workers.Run(segments.Parts, new ForwardWork
        {
            Segments = segments,
            Pixels = pixels,
            Stats = new HostRows(stats),
            ByMask = byMask,
            ByImage = byImage,
        });
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape does not fit, or a label is not a class.</exception>
    public void Backward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View dstats,
        PriorParameters gradients)
    {
        Shapes.CheckPriorBackward(edgeBias, pixels, parameters, labels, dstats, gradients);
        PriorPointers p = new(edgeBias, dstats.Cols, parameters, labels);
        p.CheckLabels("prior backward", pixels.N);
        workers.Run((dstats.Cols + BackwardWork.Block - 1) / BackwardWork.Block, new BackwardWork
        {
            Pixels = pixels,
            Parameters = p,
            Gradients = new PriorPointers(edgeBias, dstats.Cols, gradients, labels),
            DStats = new HostRows(dstats),
            ImageSums = imageSums.Take((long)pixels.N * dstats.Cols),
        });
    }

    private struct ForwardWork : IWork
    {
        public ImageSegments Segments;
        public Pixels Pixels;
        public HostRows Stats;
        public float* ByMask, ByImage;

        public readonly void Run(int part, int worker)
        {
            (int first, int end) = Segments.Of(part);
            for (int segment = first; segment < end; segment++)
            {
                float* image = ByImage + (long)Segments.Image(segment) * Stats.Cols;
                (int row, int endRow) = Segments.Rows(segment);
                for (; row < endRow; row++)
                {
                    int mask = EdgeMask.At(row / Pixels.W % Pixels.H, row % Pixels.W, Pixels.H, Pixels.W);
                    Add(ByMask + mask * Stats.Cols, image, Stats.Row(row), Stats.Cols);
                }
            }
        }

        private static void Add(float* a, float* b, float* sum, int count)
        {
            int i = 0;
            for (; i + Vector<float>.Count <= count; i += Vector<float>.Count)
                Unsafe.WriteUnaligned(sum + i, Unsafe.ReadUnaligned<Vector<float>>(a + i)
                    + Unsafe.ReadUnaligned<Vector<float>>(b + i));
            for (; i < count; i++) sum[i] = a[i] + b[i];
        }
    }

    private struct BackwardWork : IWork
    {
        public const int Block = 16;

        public Pixels Pixels;
        public PriorPointers Parameters, Gradients;
        public HostRows DStats;
        public double* ImageSums;

        /// <summary>All gradients of one block of columns.</summary>
        public readonly void Run(int part, int worker)
        {
            int start = part * Block, columns = Math.Min(Block, DStats.Cols - start);
            double* byMask = stackalloc double[EdgeMask.Count * Block];
            SumPixels(start, columns, byMask);
            if (Parameters.HasConv) DifferentiateConv(start, columns, byMask);
            if (Parameters.HasClasses) DifferentiateClasses(start, columns);
        }

        /// <summary>Sums dstats by mask, and by image into ImageSums.</summary>
        private readonly void SumPixels(int start, int columns, double* byMask)
        {
            new Span<double>(byMask, EdgeMask.Count * Block).Clear();
            double* ofImage = stackalloc double[EdgeMask.Count * Block];
            int row = 0;
            for (int n = 0; n < Pixels.N; n++)
            {
                new Span<double>(ofImage, EdgeMask.Count * Block).Clear();
                for (int y = 0; y < Pixels.H; y++)
                    for (int x = 0; x < Pixels.W; x++, row++)
                    {
                        int mask = EdgeMask.At(y, x, Pixels.H, Pixels.W);
                        HostReduce.AddRow(DStats.Row(row) + start, ofImage + mask * Block, columns);
                    }
                double* total = ImageSums + (long)n * DStats.Cols + start;
                new Span<double>(total, columns).Clear();
                for (int i = 0; i < EdgeMask.Count * Block; i++)
                {
                    byMask[i] += ofImage[i];
                    if (i % Block < columns) total[i % Block] += ofImage[i];
                }
            }
        }

        private readonly void DifferentiateConv(int start, int columns, double* byMask)
        {
            for (int row = 0; row < PriorPointers.Taps * Parameters.Inputs; row++)
                new Span<float>(Gradients.W + (long)row * DStats.Cols + start, columns).Clear();
            for (int i = 0; i < columns; i++)
            {
                int j = start + i;
                double scale = Parameters.Scale(j), sum = 0, weighted = 0;
                for (int mask = 0; mask < EdgeMask.Count; mask++)
                {
                    sum += byMask[mask * Block + i];
                    weighted += byMask[mask * Block + i] * Parameters.BeforeScale(mask, j);
                }
                Gradients.Bias[j] = (float)(scale * sum);
                Gradients.Logs[j] = (float)(3 * scale * weighted);
                for (int tap = 0; Parameters.EdgeBias && tap < PriorPointers.Taps; tap++)
                {
                    double outside = 0;
                    for (int mask = 0; mask < EdgeMask.Count; mask++)
                        if (EdgeMask.IsOutside(mask, tap)) outside += byMask[mask * Block + i];
                    *Gradients.EdgeWeight(tap, j) = (float)(scale * outside);
                }
            }
        }

        private readonly void DifferentiateClasses(int start, int columns)
        {
            for (int k = 0; k < Parameters.Classes; k++)
                new Span<float>(Gradients.ClassW + (long)k * DStats.Cols + start, columns).Clear();
            for (int j = start; j < start + columns; j++)
            {
                double scale = Parameters.ClassScale(j), sum = 0, weighted = 0;
                for (int n = 0; n < Pixels.N; n++)
                {
                    double ofImage = ImageSums[(long)n * DStats.Cols + j];
                    sum += ofImage;
                    weighted += ofImage * Parameters.ClassBeforeScale(n, j);
                    if (!Parameters.IsFirstOfItsClass(n)) continue;
                    double ofClass = 0;
                    for (int m = n; m < Pixels.N; m++)
                        if (Parameters.Class(m) == Parameters.Class(n)) ofClass += ImageSums[(long)m * DStats.Cols + j];
                    Gradients.ClassW[(long)Parameters.Class(n) * DStats.Cols + j] = (float)(scale * ofClass);
                }
                Gradients.ClassBias[j] = (float)(scale * sum);
                Gradients.ClassLogs[j] = (float)(3 * scale * weighted);
            }
        }
    }
}
