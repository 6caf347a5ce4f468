using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;

namespace GlowGpu.Tests.Reference.Backend;

internal sealed class ReferenceChannelAffine : IChannelAffine
{
    public void Apply(View x, View w, View b, View y)
    {
        double[] bias = b.Load();
        Nhwc mixed = ConvolutionReference.Convolve1x1(x.Load(new Pixels(x.Rows, 1, 1)), w.Load(), y.Cols);
        y.Store(mixed.Map((v, c) => v + bias[c]).Data);
    }

    public void Backward(View dy, View x, View w, View dx, View dw, View db)
    {
        Nhwc gradient = dy.Load(new Pixels(dy.Rows, 1, 1));
        (Nhwc dInput, double[] dWeight) = ConvolutionReference.Backward1x1(x.Load(new Pixels(x.Rows, 1, 1)),
            w.Load(), gradient);
        double[] dBias = new double[gradient.C];
        for (int i = 0; i < gradient.Data.Length; i++) dBias[i % gradient.C] += gradient.Data[i];
        dx.Store(dInput.Data);
        dw.Store(dWeight);
        db.Store(dBias);
    }
}

internal sealed class ReferenceChannelMap : IChannelMap
{
    public void Prepare(IReadOnlyList<ChannelMapStep> steps, View logDet, View status)
    {
        double sum = 0;
        float[] found = new float[ChannelMapStatus.Length];
        for (int index = 0; index < steps.Count; index++)
        {
            ChannelMapStep step = steps[index];
            int n = step.Channels;
            double[] w = Weight(step), bias = step.Parameters.Bias.Load(), logs = step.Parameters.Logs.Load();
            double[] inverse = Matrix.Inverse(w, n), forward = new double[n * n], b = new double[n];
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++)
                {
                    forward[i * n + j] = Math.Exp(3 * logs[i]) * w[i * n + j];
                    b[j] += bias[i] * forward[i * n + j];
                    inverse[i * n + j] *= Math.Exp(-3 * logs[j]);
                }
            step.Maps.W.Store(forward);
            step.Maps.B.Store(b);
            step.Maps.V.Store(inverse);
            step.Maps.C.Store(Array.ConvertAll(bias, static v => -v));
            double logAbs = Matrix.LogAbsDeterminant(w, n);
            sum += double.IsFinite(logAbs) ? step.PixelsPerImage * (3 * logs.Sum() + logAbs) : double.NaN;
            int bad = Array.FindIndex(w, static v => !double.IsFinite(v));
            if (double.IsFinite(logAbs) || ChannelMapStatus.HasFailed(found)) continue;
            if (bad >= 0) ChannelMapStatus.SetNotFinite(found, index, bad, w[bad]);
            else ChannelMapStatus.SetSingular(found, index, 0, 0);
        }
        logDet.Store([sum]);
        status.Store(found.Wide());
    }

    public void Backward(IReadOnlyList<ChannelMapStep> steps, float gLogDet)
    {
        foreach (ChannelMapStep step in steps)
        {
            int n = step.Channels;
            double[] w = Weight(step), inverse = Matrix.Inverse(w, n), dForward = step.Maps.DW.Load(),
                db = step.Maps.DB.Load();
            double[] bias = step.Parameters.Bias.Load(), logs = step.Parameters.Logs.Load();
            double perPixel = (double)gLogDet * step.PixelsPerImage;
            double[] dw = new double[n * n], dbias = new double[n], dlogs = new double[n];
            for (int i = 0; i < n; i++)
            {
                double e = Math.Exp(3 * logs[i]);
                dlogs[i] = 3 * perPixel;
                for (int j = 0; j < n; j++)
                {
                    dw[i * n + j] = e * (dForward[i * n + j] + bias[i] * db[j]) + perPixel * inverse[j * n + i];
                    dbias[i] += e * w[i * n + j] * db[j];
                    dlogs[i] += 3 * e * w[i * n + j] * (dForward[i * n + j] + bias[i] * db[j]);
                }
            }
            step.Gradients.Bias.Store(dbias);
            step.Gradients.Logs.Store(dlogs);
            step.Gradients.Weight.Store(dw);
            if (step.Mixing != ChannelMixing.Plu) continue;
            (double[] dlower, double[] dupper, double[] dlogS) = ChannelMixReference.PluBackward(
                step.Permutation, step.Parameters.Lower.Load(), step.Parameters.Upper.Load(),
                    step.Parameters.LogS.Load(),
                Array.ConvertAll(step.Sign, static v => (double)v), dw);
            step.Gradients.Lower.Store(dlower);
            step.Gradients.Upper.Store(dupper);
            step.Gradients.LogS.Store(dlogS);
        }
    }

    private static double[] Weight(ChannelMapStep step) => step.Mixing switch
    {
        ChannelMixing.Dense => step.Parameters.Weight.Load(),
        ChannelMixing.Permutation => ChannelMixReference.Permutation(step.Permutation),
        _ => ChannelMixReference.Plu(step.Permutation, step.Parameters.Lower.Load(), step.Parameters.Upper.Load(),
            step.Parameters.LogS.Load(), Array.ConvertAll(step.Sign, static v => (double)v)),
    };
}

internal sealed class ReferenceCouple : ICouple
{
    public void Forward(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        bool affine = kind == CouplingKind.Affine;
        z2.Store(CoupleReference.Forward(affine, z2.Load(pixels), h.Load(pixels)).Data);
        logdet.Add(CoupleReference.LogDet(affine, h.Load(pixels)));
    }

    public void Inverse(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        bool affine = kind == CouplingKind.Affine;
        z2.Store(CoupleReference.Inverse(affine, z2.Load(pixels), h.Load(pixels)).Data);
        logdet.Add(Array.ConvertAll(CoupleReference.LogDet(affine, h.Load(pixels)), static v => -v));
    }

    public void Backward(CouplingKind kind, Pixels pixels, View z2, View h, View dz2, View dh, float gLogDet)
    {
        bool affine = kind == CouplingKind.Affine;
        (Nhwc dInput, Nhwc dNetwork) = CoupleReference.Backward(affine, z2.Load(pixels), h.Load(pixels),
            dz2.Load(pixels), gLogDet);
        dz2.Store(dInput.Data);
        dh.Store(dNetwork.Data);
    }
}

internal sealed class ReferenceGaussianScore : IGaussianScore
{
    public void Forward(Pixels pixels, StatsLayout layout, View z, View stats, View logp, View eps)
    {
        (Nhwc mean, Nhwc logs) = Statistics(layout, stats.Load(pixels));
        logp.Add(GaussianScoreReference.LogDensity(z.Load(pixels), mean, logs));
        eps.Store(GaussianScoreReference.Latent(z.Load(pixels), mean, logs).Data);
    }

    public void Inverse(Pixels pixels, StatsLayout layout, View eps, View stats, View z)
    {
        (Nhwc mean, Nhwc logs) = Statistics(layout, stats.Load(pixels));
        z.Store(GaussianScoreReference.Inverse(eps.Load(pixels), mean, logs).Data);
    }

    public void Backward(Pixels pixels, StatsLayout layout, View z, View stats, float gLogP, View dz, View dstats)
    {
        (Nhwc mean, Nhwc logs) = Statistics(layout, stats.Load(pixels));
        (Nhwc dInput, Nhwc dmean, Nhwc dlogs) = GaussianScoreReference.Backward(z.Load(pixels), mean, logs, gLogP);
        dz.Store(dInput.Data);
        Nhwc joined = dmean.Concatenate(dlogs);
        if (layout == StatsLayout.Interleaved)
            for (int i = 0; i < dmean.Data.Length; i++) (joined.Data[2 * i], joined.Data[2 * i + 1]) = (dmean.Data[i],
                dlogs.Data[i]);
        dstats.Store(joined.Data);
    }

    private static (Nhwc Mean, Nhwc Logs) Statistics(StatsLayout layout, Nhwc stats) =>
        layout == StatsLayout.Interleaved ? GaussianScoreReference.Interleaved(stats)
            : GaussianScoreReference.Halves(stats);
}

internal sealed class ReferenceSqueeze : ISqueeze
{
    public void Forward(Pixels pixels, View x, View y) => y.Store(SqueezeReference.Forward(x.Load(pixels)).Data);

    public void Inverse(Pixels pixels, View y, View x) =>
        x.Store(SqueezeReference.Inverse(y.Load(new Pixels(pixels.N, pixels.H / 2, pixels.W / 2))).Data);
}
