using GlowGpu.Model;

namespace GlowGpu.Tests.Reference;

/// <summary>What the reference makes of a batch.</summary>
/// <param name="LogLikelihoods">nats per image, with the −D·ln n_bins term</param>
/// <param name="Eps">latents, level by level</param>
/// <param name="Top">z after the last level's steps</param>
public sealed record ReferenceEncoding(double[] LogLikelihoods, Nhwc[] Eps, Nhwc Top);

/// <summary>
/// A whole Glow in double, step by step as the paper and its published code have it: nothing is folded, cached or
/// fused.
/// Parameters and fixed tensors come by their checkpoint names.
/// </summary>
public sealed class ReferenceGlow(GlowConfig config, IReadOnlyDictionary<string, double[]> parameters)
{
    private bool Affine => config.Coupling == "affine";

    /// <summary>Hears the output of every layer, by name, as <see cref="Encode"/> makes it.</summary>
    public Action<string, Nhwc>? Layer { get; set; }

    /// <summary>Log-likelihoods and latents of continuous x <c>[N,H,W,C]</c>.</summary>
    public ReferenceEncoding Encode(double[] x, int count, double[]? labels)
    {
        Nhwc z = new(x, count, config.Height, config.ImageWidth, config.Channels);
        double[] logLikelihood = new double[count];
        Array.Fill(logLikelihood, -config.Dimensions * Math.Log(config.Bins));
        Nhwc[] eps = new Nhwc[config.Levels];
        for (int l = 0; l < config.Levels; l++)
        {
            z = SqueezeReference.Forward(z);
            for (int k = 0; k < config.Depth; k++) z = StepForward($"levels.{l}.steps.{k}", z, logLikelihood);
            if (l == config.Levels - 1) break;
            Nhwc z2 = z.Channels(z.C / 2, z.C / 2);
            z = z.Channels(0, z.C / 2);
            eps[l] = Score(z2, SplitStatistics(l, z), logLikelihood);
        }
        eps[^1] = Score(z, TopStatistics(z, labels), logLikelihood);
        return new ReferenceEncoding(logLikelihood, eps, z);
    }

    /// <summary>x <c>[N,H,W,C]</c> of latents.</summary>
    public double[] Decode(IReadOnlyList<double[]> eps, int count, double[]? labels)
    {
        (int h, int w, int c) = config.LatentShape(config.Levels - 1);
        Nhwc top = new(eps[^1], count, h, w, c);
        (Nhwc mean, Nhwc logs) = TopStatistics(top, labels);
        Nhwc z = GaussianScoreReference.Inverse(top, mean, logs);
        for (int l = config.Levels - 1; l >= 0; l--)
        {
            if (l < config.Levels - 1)
            {
                (mean, logs) = SplitStatistics(l, z);
                z = z.Concatenate(GaussianScoreReference.Inverse(new Nhwc(eps[l], count, z.H, z.W, z.C), mean, logs));
            }
            for (int k = config.Depth - 1; k >= 0; k--) z = StepInverse($"levels.{l}.steps.{k}", z);
            z = SqueezeReference.Inverse(z);
        }
        return z.Data;
    }

    /// <summary>Mean bits/dim + weight · mean class cross-entropy in bits.</summary>
    public double Loss(double[] x, int count, double[]? labels, double classWeight)
    {
        ReferenceEncoding encoding = Encode(x, count, labels);
        double loss = -encoding.LogLikelihoods.Average() / (config.Dimensions * Math.Log(2));
        if (classWeight == 0 || labels is null) return loss;
        double[] logits = ClassHeadReference.Logits(encoding.Top, parameters["classifier.weight"],
            parameters["classifier.bias"], parameters["classifier.logs"]);
        return loss + classWeight * ClassHeadReference.Loss(logits, labels).Average();
    }

    private Nhwc StepForward(string step, Nhwc z, double[] logLikelihood)
    {
        double[] bias = parameters[step + ".actnorm.bias"], logs = parameters[step + ".actnorm.logs"];
        double[] mix = Mix(step, z.C);
        double logDet = ActNormReference.LogDet(z, logs) + ChannelMixReference.LogDet(z, mix);
        z = Report(step + ".actnorm", ActNormReference.Forward(z, bias, logs));
        z = Report(step + ".invconv", ChannelMixReference.Forward(z, mix));
        Nhwc z1 = z.Channels(0, z.C / 2);
        Nhwc h = CouplingNetwork(step, z1);
        Nhwc z2 = CoupleReference.Forward(Affine, z.Channels(z.C / 2, z.C / 2), h);
        double[] coupled = CoupleReference.LogDet(Affine, h);
        for (int n = 0; n < z.N; n++) logLikelihood[n] += logDet + coupled[n];
        return Report(step + ".coupling", z1.Concatenate(z2));
    }

    private Nhwc StepInverse(string step, Nhwc z)
    {
        Nhwc z1 = z.Channels(0, z.C / 2);
        Nhwc z2 = CoupleReference.Inverse(Affine, z.Channels(z.C / 2, z.C / 2), CouplingNetwork(step, z1));
        z = ChannelMixReference.Inverse(z1.Concatenate(z2), Mix(step, z.C));
        return ActNormReference.Inverse(z, parameters[step + ".actnorm.bias"], parameters[step + ".actnorm.logs"]);
    }

    private double[] Mix(string step, int channels) => (config.Permutation, config.Invconv) switch
    {
        ("reverse", _) => ChannelMixReference.Permutation(ChannelMixReference.Reverse(channels)),
        ("shuffle", _) => ChannelMixReference.Permutation(Integers(step + ".permutation")),
        (_, "dense") => parameters[step + ".invconv.weight"],
        _ => ChannelMixReference.Plu(Integers(step + ".invconv.p"), parameters[step + ".invconv.lower"],
            parameters[step + ".invconv.upper"], parameters[step + ".invconv.log_s"],
                parameters[step + ".invconv.sign_s"]),
    };

    private Nhwc CouplingNetwork(string step, Nhwc z1)
    {
        string net = step + ".coupling";
        CouplingNetWeights weights = new(
            parameters[net + ".conv1.weight"], parameters[net + ".conv1.actnorm.bias"],
                parameters[net + ".conv1.actnorm.logs"],
            parameters[net + ".conv2.weight"], parameters[net + ".conv2.actnorm.bias"],
                parameters[net + ".conv2.actnorm.logs"],
            parameters[net + ".conv3.weight"], parameters[net + ".conv3.bias"], parameters[net + ".conv3.logs"]);
        if (Layer is not null)
        {
            (Nhwc first, Nhwc second) = CouplingNetReference.Hidden(z1, weights, config.EdgeBias);
            Layer(net + ".conv1.actnorm", first);
            Layer(net + ".conv2.actnorm", second);
        }
        return CouplingNetReference.Forward(z1, weights, config.EdgeBias);
    }

    private (Nhwc Mean, Nhwc Logs) SplitStatistics(int level, Nhwc z1)
    {
        string conv = $"levels.{level}.split.conv";
        return GaussianScoreReference.Interleaved(ZeroConvReference.Forward(
            z1, parameters[conv + ".weight"], parameters[conv + ".bias"], parameters[conv + ".logs"], config.EdgeBias));
    }

    private (Nhwc Mean, Nhwc Logs) TopStatistics(Nhwc z, double[]? labels)
    {
        PriorWeights weights = new(
            Optional("prior.conv.weight"), Optional("prior.conv.bias"), Optional("prior.conv.logs"),
            Optional("prior.class.weight"), Optional("prior.class.bias"), Optional("prior.class.logs"));
        return GaussianScoreReference.Halves(PriorReference.Forward(z.N, z.H, z.W, z.C, weights, labels,
            config.EdgeBias));
    }

    private static Nhwc Score(Nhwc z, (Nhwc Mean, Nhwc Logs) statistics, double[] logLikelihood)
    {
        double[] density = GaussianScoreReference.LogDensity(z, statistics.Mean, statistics.Logs);
        for (int n = 0; n < z.N; n++) logLikelihood[n] += density[n];
        return GaussianScoreReference.Latent(z, statistics.Mean, statistics.Logs);
    }

    private Nhwc Report(string name, Nhwc output)
    {
        Layer?.Invoke(name, output);
        return output;
    }

    private double[]? Optional(string name) => parameters.GetValueOrDefault(name);

    private int[] Integers(string name) => Array.ConvertAll(parameters[name], static v => (int)v);
}
