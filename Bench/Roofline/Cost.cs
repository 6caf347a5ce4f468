using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Model;

namespace GlowGpu.Bench.Roofline;

/// <summary>
/// Work that an operation cannot avoid: floating-point operations of its products (2 a multiply-add) and bytes of the
/// operands it must read and the results it must write, each once. All formulas of the benchmarks are here.
/// Arithmetic by element (exponentials, ReLU, sums) is not counted, so that shares of the floor are rather too low
/// than too high.
/// </summary>
/// <param name="Flops">floating-point operations</param>
/// <param name="Bytes">bytes read and written</param>
public readonly record struct Cost(double Flops, double Bytes)
{
    private const double Float = sizeof(float);

    // Multiply-adds for each pixel, pair of channels and direction of a 3×3 convolution.
    private const double Taps = 9;

    /// <summary>
    /// The flops left when 3×3 convolutions are made by minimal filtering as the host backend does it, its additions
    /// not counted: F(4×4,3×3), 36 products in place of 144, in images of at least 8×8, else F(2×2,3×3), 16 in place
    /// of 36. The same as <see cref="Flops"/> where there are no such convolutions.
    /// </summary>
    public double FilteredFlops { get; init; } = Flops;

    /// <summary>y = x·w + b: 2·P·C² flops; x, y, w.</summary>
    public static Cost ChannelAffine(double p, double c) => new(2 * p * c * c, Float * (2 * p * c + c * c));

    /// <summary>dx, dw, db: 4·P·C² flops; dy, x, dx, w, dw.</summary>
    public static Cost ChannelAffineBackward(double p, double c) => new(4 * p * c * c, Float * (3 * p * c + 2 * c * c));

    /// <summary>Weights, read and written.</summary>
    public static Cost Pack(CouplingNetShape s) => new(0, 2 * Float * Weights(s));

    /// <summary>2·P·Width·(9·In1 + Width + 9·Out) flops; z1, h, weights, and when kept both hidden layers.</summary>
    public static Cost CouplingNet(CouplingNetShape s, Pixels p, bool kept) => new(
        NetFlops(s, p, Taps), Float * ((double)p.Count * (s.In + s.Out + (kept ? 2 * s.Width : 0)) + Weights(s)))
    {
        FilteredFlops = NetFlops(s, p, Filtered(p)),
    };

    /// <summary>
    /// Twice the flops of forward; z1, dz1 (read and written), h, dh, hidden layers, weights and their gradients.
    /// </summary>
    public static Cost CouplingNetBackward(CouplingNetShape s, Pixels p) => new(
        2 * NetFlops(s, p, Taps), Float * ((double)p.Count * (3 * s.In + 2 * s.Out + 2 * s.Width) + 2 * Weights(s)))
    {
        FilteredFlops = 2 * NetFlops(s, p, Filtered(p)),
    };

    /// <summary>z2 read and written, h [P,2·C2] (additive: [P,C2]) read.</summary>
    public static Cost Couple(CouplingKind kind, double p, double c2) => new(0,
        Float * (kind == CouplingKind.Affine ? 4 : 3) * p * c2);

    /// <summary>Affine: z2 and h read, dz2 read and written, dh written. Additive: dz2 read, dh written.</summary>
    public static Cost CoupleBackward(CouplingKind kind, double p, double c2) => new(0,
        Float * (kind == CouplingKind.Affine ? 7 : 2) * p * c2);

    /// <summary>c [m,n] = a [m,k]·b [k,n]: 2·M·N·K flops; a, b, c of so many bytes an element.</summary>
    public static Cost Product(double m, double n, double k, int element = sizeof(float)) => new(2 * m * n * k,
        element * (m * k + k * n + m * n));

    /// <summary>Every byte read and written.</summary>
    public static Cost Copy(double bytes) => new(0, 2 * bytes);

    /// <summary>z [P,C] and its statistics [P,2C] read.</summary>
    public static Cost GaussianScore(double p, double c) => new(0, Float * 3 * p * c);

    /// <summary>z and statistics read, both gradients written.</summary>
    public static Cost GaussianScoreBackward(double p, double c) => new(0, Float * 6 * p * c);

    /// <summary>2·P·9·In1·Out flops; x, h, weights.</summary>
    public static Cost ZeroConv(ZeroConvShape s, double p) =>
        new(18 * p * s.In1 * s.Out, Float * (p * (s.In + s.Out) + 9.0 * s.In1 * s.Out));

    /// <summary>Twice the flops of forward; x, dx (read and written), h, dh, weights and their gradients.</summary>
    public static Cost ZeroConvBackward(ZeroConvShape s, double p) =>
        new(36 * p * s.In1 * s.Out, Float * (p * (3 * s.In + 2 * s.Out) + 18.0 * s.In1 * s.Out));

    /// <summary>Every element read and written.</summary>
    public static Cost Squeeze(double elements) => new(0, 2 * Float * elements);

    /// <summary>Parameter, gradient, two moments and average read, all but the gradient written.</summary>
    public static Cost OptimizerStep(double parameters) => new(0, 9 * Float * parameters);

    /// <summary>Gradient read.</summary>
    public static Cost SumOfSquares(double parameters) => new(0, Float * parameters);

    /// <summary>
    /// Flops of one batch through the model, image to latent or back: channel affine, coupling networks and split
    /// convolutions of every level.
    /// </summary>
    public static double ModelFlops(GlowConfig config, int batch) => ModelFlops(config, batch,
        static cost => cost.Flops);

    /// <summary>As <see cref="ModelFlops(GlowConfig, int)"/>, of <see cref="FilteredFlops"/>.</summary>
    public static double FilteredModelFlops(GlowConfig config, int batch) => ModelFlops(config, batch,
        static cost => cost.FilteredFlops);

    private static double ModelFlops(GlowConfig config, int batch, Func<Cost, double> flopsOf)
    {
        double flops = 0;
        for (int l = 0; l < config.Levels; l++)
        {
            (int height, int width, int channels) = config.LevelShape(l);
            Pixels pixels = new(batch, height, width);
            double p = pixels.Count, step = ChannelAffine(p, channels).Flops
                + flopsOf(CouplingNet(GlowParameters.Network(config, l), pixels, false));
            flops += config.Depth * step;
            if (l < config.Levels - 1) flops += ZeroConv(GlowParameters.Split(config, l), p).Flops;
        }
        return flops;
    }

    /// <summary>
    /// Flops of a training step: forward, and twice that backward. Rebuilding activations is not counted: whoever
    /// does it pays for it.
    /// </summary>
    public static double TrainingFlops(GlowConfig config, int batch) => 3 * ModelFlops(config, batch);

    private static double Filtered(Pixels pixels)
    {
        MinimalFilter filter = MinimalFilter.For(pixels);
        return (double)filter.Points / filter.Area;
    }

    private static double NetFlops(CouplingNetShape s, Pixels p, double each) =>
        2.0 * p.Count * s.Width * (each * s.In1 + s.Width + each * s.Out);

    private static double Weights(CouplingNetShape s) => 9.0 * s.In1 * s.Width + (double)s.Width * s.Width
        + 9.0 * s.In3 * s.Out;
}
