using System.Runtime.Intrinsics;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// Data-dependent initialisation. Runs once in a model's life, so it trades memory for clarity: all pixels of a layer
// before its actnorm are kept, statistics are taken in double over them, and only then the layer is finished.
public sealed unsafe partial class HostCouplingNet
{
    /// <inheritdoc/>
    public void Initialize(CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters)
    {
        Shapes.CheckCouplingNetInitialize(shape, pixels, z1, parameters);
        LayerWork work = new()
        {
            Gemm = gemm,
            Shape = shape,
            Pixels = pixels,
            Tiles = new Tiles(pixels.Count, workers.Count),
            Z1 = HostBuffer.Address(z1),
            Z1Row = z1.Stride,
        };
        long length = work.Place(null);
        work.Place(scratch.Take(length));
        work.Pack(parameters);
        int panels = Panels.Count(shape.Width);

        workers.Run(work.Tiles.Count, work);
        StatisticsWork statistics = new()
        {
            Tiles = work.Tiles,
            Width = shape.Width,
            Layer = work.Pre1,
            Bias = parameters.Bias1,
            Logs = parameters.Logs1
        };
        workers.Run(panels, statistics);

        work.Bias = HostBuffer.Address(parameters.Bias1);
        LayerScale.Of(parameters.Logs1, work.Scale);
        workers.Run(work.Tiles.Count, work);
        statistics = statistics with { Layer = work.Pre2, Bias = parameters.Bias2, Logs = parameters.Logs2 };
        workers.Run(panels, statistics);
    }

    /// <summary>
    /// One tile of the first product; or, once its bias and logs are known, of its actnorm and ReLU and the second
    /// product.
    /// </summary>
    private struct LayerWork : IWork
    {
        public HostGemm Gemm;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public float* Z1;
        public nint Z1Row;
        public float* Bias;

        /// <summary>A factor for each channel of the first layer: at first 1, then exp(3·logs).</summary>
        public float* Scale;

        /// <summary>Both layers before their actnorm, tile after tile in panels.</summary>
        public float* Pre1, Pre2;

        private float* w1, w2, patches;

        private readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Taps * Shape.In1);

        private readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        public long Place(float* start)
        {
            MemoryLayout layout = new(start);
            Scale = layout.Take(Shape.Width);
            w1 = layout.Take(Panels.Length(Taps * Shape.In1, Shape.Width));
            w2 = layout.Take(Panels.Length(Shape.Width, Shape.Width));
            patches = layout.Take(Tiles.Count * PatchLength);
            Pre1 = layout.Take(Tiles.Count * HiddenLength);
            Pre2 = layout.Take(Tiles.Count * HiddenLength);
            return layout.Length;
        }

        public readonly void Pack(CouplingNetParameters parameters)
        {
            new Span<float>(Scale, Shape.Width).Fill(1);
            Pack(parameters.W1, Taps * Shape.In1, w1);
            Pack(parameters.W2, Shape.Width, w2);
        }

        private readonly void Pack(View weights, int rows, float* target)
        {
            nint panel = (nint)rows * Panels.Width;
            Panels.Pack(HostBuffer.Address(weights), Shape.Width, rows, Shape.Width, Scale, target, panel);
            Panels.ClearPadding(target, panel, rows, Shape.Width);
        }

        public readonly void Run(int tile, int worker)
        {
            int first = Tiles.First(tile), rows = Tiles.Height(tile);
            nint panel = (nint)Tiles.Rows * Panels.Width;
            float* patch = patches + tile * PatchLength, pre1 = Pre1 + tile * HiddenLength;
            int width = Panels.Pad(Shape.Width);
            Product product;
            if (Bias is null)
            {
                new Patches(Pixels, mirrored: false).Gather(Z1, Z1Row, Shape.In, Shape.EdgeBias, first, rows,
                    patch, panel);
                product = Product.OfPanels(patch, panel, rows, Taps * Shape.In1, w1, width);
                product.ToPanels(pre1, panel);
                Gemm.Multiply(ref product);
                return;
            }
            for (int c = 0; c < Shape.Width; c++)
            {
                float* x = pre1 + c / Panels.Width * panel + c % Panels.Width;
                float bias = Bias[c], scale = Scale[c];
                for (int r = 0; r < rows; r++) x[r * Panels.Width] = Math.Max((x[r * Panels.Width] + bias) * scale, 0);
            }
            product = Product.OfPanels(pre1, panel, rows, Shape.Width, w2, width);
            product.ToPanels(Pre2 + tile * HiddenLength, panel);
            Gemm.Multiply(ref product);
        }
    }

    /// <summary>Bias and logs of the 16 channels of one panel from their mean and variance over all pixels.</summary>
    private struct StatisticsWork : IWork
    {
        public Tiles Tiles;
        public int Width;
        public float* Layer;
        public View Bias, Logs;

        public readonly void Run(int part, int worker)
        {
            double* mean = stackalloc double[Panels.Width], square = stackalloc double[Panels.Width];
            float* bias = stackalloc float[Panels.Width];
            new Span<float>(bias, Panels.Width).Clear();
            Moment(part, bias, mean, squared: false);
            int first = part * Panels.Width, count = Math.Min(Panels.Width, Width - first);
            for (int c = 0; c < count; c++) bias[c] = (float)-mean[c];
            Moment(part, bias, square, squared: true);
            float* biasTarget = HostBuffer.Address(Bias) + first, logsTarget = HostBuffer.Address(Logs) + first;
            for (int c = 0; c < count; c++)
            {
                biasTarget[c] = bias[c];
                logsTarget[c] = (float)(Math.Log(1 / (Math.Sqrt(square[c]) + 1e-6)) / 3);
            }
        }

        /// <summary>mean over the pixels of x + bias, or of its square.</summary>
        private readonly void Moment(int part, float* bias, double* result, bool squared)
        {
            new Span<double>(result, Panels.Width).Clear();
            nint panel = (nint)Tiles.Rows * Panels.Width, tileLength = (nint)Panels.Length(Tiles.Rows, Width);
            for (int tile = 0; tile < Tiles.Count; tile++)
            {
                float* x = Layer + tile * tileLength + part * panel;
                int rows = Tiles.Height(tile);
                for (int lane = 0; lane < Panels.Width; lane += 4)
                {
                    Vector256<double> sum = Vector256.Load(result + lane), b = Widen(bias + lane);
                    for (int r = 0; r < rows; r++)
                    {
                        Vector256<double> y = Widen(x + r * Panels.Width + lane) + b;
                        sum += squared ? y * y : y;
                    }
                    sum.Store(result + lane);
                }
            }
            for (int c = 0; c < Panels.Width; c++) result[c] /= Tiles.Pixels;
        }

        private static Vector256<double> Widen(float* x)
        {
            Vector128<float> v = Vector128.Load(x);
            (Vector128<double> low, Vector128<double> high) = Vector128.Widen(v);
            return Vector256.Create(low, high);
        }
    }
}
