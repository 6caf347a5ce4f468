using System.Globalization;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Import;

/// <summary>What the constructor of rosinality/glow-pytorch must be given to take an exported state dict.</summary>
/// <param name="InChannel">channels of the images</param>
/// <param name="FlowSteps">its <c>n_flow</c>: ours, or one more</param>
/// <param name="Blocks">its <c>n_block</c></param>
/// <param name="Affine">its <c>affine</c></param>
/// <param name="ConvLu">its <c>conv_lu</c></param>
/// <param name="Width">hidden channels; its own code always has 512</param>
public sealed record RosinalityModel(int InChannel, int FlowSteps, int Blocks, bool Affine, bool ConvLu, int Width);

/// <summary>
/// Writes a model as the state dict of github.com/rosinality/glow-pytorch; it computes the same log-likelihoods,
/// latents and images. <see cref="RosinalityImport"/> says how the two differ. Two things need more than renaming:
/// <list type="bullet">
/// <item>Its last convolutions are padded with ones, so it cannot choose what they see outside the image. A hidden
/// channel that is zero inside the image is a mark of the outside there, and with it any edge row can be had: one
/// hidden channel more, unless the edge row is the sum over input channels, as in a model that came from
/// there.</item>
/// <item>The convolution of a split is padded with ones too, and has no hidden channel to spare. Where ours sees
/// zeros outside, a step is put at the end of every level that does nothing but add 1 to the first half of the
/// channels; the next level subtracts it again.</item>
/// </list>
/// </summary>
public sealed class RosinalityExport
{
    /// <summary>Hidden channels of the program's coupling networks.</summary>
    public const int TheirWidth = 512;

    // Rounding of the sum to float32 at import, relative to the sum of magnitudes.
    private const double Tied = 1e-6;

    // sigmoid(30 + 2) is 1 in float32.
    private const float SaturatedScale = 30;

    private readonly ModelWeights model;
    private readonly GlowConfig config;
    private readonly string path;
    private readonly int width;
    private readonly SafeTensorsWriter writer = new();
    private readonly bool[] shifted;

    private RosinalityExport(ModelWeights model, string path, int width)
    {
        this.model = model;
        this.path = path;
        this.width = width;
        config = model.Config;
        shifted = [.. Enumerable.Range(0, config.Levels - 1).Select(NeedsShift)];
    }

    private bool ConvLu => config is { Levels: 1 } or { Permutation: "invconv", Invconv: "plu" };

    private bool Affine => config.Coupling == "affine";

    private int FlowSteps => config.Depth + (shifted.Contains(true) ? 1 : 0);

    /// <summary>Converts a checkpoint file or run folder.</summary>
    /// <param name="path">the model</param>
    /// <param name="target">the state dict to write</param>
    /// <param name="width">hidden channels to write: <see cref="TheirWidth"/> for the program as it is
    /// published</param>
    /// <exception cref="GlowException">The model is not readable, or the program cannot represent it; nothing is
    /// written then.</exception>
    public static RosinalityModel Write(string path, string target, int width)
    {
        ModelWeights model = ModelWeights.Open(path);
        if (model.Config.Classes > 0)
            throw new GlowException($"{path}: is conditional on {model.Config.Classes} classes; "
                + $"{RosinalityImport.Program} has no classes, and only an unconditional model can be exported");
        if (!model.Initialized)
            throw new GlowException(
                $"{path}: its actnorms have not been initialized from data; a trained model is needed");
        return new RosinalityExport(model, path, width).Convert(target);
    }

    private RosinalityModel Convert(string target)
    {
        for (int l = 0; l < config.Levels; l++)
        {
            int c = config.LevelChannels(l);
            for (int k = 0; k < config.Depth; k++)
            {
                AddStep(l, k, c);
                AddCoupling(l, k);
            }
            if (FlowSteps > config.Depth) AddShift(l, c);
            if (l < config.Levels - 1) AddSplit(l);
            else AddTop(l);
        }
        RosinalityModel result = new(config.Channels, FlowSteps, config.Levels, Affine, ConvLu, width);
        writer.Metadata["in_channel"] = Text(result.InChannel);
        writer.Metadata["n_flow"] = Text(result.FlowSteps);
        writer.Metadata["n_block"] = Text(result.Blocks);
        writer.Metadata["affine"] = result.Affine ? "true" : "false";
        writer.Metadata["conv_lu"] = result.ConvLu ? "true" : "false";
        writer.Metadata["n_bits"] = Text(config.NBits);
        writer.Save(target);
        return result;
    }

    private void AddStep(int level, int k, int c)
    {
        string ours = GlowParameters.Step(level, k), theirs = $"blocks.{level}.flows.{k}";
        float[] bias = model.Floats($"{ours}.actnorm.bias"), logs = model.Floats($"{ours}.actnorm.logs");
        // What a shifted level hands on is 1 too large in every channel.
        double undo = k == 0 && level > 0 && shifted[level - 1] ? 1 : 0;
        AddActNorm(theirs, Array.ConvertAll(bias, b => b - undo),
            Array.ConvertAll(logs, static v => Math.Exp(3.0 * v)));
        AddMixing(level, theirs, c, model.TorchMixing(ours, c), $"{ours}.invconv");
    }

    private void AddActNorm(string theirs, double[] loc, double[] scale)
    {
        Add($"{theirs}.actnorm.loc", [1, loc.Length, 1, 1], loc);
        Add($"{theirs}.actnorm.scale", [1, loc.Length, 1, 1], scale);
        writer.Add($"{theirs}.actnorm.initialized", [], new byte[] { 1 });
    }

    // Its last block always has factors.
    private void AddMixing(int level, string theirs, int c, double[] weight, string ours)
    {
        if (!ConvLu && level < config.Levels - 1)
        {
            Add($"{theirs}.invconv.weight", [c, c, 1, 1], weight);
            return;
        }
        PluFactors factors = PluFactors.Factor(c, weight)
            ?? throw new GlowException($"{path}: the 1×1 convolution '{ours}' is singular; it must be invertible");
        double[] p = new double[c * c], lower = (double[])factors.Lower.Clone();
        for (int r = 0; r < c; r++)
        {
            p[factors.Rows[r] * c + r] = 1;
            lower[r * c + r] = 1;
        }
        Add($"{theirs}.invconv.w_p", [c, c], p);
        Add($"{theirs}.invconv.w_l", [c, c], lower);
        Add($"{theirs}.invconv.w_u", [c, c], factors.Upper);
        Add($"{theirs}.invconv.w_s", [c], factors.LogS);
        Add($"{theirs}.invconv.s_sign", [c], factors.Sign);
        Add($"{theirs}.invconv.l_eye", [c, c], Mask(c, static (i, j) => i == j));
        Add($"{theirs}.invconv.l_mask", [c, c], Mask(c, static (i, j) => i > j));
        Add($"{theirs}.invconv.u_mask", [c, c], Mask(c, static (i, j) => i < j));
    }

    private void AddCoupling(int level, int k)
    {
        CouplingNetShape shape = GlowParameters.Network(config, level);
        string ours = $"{GlowParameters.Step(level, k)}.coupling", theirs = $"blocks.{level}.flows.{k}.coupling.net";
        OurConvolution first = new(model.Floats($"{ours}.conv1.weight"), shape.In, shape.Width, config.EdgeBias);
        if (first.HasEdge)
            throw new GlowException(
                $"{path}: '{ours}.conv1.weight' sees the edge of the image (edge_bias), which the zero-padded "
                    + $"hidden convolutions of {RosinalityImport.Program} cannot; "
                + "a model trained with --no-edge-bias, or imported from there and not trained further, is needed");
        OurConvolution last = new(model.Floats($"{ours}.conv3.weight"), shape.Width, shape.Out, config.EdgeBias);
        int needed = shape.Width + (last.EdgeIsSum(Tied) ? 0 : 1);
        if (width < needed)
            throw new GlowException($"{path}: '{ours}' needs {needed} hidden channels in "
                + $"{RosinalityImport.Program}; --width {width} is too few");
        AddHidden(first.Torch(width), $"{theirs}.0", $"{ours}.conv1.actnorm", shape.In, 3);
        OurConvolution second = new(model.Floats($"{ours}.conv2.weight"), shape.Width, shape.Width,
            edge: false, taps: 1);
        AddHidden(second.Torch(width, width), $"{theirs}.2", $"{ours}.conv2.actnorm", width, 1);
        int[] order = RosinalityImport.OutputOrder(config, shape.Out);
        double[] weight = last.Torch(shape.Out, width, order);
        if (needed > shape.Width) last.PutEdge(weight, width, shape.Width, order);
        AddZeroConv(weight, $"{theirs}.4", $"{ours}.conv3", width, order, new double[shape.Out]);
    }

    // Ours scales after the bias; theirs has no scale, and channels beyond ours stay zero.
    private void AddHidden(double[] weight, string theirs, string actnorm, int ins, int kernel)
    {
        float[] bias = model.Floats($"{actnorm}.bias"), logs = model.Floats($"{actnorm}.logs");
        double[] theirBias = new double[width];
        int fan = ins * kernel * kernel;
        for (int o = 0; o < bias.Length; o++)
        {
            double scale = Math.Exp(3.0 * logs[o]);
            theirBias[o] = bias[o] * scale;
            for (int i = 0; i < fan; i++) weight[o * fan + i] *= scale;
        }
        Add($"{theirs}.weight", [width, ins, kernel, kernel], weight);
        Add($"{theirs}.bias", [width], theirBias);
    }

    private void AddZeroConv(double[] weight, string theirs, string ours, int ins, int[] order, double[] addToBias)
    {
        int outs = order.Length;
        float[] bias = model.Floats($"{ours}.bias"), logs = model.Floats($"{ours}.logs");
        double[] theirBias = new double[outs], theirScale = new double[outs];
        for (int j = 0; j < outs; j++)
        {
            theirBias[order[j]] = bias[j] + addToBias[j];
            theirScale[order[j]] = logs[j];
        }
        Add($"{theirs}.conv.weight", [outs, ins, 3, 3], weight);
        Add($"{theirs}.conv.bias", [outs], theirBias);
        Add($"{theirs}.scale", [1, outs, 1, 1], theirScale);
    }

    private OurConvolution Split(int level)
    {
        ZeroConvShape shape = GlowParameters.Split(config, level);
        return new OurConvolution(model.Floats($"levels.{level}.split.conv.weight"), shape.In,
            shape.Out, config.EdgeBias);
    }

    private bool NeedsShift(int level)
    {
        OurConvolution split = Split(level);
        if (split.EdgeIsSum(Tied)) return false;
        if (!split.HasEdge) return true;
        throw new GlowException(
            $"{path}: 'levels.{level}.split.conv.weight' sees the edge of the image (edge_bias) as the convolutions "
                + $"of {RosinalityImport.Program} cannot; "
            + "a model trained with --no-edge-bias, or imported from there and not trained further, is needed");
    }

    private void AddSplit(int level)
    {
        OurConvolution split = Split(level);
        int[] order = TorchConvolution.FromHalves(split.Outs, even: 0);
        // Seen through ones outside and 1 more inside, the sum of the weights is added everywhere.
        double[] bias = shifted[level] ? Array.ConvertAll(split.Sums(), static s => -s) : new double[split.Outs];
        AddZeroConv(split.Torch(split.Outs, split.Ins, order), $"blocks.{level}.prior", $"levels.{level}.split.conv",
            split.Ins, order, bias);
    }

    private void AddShift(int level, int c)
    {
        string theirs = $"blocks.{level}.flows.{config.Depth}";
        bool shift = level < config.Levels - 1 && shifted[level];
        double[] loc = new double[c], scale = new double[c];
        Array.Fill(scale, 1);
        if (shift) Array.Fill(loc, 1, 0, c / 2);
        AddActNorm(theirs, loc, scale);
        AddMixing(level, theirs, c, Mask(c, static (i, j) => i == j), theirs);
        int outs = Affine ? c : c / 2;
        double[] bias = new double[outs];
        if (Affine) Array.Fill(bias, SaturatedScale, 0, c / 2);
        string net = $"{theirs}.coupling.net";
        Add($"{net}.0.weight", [width, c / 2, 3, 3], new double[width * (c / 2) * TorchConvolution.Taps]);
        Add($"{net}.0.bias", [width], new double[width]);
        Add($"{net}.2.weight", [width, width, 1, 1], new double[width * width]);
        Add($"{net}.2.bias", [width], new double[width]);
        Add($"{net}.4.conv.weight", [outs, width, 3, 3], new double[outs * width * TorchConvolution.Taps]);
        Add($"{net}.4.conv.bias", [outs], bias);
        Add($"{net}.4.scale", [1, outs, 1, 1], new double[outs]);
    }

    // The input is zero in both, so only the sum over input channels counts; the first channel makes up for what is
    // missing.
    private void AddTop(int level)
    {
        int c = config.LevelChannels(level), outs = 2 * c;
        int[] order = TorchConvolution.InOrder(outs);
        if (!config.LearnTop)
        {
            Add($"blocks.{level}.prior.conv.weight", [outs, c, 3, 3], new double[outs * c * TorchConvolution.Taps]);
            Add($"blocks.{level}.prior.conv.bias", [outs], new double[outs]);
            Add($"blocks.{level}.prior.scale", [1, outs, 1, 1], new double[outs]);
            return;
        }
        OurConvolution top = new(model.Floats("prior.conv.weight"), outs, outs, config.EdgeBias);
        double[] weight = config.EdgeBias ? top.Torch(outs, c, order) : new double[outs * c * TorchConvolution.Taps];
        if (!top.EdgeIsSum(Tied, c)) top.PutEdge(weight, c, 0, order);
        AddZeroConv(weight, $"blocks.{level}.prior", "prior.conv", c, order, new double[outs]);
    }

    private void Add(string name, int[] shape, double[] values) => writer.Add(name, shape,
        Array.ConvertAll(values, static v => (float)v));

    private static double[] Mask(int c, Func<int, int, bool> one)
    {
        double[] mask = new double[c * c];
        for (int i = 0; i < mask.Length; i++) mask[i] = one(i / c, i % c) ? 1 : 0;
        return mask;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
