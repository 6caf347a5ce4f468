using GlowGpu.Kernels;

namespace GlowGpu.Tests.Reference.Backend;

internal sealed class ReferenceConvolution : IConvolution
{
    public long PackedLength(ConvolutionShape shape) => (shape.Rows + 1L) * shape.Out;

    public void Pack(ConvolutionShape shape, ConvolutionParameters parameters, View packed) =>
        packed.Store([.. parameters.W.Load(), .. parameters.Bias.Load()]);

    public void Forward(ConvolutionShape shape, Pixels pixels, View x, View packed, View y)
    {
        (double[] w, double[] bias) = Unpack(shape, packed);
        y.Store(PlainConvolutionReference.Forward(shape.Size, x.Load(pixels), w, bias, shape.Relu).Data);
    }

    public void Backward(ConvolutionShape shape, Pixels pixels, View x, View y, View packed, View dy, View dx,
        ConvolutionParameters gradients)
    {
        (double[] w, double[] bias) = Unpack(shape, packed);
        (Nhwc dInput, double[] dw, double[] dbias) = PlainConvolutionReference.Backward(
            shape.Size, x.Load(pixels), w, bias, shape.Relu, dy.Load(pixels));
        dx.Add(dInput.Data);
        gradients.W.Store(dw);
        gradients.Bias.Store(dbias);
    }

    private static (double[] W, double[] Bias) Unpack(ConvolutionShape shape, View packed)
    {
        double[] all = packed.Load();
        int weights = shape.Rows * shape.Out;
        return (all[..weights], all[weights..]);
    }
}

internal sealed class ReferenceBatchNorm : IBatchNorm
{
    public void Measure(View x, View mean, View variance)
    {
        (double[] m, double[] v) = BatchNormReference.Measure(Rows(x));
        mean.Store(m);
        variance.Store(v);
    }

    public void Apply(View x, View mean, View variance, BatchNormAffine affine, View y) => y.Store(affine.IsNone
        ? BatchNormReference.Normalize(Rows(x), mean.Load(), variance.Load()).Data
        : BatchNormReference.Network(Rows(x), mean.Load(), variance.Load(), affine.Gain.Load(),
        affine.Bias.Load()).Data);

    public void Invert(View y, View mean, View variance, View x) =>
        x.Store(BatchNormReference.Invert(Rows(y), mean.Load(), variance.Load()).Data);

    public void AddLogDet(Pixels pixels, View variance, float sign, View logdet)
    {
        double value = sign * BatchNormReference.LogDet(new Nhwc(1, pixels.H, pixels.W, 1), variance.Load());
        logdet.Add([.. Enumerable.Repeat(value, pixels.N)]);
    }

    public void Backward(View x, View mean, View variance, BatchNormAffine affine, View dy, float gLogDet, View dx,
        BatchNormAffine gradients)
    {
        (Nhwc dInput, double[] dgain, double[] dbias) = BatchNormReference.Backward(Rows(x),
            mean.Load(), variance.Load(),
            affine.Gain.LoadOptional(), affine.Bias.LoadOptional(), Rows(dy), gLogDet);
        dx.Add(dInput.Data);
        gradients.Gain.Store(dgain);
        gradients.Bias.Store(dbias);
    }

    public void Blend(View batch, View running, float momentum, View scale = default)
    {
        if (!scale.IsNone && float.IsNaN(scale.ReadScalar())) return;
        double[] b = batch.Load();
        running.Store([.. running.Load().Select((r, i) => (1 - (double)momentum) * r + momentum * b[i])]);
    }

    private static Nhwc Rows(View x) => x.Load(new Pixels(x.Rows, 1, 1));
}

internal sealed class ReferenceMaskedCouple : IMaskedCouple
{
    public void Forward(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet)
    {
        Nhwc network = h.Load(pixels);
        z.Store(MaskedCoupleReference.Forward(mask, z.Load(pixels), network, factor.Load()).Data);
        logdet.Add(MaskedCoupleReference.LogDet(mask, network, factor.Load()));
    }

    public void Inverse(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet)
    {
        Nhwc network = h.Load(pixels);
        z.Store(MaskedCoupleReference.Inverse(mask, z.Load(pixels), network, factor.Load()).Data);
        logdet.Add(Array.ConvertAll(MaskedCoupleReference.LogDet(mask, network, factor.Load()), static v => -v));
    }

    public void Backward(PixelMask mask, Pixels pixels, View z, View h, View factor, View dz, View dh,
        View dfactor, float gLogDet)
    {
        Nhwc network = h.Load(pixels), input = MaskedCoupleReference.Inverse(mask, z.Load(pixels),
            network, factor.Load());
        (Nhwc dInput, Nhwc dNetwork, double[] dFactor) = MaskedCoupleReference.Backward(
            mask, input, network, factor.Load(), dz.Load(pixels), gLogDet);
        dz.Store(dInput.Data);
        dh.Store(dNetwork.Data);
        dfactor.Store(dFactor);
    }

    public void Condition(PixelMask mask, Pixels pixels, View z, View condition) =>
        condition.Store(MaskedCoupleReference.Condition(mask, z.Load(pixels)).Data);

    public void AddCondition(PixelMask mask, Pixels pixels, View dcondition, View dz) =>
        dz.Add(MaskedCoupleReference.Condition(mask, dcondition.Load(pixels)).Data);
}

internal sealed class ReferenceScaledPrior : IScaledPrior
{
    public void Forward(PriorKind kind, View x, View logs, View logp, View z)
    {
        double[] values = x.Load();
        z.Store(ScaledPriorReference.Latent(values, logs.Load()));
        logp.Add(ScaledPriorReference.LogLikelihood(kind, values, logs.Load()));
    }

    public void Inverse(View z, View logs, View x) =>
        x.Store(ScaledPriorReference.Latent(z.Load(), Array.ConvertAll(logs.Load(), static v => -v)));

    public void Backward(PriorKind kind, View x, View logs, float gLogP, View dx, View dlogs)
    {
        (double[] dInput, double[] dLogs) = ScaledPriorReference.Backward(kind, x.Load(), logs.Load(), gLogP);
        dx.Store(dInput);
        dlogs.Store(dLogs);
    }
}
