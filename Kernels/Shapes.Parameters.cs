namespace GlowGpu.Kernels;

/// <summary>
/// Checks of the operations that take parameters: the networks, the prior, the class head and the channel maps.
/// </summary>
internal static partial class Shapes
{
    /// <summary>Arguments of <see cref="ICouplingNet.Pack"/>.</summary>
    public static void CheckCouplingNetPack(
        CouplingNetShape shape, CouplingNetParameters parameters, View packed, long packedLength)
    {
        const string Op = "coupling network pack";
        CheckParameters(Op, "", shape, parameters);
        Row(Op, "packed", packed, packedLength);
    }

    /// <summary>Arguments of <see cref="ICouplingNet.Forward"/>.</summary>
    public static void CheckCouplingNet(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved,
        long packedLength, long savedLength)
    {
        const string Op = "coupling network";
        CheckPixels(Op, pixels);
        Window(Op, "z1", z1, pixels.Count, shape.In);
        Row(Op, "packed", packed, packedLength);
        Dense(Op, "h", h, pixels.Count, shape.Out);
        if (!saved.IsNone) Row(Op, "saved", saved, savedLength);
    }

    /// <summary>Arguments of <see cref="ICouplingNet.Backward"/>.</summary>
    public static void CheckCouplingNetBackward(CouplingNetShape shape, Pixels pixels, View z1, View h,
        View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients,
        long packedLength, long savedLength, bool mayLackPacked = false)
    {
        const string Op = "coupling network backward";
        CheckPixels(Op, pixels);
        Window(Op, "z1", z1, pixels.Count, shape.In);
        Dense(Op, "h", h, pixels.Count, shape.Out);
        Row(Op, "saved", saved, savedLength);
        if (!(packed.IsNone && mayLackPacked)) Row(Op, "packed", packed, packedLength);
        CheckParameters(Op, "", shape, parameters);
        Dense(Op, "dh", dh, pixels.Count, shape.Out);
        Window(Op, "dz1", dz1, pixels.Count, shape.In);
        CheckParameters(Op, "gradient of ", shape, gradients);
    }

    /// <summary>Arguments of <see cref="ICouplingNet.Initialize"/>.</summary>
    public static void CheckCouplingNetInitialize(
        CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters)
    {
        const string Op = "coupling network initialization";
        CheckPixels(Op, pixels);
        Window(Op, "z1", z1, pixels.Count, shape.In);
        CheckParameters(Op, "", shape, parameters);
    }

    /// <summary>Arguments of <see cref="IZeroConv.Pack"/>.</summary>
    public static void CheckZeroConvPack(ZeroConvShape shape, ZeroConvParameters parameters,
        View packed, long packedLength)
    {
        const string Op = "zero convolution pack";
        CheckParameters(Op, "", shape, parameters);
        Row(Op, "packed", packed, packedLength);
    }

    /// <summary>Arguments of <see cref="IZeroConv.Forward"/>.</summary>
    public static void CheckZeroConv(ZeroConvShape shape, Pixels pixels, View x, View packed, View h, long packedLength)
    {
        const string Op = "zero convolution";
        CheckPixels(Op, pixels);
        Window(Op, "x", x, pixels.Count, shape.In);
        Row(Op, "packed", packed, packedLength);
        Dense(Op, "h", h, pixels.Count, shape.Out);
    }

    /// <summary>Arguments of <see cref="IZeroConv.Backward"/>.</summary>
    public static void CheckZeroConvBackward(ZeroConvShape shape, Pixels pixels, View x, View h, View packed,
        ZeroConvParameters parameters, View dh, View dx, ZeroConvParameters gradients, long packedLength)
    {
        const string Op = "zero convolution backward";
        CheckPixels(Op, pixels);
        Window(Op, "x", x, pixels.Count, shape.In);
        Dense(Op, "h", h, pixels.Count, shape.Out);
        Row(Op, "packed", packed, packedLength);
        CheckParameters(Op, "", shape, parameters);
        Dense(Op, "dh", dh, pixels.Count, shape.Out);
        Window(Op, "dx", dx, pixels.Count, shape.In);
        CheckParameters(Op, "gradient of ", shape, gradients);
    }

    /// <summary>Arguments of <see cref="IPrior.Forward"/>.</summary>
    public static void CheckPrior(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View stats)
    {
        const string Op = "prior";
        CheckPixels(Op, pixels);
        Dense(Op, "stats", stats, pixels.Count, stats.Cols);
        CheckParameters(Op, "", edgeBias, pixels, parameters, labels, stats.Cols);
    }

    /// <summary>Arguments of <see cref="IPrior.Backward"/>.</summary>
    public static void CheckPriorBackward(bool edgeBias, Pixels pixels, PriorParameters parameters,
        View labels, View dstats,
        PriorParameters gradients)
    {
        const string Op = "prior backward";
        CheckPixels(Op, pixels);
        Dense(Op, "dstats", dstats, pixels.Count, dstats.Cols);
        CheckParameters(Op, "", edgeBias, pixels, parameters, labels, dstats.Cols);
        CheckParameters(Op, "gradient of ", edgeBias, pixels, gradients, labels, dstats.Cols);
        if (parameters.ClassW.IsNone != gradients.ClassW.IsNone || parameters.Conv.W.IsNone != gradients.Conv.W.IsNone)
            throw new ArgumentException(
                $"{Op}: parameters and gradients differ in what they hold; each parameter needs its gradient");
        if (parameters.ClassW.Count != gradients.ClassW.Count)
            throw new ArgumentException(
                $"{Op}: gradient of class weight holds {gradients.ClassW.Count} values; it must hold "
                    + $"{parameters.ClassW.Count}");
    }

    /// <summary>Arguments of <see cref="IClassHead.Forward"/>.</summary>
    public static void CheckClassHead(
        Pixels pixels, View z, ClassHeadParameters parameters, View labels, View mean, View logits, View loss)
    {
        const string Op = "class head";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        CheckParameters(Op, "", parameters, z.Cols, parameters.Bias.Count);
        Row(Op, "labels", labels, pixels.N);
        Dense(Op, "mean", mean, pixels.N, z.Cols);
        Dense(Op, "logits", logits, pixels.N, (int)parameters.Bias.Count);
        Row(Op, "loss", loss, pixels.N);
    }

    /// <summary>Arguments of <see cref="IClassHead.Backward"/>.</summary>
    public static void CheckClassHeadBackward(Pixels pixels, ClassHeadParameters parameters, View labels,
        View mean, View logits,
        View dz, ClassHeadParameters gradients)
    {
        const string Op = "class head backward";
        CheckPixels(Op, pixels);
        Window(Op, "dz", dz, pixels.Count, dz.Cols);
        CheckParameters(Op, "", parameters, dz.Cols, parameters.Bias.Count);
        Row(Op, "labels", labels, pixels.N);
        Dense(Op, "mean", mean, pixels.N, dz.Cols);
        Dense(Op, "logits", logits, pixels.N, (int)parameters.Bias.Count);
        CheckParameters(Op, "gradient of ", gradients, dz.Cols, parameters.Bias.Count);
    }

    /// <summary>One step of <see cref="IChannelMap.Prepare"/>: everything but the gradients.</summary>
    public static void CheckChannelMap(ChannelMapStep step)
    {
        string name = step.Name.Length == 0 ? "channel map" : step.Name;
        int c = step.Channels;
        if (c < 1) throw new ArgumentException($"{name}: channels is {c}; it must be at least 1");
        if (step.PixelsPerImage < 1)
            throw new ArgumentException($"{name}: pixels per image is {step.PixelsPerImage}; it must be at least 1");
        if (step.Mixing != ChannelMixing.Dense) CheckPermutation(name, step.Permutation, c);
        if (step.Mixing == ChannelMixing.Plu) CheckSigns(name, step.Sign, c);
        CheckParameters(name, "", step.Mixing, step.Parameters, c);
        long cc = (long)c * c;
        Row(name, "W'", step.Maps.W, cc);
        Row(name, "b'", step.Maps.B, c);
        Row(name, "V", step.Maps.V, cc);
        Row(name, "c", step.Maps.C, c);
    }

    /// <summary>Where <see cref="IChannelMap.Prepare"/> writes the log-determinant and what is wrong.</summary>
    public static void CheckChannelMapResults(View logDet, View status)
    {
        Row("channel map", "logDet", logDet, 1);
        Row("channel map", "status", status, ChannelMapStatus.Length);
    }

    /// <summary>One step of <see cref="IChannelMap.Backward"/>.</summary>
    public static void CheckChannelMapBackward(ChannelMapStep step)
    {
        CheckChannelMap(step);
        string name = step.Name.Length == 0 ? "channel map" : step.Name;
        CheckParameters(name, "gradient of ", step.Mixing, step.Gradients, step.Channels);
        Row(name, "gradient of W'", step.Maps.DW, (long)step.Channels * step.Channels);
        Row(name, "gradient of b'", step.Maps.DB, step.Channels);
    }

    /// <summary>
    /// Class indices held as floats; only a backend that has them in host memory can check their values.
    /// </summary>
    public static void CheckLabels(string op, ReadOnlySpan<float> labels, int classes)
    {
        for (int n = 0; n < labels.Length; n++)
            if (!(labels[n] >= 0 && labels[n] < classes && labels[n] == MathF.Floor(labels[n])))
                throw new ArgumentException(
                    $"{op}: label {labels[n]} of image {n} is not a class; labels must be whole numbers from 0 to "
                        + $"{classes - 1}");
    }

    private static void CheckParameters(string op, string of, CouplingNetShape shape, CouplingNetParameters p)
    {
        if (shape.In < 1 || shape.Width < 1 || shape.Out < 1)
            throw new ArgumentException(
                $"{op}: channels are {shape.In} → {shape.Width} → {shape.Out}; each must be at least 1");
        Row(op, "conv1 weight", p.W1, (long)Taps * shape.In1 * shape.Width, of);
        Row(op, "conv1 bias", p.Bias1, shape.Width, of);
        Row(op, "conv1 logs", p.Logs1, shape.Width, of);
        Row(op, "conv2 weight", p.W2, (long)shape.Width * shape.Width, of);
        Row(op, "conv2 bias", p.Bias2, shape.Width, of);
        Row(op, "conv2 logs", p.Logs2, shape.Width, of);
        Row(op, "conv3 weight", p.W3, (long)Taps * shape.In3 * shape.Out, of);
        Row(op, "conv3 bias", p.Bias3, shape.Out, of);
        Row(op, "conv3 logs", p.Logs3, shape.Out, of);
    }

    private static void CheckParameters(string op, string of, ZeroConvShape shape, ZeroConvParameters p)
    {
        if (shape.In < 1 || shape.Out < 1)
            throw new ArgumentException($"{op}: channels are {shape.In} → {shape.Out}; each must be at least 1");
        Row(op, "weight", p.W, (long)Taps * shape.In1 * shape.Out, of);
        Row(op, "bias", p.Bias, shape.Out, of);
        Row(op, "logs", p.Logs, shape.Out, of);
    }

    private static void CheckParameters(
        string op, string of, bool edgeBias, Pixels pixels, PriorParameters p, View labels, int statistics)
    {
        if (!p.Conv.W.IsNone) CheckParameters(op, of, new ZeroConvShape(statistics, statistics, edgeBias), p.Conv);
        if (p.ClassW.IsNone) return;
        if (p.ClassW.Count == 0 || p.ClassW.Count % statistics != 0)
            throw new ArgumentException(
                $"{op}: {of}class weight holds {p.ClassW.Count} values; it must hold {statistics} for every class");
        Row(op, "class weight", p.ClassW, p.ClassW.Count, of);
        Row(op, "class bias", p.ClassBias, statistics, of);
        Row(op, "class logs", p.ClassLogs, statistics, of);
        Row(op, "labels", labels, pixels.N);
    }

    private static void CheckParameters(string op, string of, ClassHeadParameters p, int channels, long classes)
    {
        if (classes < 1)
            throw new ArgumentException($"{op}: {of}bias is missing or empty; it must hold a value for every class");
        Row(op, "weight", p.W, channels * classes, of);
        Row(op, "bias", p.Bias, classes, of);
        Row(op, "logs", p.Logs, classes, of);
    }

    private static void CheckParameters(string op, string of, ChannelMixing mixing, ChannelMapParameters p, int c)
    {
        Row(op, "actnorm bias", p.Bias, c, of);
        Row(op, "actnorm logs", p.Logs, c, of);
        if (mixing == ChannelMixing.Dense) Row(op, "invconv weight", p.Weight, (long)c * c, of);
        if (mixing != ChannelMixing.Plu) return;
        Row(op, "invconv lower", p.Lower, (long)c * c, of);
        Row(op, "invconv upper", p.Upper, (long)c * c, of);
        Row(op, "invconv log_s", p.LogS, c, of);
    }

    private static void CheckPermutation(string op, int[] permutation, int c)
    {
        if (permutation is null || permutation.Length != c)
            throw new ArgumentException(
                $"{op}: the permutation has {permutation?.Length ?? 0} entries; it must have {c}");
        const int StackLimit = 4096;
        Span<bool> seen = c <= StackLimit ? stackalloc bool[c] : new bool[c];
        seen.Clear();
        foreach (int channel in permutation)
        {
            if (channel < 0 || channel >= c || seen[channel])
                throw new ArgumentException(
                    $"{op}: the permutation names channel {channel} twice or outside of its {c}; it must name each "
                        + $"from 0 to {c - 1} once");
            seen[channel] = true;
        }
    }

    private static void CheckSigns(string op, float[] sign, int c)
    {
        if (sign is null || sign.Length != c)
            throw new ArgumentException($"{op}: sign_s has {sign?.Length ?? 0} entries; it must have {c}");
        foreach (float s in sign)
            if (s is not (1 or -1)) throw new ArgumentException($"{op}: sign_s holds {s}; every entry must be 1 or -1");
    }
}
