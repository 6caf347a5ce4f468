namespace GlowGpu.Kernels;

/// <summary>
/// The argument checks of every operation, once for all backends, so that each says the same sentence. They run before
/// anything is computed and throw <see cref="ArgumentException"/>; passing costs a few comparisons and no allocation.
/// </summary>
internal static partial class Shapes
{
    private const int Taps = 9;

    /// <summary>Arguments of <see cref="IBackend.Copy"/>.</summary>
    public static void CheckCopy(View source, View target)
    {
        if (source.IsNone || target.IsNone)
            throw new ArgumentException("copy: source or target is missing; both must be given");
        if (source.Rows != target.Rows || source.Cols != target.Cols)
            throw new ArgumentException(
                $"copy: source is [{source.Rows},{source.Cols}] and target [{target.Rows},{target.Cols}]; they must "
                    + "have one shape");
    }

    /// <summary>Arguments of <see cref="IBackend.Fill"/>.</summary>
    public static void CheckFill(View target)
    {
        if (target.IsNone) throw new ArgumentException("fill: target is missing; it must be given");
    }

    /// <summary>Arguments of <see cref="IChannelAffine.Apply"/>.</summary>
    public static void CheckChannelAffine(View x, View w, View b, View y)
    {
        const string Op = "channel affine";
        Dense(Op, "x", x, x.Rows, x.Cols);
        Dense(Op, "w", w, x.Cols, x.Cols);
        Row(Op, "b", b, x.Cols);
        Dense(Op, "y", y, x.Rows, x.Cols);
    }

    /// <summary>Arguments of <see cref="IChannelAffine.Backward"/>.</summary>
    public static void CheckChannelAffineBackward(View dy, View x, View w, View dx, View dw, View db)
    {
        const string Op = "channel affine backward";
        Dense(Op, "x", x, x.Rows, x.Cols);
        Dense(Op, "dy", dy, x.Rows, x.Cols);
        Dense(Op, "w", w, x.Cols, x.Cols);
        Dense(Op, "dx", dx, x.Rows, x.Cols);
        Dense(Op, "dw", dw, x.Cols, x.Cols);
        Row(Op, "db", db, x.Cols);
    }

    /// <summary>Arguments of <see cref="ICouple.Forward"/> and <see cref="ICouple.Inverse"/>.</summary>
    public static void CheckCouple(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        const string Op = "couple";
        CheckPixels(Op, pixels);
        Window(Op, "z2", z2, pixels.Count, z2.Cols);
        Dense(Op, "h", h, pixels.Count, CoupledChannels(kind, z2));
        if (!logdet.IsNone) Row(Op, "logdet", logdet, pixels.N);
    }

    /// <summary>Arguments of <see cref="ICouple.Backward"/>.</summary>
    public static void CheckCoupleBackward(CouplingKind kind, Pixels pixels, View z2, View h, View dz2, View dh)
    {
        const string Op = "couple backward";
        CheckPixels(Op, pixels);
        Window(Op, "z2", z2, pixels.Count, z2.Cols);
        Dense(Op, "h", h, pixels.Count, CoupledChannels(kind, z2));
        Window(Op, "dz2", dz2, pixels.Count, z2.Cols);
        Dense(Op, "dh", dh, pixels.Count, CoupledChannels(kind, z2));
    }

    /// <summary>Arguments of <see cref="IGaussianScore.Forward"/>.</summary>
    public static void CheckGaussianScore(Pixels pixels, View z, View stats, View logp, View eps)
    {
        const string Op = "gaussian score";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        Dense(Op, "stats", stats, pixels.Count, 2 * z.Cols);
        if (!logp.IsNone) Row(Op, "logp", logp, pixels.N);
        if (!eps.IsNone) Dense(Op, "eps", eps, pixels.Count, z.Cols);
    }

    /// <summary>Arguments of <see cref="IGaussianScore.Inverse"/>.</summary>
    public static void CheckGaussianScoreInverse(Pixels pixels, View eps, View stats, View z)
    {
        const string Op = "gaussian score inverse";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        Dense(Op, "eps", eps, pixels.Count, z.Cols);
        Dense(Op, "stats", stats, pixels.Count, 2 * z.Cols);
    }

    /// <summary>Arguments of <see cref="IGaussianScore.Backward"/>.</summary>
    public static void CheckGaussianScoreBackward(Pixels pixels, View z, View stats, View dz, View dstats)
    {
        const string Op = "gaussian score backward";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        Dense(Op, "stats", stats, pixels.Count, 2 * z.Cols);
        Window(Op, "dz", dz, pixels.Count, z.Cols);
        Dense(Op, "dstats", dstats, pixels.Count, 2 * z.Cols);
    }

    /// <summary>
    /// Arguments of both directions of <see cref="ISqueeze"/>: x is the large image, y the squeezed one.
    /// </summary>
    public static void CheckSqueeze(Pixels pixels, View x, View y)
    {
        const string Op = "squeeze";
        CheckPixels(Op, pixels);
        if (pixels.H % 2 != 0 || pixels.W % 2 != 0)
        {
            (string side, int size) = pixels.H % 2 != 0 ? ("height", pixels.H) : ("width", pixels.W);
            throw new ArgumentException(
                $"squeeze: input [{pixels.N},{pixels.H},{pixels.W},{x.Cols}] has odd {side} {size}; height and "
                    + "width must be even");
        }
        Window(Op, "x", x, pixels.Count, x.Cols);
        Dense(Op, "y", y, pixels.Count / 4, 4 * x.Cols);
    }

    /// <summary>Arguments of <see cref="IChannelStats.InitializeActNorm"/>.</summary>
    public static void CheckChannelStats(View x, View bias, View logs)
    {
        const string Op = "channel statistics";
        Window(Op, "x", x, x.Rows, x.Cols);
        if (x.Rows == 0) throw new ArgumentException($"{Op}: x has no rows; a mean needs at least one");
        Row(Op, "bias", bias, x.Cols);
        Row(Op, "logs", logs, x.Cols);
    }

    /// <summary>Arguments of <see cref="IDequantize.Forward"/>.</summary>
    public static void CheckDequantize(View bytes, int bits, View x, View noise)
    {
        const string Op = "dequantize";
        if (bits is < 1 or > 8) throw new ArgumentException($"{Op}: bits is {bits}; it must be 1 to 8");
        Dense(Op, "bytes", bytes, bytes.Rows, bytes.Cols);
        Dense(Op, "x", x, bytes.Rows, bytes.Cols);
        if (!noise.IsNone) Row(Op, "noise", noise, DequantizeNoise.Length);
    }

    /// <summary>Arguments of <see cref="IOptimizerStep.Adam"/> and <see cref="IOptimizerStep.Adamax"/>.</summary>
    public static void CheckOptimizer(
        View parameters, View gradients, View m, View v, View average, OptimizerSettings settings,
            OptimizerControl control)
    {
        const string Op = "optimizer";
        Row(Op, "parameters", parameters, parameters.Count);
        Row(Op, "gradients", gradients, parameters.Count);
        Row(Op, "first moment", m, parameters.Count);
        Row(Op, "second moment", v, parameters.Count);
        if (!average.IsNone) Row(Op, "average", average, parameters.Count);
        if (!control.Scale.IsNone) Row(Op, "scale", control.Scale, 1);
        if (!control.Dials.IsNone) Row(Op, "dials", control.Dials, OptimizerControl.DialCount);
        if (settings.Step < 1) throw new ArgumentException($"{Op}: step is {settings.Step}; the first step is 1");
        if (!(settings.Epsilon > 0))
            throw new ArgumentException(
                $"{Op}: epsilon is {settings.Epsilon}; it must be positive to keep the division finite");
        if (!(settings.Beta1 >= 0 && settings.Beta1 < 1 && settings.Beta2 >= 0 && settings.Beta2 < 1))
            throw new ArgumentException(
                $"{Op}: beta1 is {settings.Beta1} and beta2 {settings.Beta2}; both must be at least 0 and below 1");
    }

    /// <summary>Arguments of <see cref="IOptimizerStep.Judge"/>.</summary>
    public static void CheckJudge(View values, View squares, double clipNorm, View scale)
    {
        const string Op = "judge";
        Row(Op, "values", values, values.Count);
        Row(Op, "sum of squares", squares, 1);
        Row(Op, "scale", scale, 1);
        if (!(clipNorm >= 0))
            throw new ArgumentException($"{Op}: the norm to clip to is {clipNorm}; it must be at least 0");
    }

    /// <summary>Arguments of <see cref="IOptimizerStep.SumOfSquares"/>.</summary>
    public static void CheckSumOfSquares(View x, View result)
    {
        const string Op = "sum of squares";
        Dense(Op, "x", x, x.Rows, x.Cols);
        Row(Op, "result", result, 1);
    }

    private static int CoupledChannels(CouplingKind kind, View z2) => kind == CouplingKind.Affine
        ? 2 * z2.Cols : z2.Cols;

    private static void CheckPixels(string op, Pixels pixels)
    {
        if (pixels.N <= 0 || pixels.H <= 0 || pixels.W <= 0)
            throw new ArgumentException(
                $"{op}: pixels are [{pixels.N},{pixels.H},{pixels.W}]; images, height and width must be at least 1");
        if ((long)pixels.N * pixels.H * pixels.W > int.MaxValue)
            throw new ArgumentException(
                $"{op}: pixels are [{pixels.N},{pixels.H},{pixels.W}], more than {int.MaxValue} in all; the batch "
                    + "must be smaller");
    }

    /// <summary>A view of that shape, its rows any distance apart.</summary>
    private static void Window(string op, string name, View view, int rows, int cols)
    {
        if (view.IsNone || view.Cols <= 0)
            throw new ArgumentException($"{op}: {name} is missing or has no columns; it must be given");
        if (view.Rows != rows || view.Cols != cols)
            throw new ArgumentException($"{op}: {name} is [{view.Rows},{view.Cols}]; it must be [{rows},{cols}]");
    }

    /// <summary>A view of that shape without gaps.</summary>
    private static void Dense(string op, string name, View view, int rows, int cols)
    {
        Window(op, name, view, rows, cols);
        NoGaps(op, name, view);
    }

    /// <summary>So many values without gaps, whatever their shape: a parameter or a result per image.</summary>
    private static void Row(string op, string name, View view, long count, string of = "")
    {
        if (view.IsNone) throw new ArgumentException($"{op}: {of}{name} is missing; it must hold {count} values");
        if (view.Count != count)
            throw new ArgumentException($"{op}: {of}{name} holds {view.Count} values; it must hold {count}");
        NoGaps(op, name, view, of);
    }

    private static void NoGaps(string op, string name, View view, string of = "")
    {
        if (!view.IsDense)
            throw new ArgumentException(
                $"{op}: {of}{name} has rows of {view.Cols} that lie {view.Stride} apart; it must be dense");
    }
}
