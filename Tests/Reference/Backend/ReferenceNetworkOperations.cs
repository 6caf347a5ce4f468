using GlowGpu.Kernels;

namespace GlowGpu.Tests.Reference.Backend;

internal sealed class ReferenceCouplingNet : ICouplingNet
{
    public bool BackwardReadsPacked => true;

    public long PackedLength(CouplingNetShape shape, Pixels pixels) =>
        9L * shape.In1 * shape.Width + (long)shape.Width * shape.Width + 9L * shape.In3 * shape.Out + 4L * shape.Width
            + 2L * shape.Out;

    // z1 is at hand in backward: the hidden layers are computed again.
    public long SavedLength(CouplingNetShape shape, Pixels pixels) => 1;

    public void Pack(CouplingNetShape shape, Pixels pixels, CouplingNetParameters parameters, View packed)
    {
        CouplingNetWeights w = Weights(parameters);
        packed.Store([.. w.W1, .. w.Bias1, .. w.Logs1, .. w.W2, .. w.Bias2, .. w.Logs2, .. w.W3,
            .. w.Bias3, .. w.Logs3]);
    }

    public void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved,
        View following = default)
    {
        double[] all = packed.Load();
        int at = 0;
        double[] Next(int count) => all[at..(at += count)];
        CouplingNetWeights weights = new(
            Next(9 * shape.In1 * shape.Width), Next(shape.Width), Next(shape.Width),
            Next(shape.Width * shape.Width), Next(shape.Width), Next(shape.Width),
            Next(9 * shape.In3 * shape.Out), Next(shape.Out), Next(shape.Out));
        h.Store(CouplingNetReference.Forward(z1.Load(pixels), weights, shape.EdgeBias).Data);
        saved.Store([0]);
    }

    public void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients)
    {
        (Nhwc dInput, CouplingNetWeights g) = CouplingNetReference.Backward(
            z1.Load(pixels), Weights(parameters), shape.EdgeBias, dh.Load(pixels));
        dz1.Add(dInput.Data);
        gradients.W1.Store(g.W1);
        gradients.Bias1.Store(g.Bias1);
        gradients.Logs1.Store(g.Logs1);
        gradients.W2.Store(g.W2);
        gradients.Bias2.Store(g.Bias2);
        gradients.Logs2.Store(g.Logs2);
        gradients.W3.Store(g.W3);
        gradients.Bias3.Store(g.Bias3);
        gradients.Logs3.Store(g.Logs3);
    }

    public void Initialize(CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters)
    {
        CouplingNetWeights weights = Weights(parameters);
        double[] zero = new double[shape.Width];
        (Nhwc first, _) = CouplingNetReference.Hidden(z1.Load(pixels), weights with { Bias1 = zero, Logs1 = zero },
            shape.EdgeBias);
        (double[] bias1, double[] logs1) = ActNormReference.Initialize(first);
        weights = weights with { Bias1 = bias1, Logs1 = logs1, Bias2 = zero, Logs2 = zero };
        (_, Nhwc second) = CouplingNetReference.Hidden(z1.Load(pixels), weights, shape.EdgeBias);
        (double[] bias2, double[] logs2) = ActNormReference.Initialize(second);
        parameters.Bias1.Store(bias1);
        parameters.Logs1.Store(logs1);
        parameters.Bias2.Store(bias2);
        parameters.Logs2.Store(logs2);
    }

    private static CouplingNetWeights Weights(CouplingNetParameters p) => new(
        p.W1.Load(), p.Bias1.Load(), p.Logs1.Load(), p.W2.Load(), p.Bias2.Load(), p.Logs2.Load(), p.W3.Load(),
            p.Bias3.Load(), p.Logs3.Load());
}

internal sealed class ReferenceZeroConv : IZeroConv
{
    public long PackedLength(ZeroConvShape shape) => 9L * shape.In1 * shape.Out + 2L * shape.Out;

    public void Pack(ZeroConvShape shape, ZeroConvParameters parameters, View packed) =>
        packed.Store([.. parameters.W.Load(), .. parameters.Bias.Load(), .. parameters.Logs.Load()]);

    public void Forward(ZeroConvShape shape, Pixels pixels, View x, View packed, View h)
    {
        double[] all = packed.Load();
        int weights = 9 * shape.In1 * shape.Out;
        h.Store(ZeroConvReference.Forward(x.Load(pixels), all[..weights], all[weights..(weights + shape.Out)],
            all[(weights + shape.Out)..], shape.EdgeBias).Data);
    }

    public void Backward(ZeroConvShape shape, Pixels pixels, View x, View h, View packed, ZeroConvParameters parameters,
        View dh, View dx, ZeroConvParameters gradients)
    {
        (Nhwc dInput, double[] dw, double[] dbias, double[] dlogs) = ZeroConvReference.Backward(x.Load(pixels),
            parameters.W.Load(), parameters.Bias.Load(), parameters.Logs.Load(), shape.EdgeBias, dh.Load(pixels));
        dx.Add(dInput.Data);
        gradients.W.Store(dw);
        gradients.Bias.Store(dbias);
        gradients.Logs.Store(dlogs);
    }
}

internal sealed class ReferencePrior : IPrior
{
    public void Forward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View stats) =>
        stats.Store(PriorReference.Forward(pixels.N, pixels.H, pixels.W, stats.Cols / 2, Weights(parameters),
            labels.LoadOptional(), edgeBias).Data);

    public void Backward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View dstats,
        PriorParameters gradients)
    {
        PriorWeights g = PriorReference.Backward(Weights(parameters), labels.LoadOptional(), edgeBias,
            dstats.Load(pixels));
        gradients.Conv.W.Store(g.W);
        gradients.Conv.Bias.Store(g.Bias);
        gradients.Conv.Logs.Store(g.Logs);
        gradients.ClassW.Store(g.ClassW);
        gradients.ClassBias.Store(g.ClassBias);
        gradients.ClassLogs.Store(g.ClassLogs);
    }

    private static PriorWeights Weights(PriorParameters p) => new(
        p.Conv.W.LoadOptional(), p.Conv.Bias.LoadOptional(), p.Conv.Logs.LoadOptional(),
        p.ClassW.LoadOptional(), p.ClassBias.LoadOptional(), p.ClassLogs.LoadOptional());
}

internal sealed class ReferenceClassHead : IClassHead
{
    public void Forward(Pixels pixels, View z, ClassHeadParameters parameters, View labels, View mean,
        View logits, View loss)
    {
        Nhwc top = z.Load(pixels);
        double[] scores = ClassHeadReference.Logits(top, parameters.W.Load(), parameters.Bias.Load(),
            parameters.Logs.Load());
        mean.Store(ClassHeadReference.Mean(top));
        logits.Store(scores);
        loss.Store(ClassHeadReference.Loss(scores, labels.Load()));
    }

    public void Backward(Pixels pixels, ClassHeadParameters parameters, View labels, View mean,
        View logits, float gLoss,
        View dz, ClassHeadParameters gradients)
    {
        // The mean decides everything, so an image of one pixel that holds it has the same gradients of the parameters.
        Nhwc pooled = mean.Load(new Pixels(pixels.N, 1, 1));
        (Nhwc dMean, double[] dw, double[] dbias, double[] dlogs) = ClassHeadReference.Backward(
            pooled, parameters.W.Load(), parameters.Bias.Load(), parameters.Logs.Load(), labels.Load(), gLoss);
        int perImage = pixels.H * pixels.W;
        double[] spread = new double[dz.Count];
        for (int i = 0; i < spread.Length; i++) spread[i] = dMean.Data[i / (perImage * dz.Cols) * dz.Cols
            + i % dz.Cols] / perImage;
        dz.Add(spread);
        gradients.W.Store(dw);
        gradients.Bias.Store(dbias);
        gradients.Logs.Store(dlogs);
    }
}

internal sealed class ReferenceChannelStats : IChannelStats
{
    public void InitializeActNorm(View x, View bias, View logs)
    {
        (double[] b, double[] s) = ActNormReference.Initialize(x.Load(new Pixels(x.Rows, 1, 1)));
        bias.Store(b);
        logs.Store(s);
    }
}

internal sealed class ReferenceDequantize : IDequantize
{
    public void Forward(View bytes, int bits, bool center, ulong key, ulong counter, View x, View noise = default)
    {
        if (!noise.IsNone) (key, counter) = DequantizeNoise.Get(noise.ToArray());
        double[] u = new double[bytes.Count];
        for (int i = 0; i < u.Length; i++)
        {
            (uint a, uint b, uint c, uint d) = Philox.Block(key, counter + (ulong)(i / 4));
            u[i] = center ? 0.5 : Philox.ToUnit((i % 4) switch { 0 => a, 1 => b, 2 => c, _ => d });
        }
        x.Store(DequantizeReference.Forward(bytes.Load(), bits, u));
    }
}

internal sealed class ReferenceOptimizerStep : IOptimizerStep
{
    public void Adam(View parameters, View gradients, View m, View v, View average, OptimizerSettings settings,
        OptimizerControl control = default) =>
        Step(parameters, gradients, m, v, average, settings, control, OptimizerReference.Adam);

    public void Adamax(View parameters, View gradients, View m, View u, View average, OptimizerSettings settings,
        OptimizerControl control = default) =>
        Step(parameters, gradients, m, u, average, settings, control, OptimizerReference.Adamax);

    public void SumOfSquares(View x, View result) => result.Store([x.Load().Sum(static v => v * v)]);

    public void Judge(View values, View squares, double clipNorm, View scale)
    {
        double norm = Math.Sqrt(squares.ReadScalar());
        bool finite = double.IsFinite(norm) && Array.TrueForAll(values.Load(), double.IsFinite);
        scale.Store([finite ? clipNorm > 0 ? Math.Min(1, clipNorm / norm) : 1 : double.NaN]);
    }

    private delegate void Algorithm(double[] p, double[] g, double[] m, double[] v, double rate, double beta1,
        double beta2, double epsilon, long t);

    private static void Step(View parameters, View gradients, View first, View second, View average,
        OptimizerSettings s, OptimizerControl control, Algorithm algorithm)
    {
        float scale = control.Scale.IsNone ? s.GradientScale : control.Scale.ReadScalar();
        if (float.IsNaN(scale)) return;
        double averageDecay = s.AverageDecay, rate = s.Rate;
        long t = s.Step;
        if (!control.Dials.IsNone)
        {
            float[] dials = control.Dials.ToArray();
            // The step that the corrections belong to.
            t = (long)Math.Round(Math.Log(1 - 1 / dials[1]) / Math.Log(s.Beta2));
            rate = dials[0] * (1 - Math.Pow(s.Beta1, t));
            averageDecay = dials[2];
        }
        double[] p = parameters.Load(), m = first.Load(), v = second.Load();
        double[] g = Array.ConvertAll(gradients.Load(), x => x * scale);
        algorithm(p, g, m, v, rate, s.Beta1, s.Beta2, s.Epsilon, t);
        parameters.Store(p);
        first.Store(m);
        second.Store(v);
        if (average.IsNone) return;
        double[] a = average.Load();
        for (int i = 0; i < a.Length; i++) a[i] = averageDecay * a[i] + (1 - averageDecay) * p[i];
        average.Store(a);
    }
}
