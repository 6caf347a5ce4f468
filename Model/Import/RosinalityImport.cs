using System.Text.RegularExpressions;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Import;

/// <summary>
/// Reads the state dict of github.com/rosinality/glow-pytorch (<c>Glow(in_channel, n_flow, n_block, affine,
/// conv_lu)</c>).
/// What it computes and how that is represented here, exactly:
/// <list type="table">
/// <item><term>actnorm</term><description><c>scale·(x + loc)</c>: bias = loc, logs = ln|scale|/3; a negative sign
/// moves into the 1×1 matrix</description></item>
/// <item><term>1×1</term><description>weight <c>[out,in]</c>, or <c>w_p·(w_l∘l_mask + I)·(w_u∘u_mask +
/// diag(s_sign·exp(w_s)))</c>; ours is the transpose. With <c>conv_lu=False</c> its last block still has the factors,
/// and the whole model becomes dense</description></item>
/// <item><term>hidden layers</term><description>zero-padded convolutions with bias and no actnorm: bias there, logs =
/// 0, edge row 0</description></item>
/// <item><term>zero convolutions</term><description>padded with ones, <c>(conv + b)·exp(3·scale)</c>: the edge row is
/// the sum over input channels</description></item>
/// <item><term>coupling</term><description>outputs in halves, ln-scale before shift: <c>(x + t)·sigmoid(s + 2)</c>,
/// second half changed</description></item>
/// <item><term>priors</term><description>mean and ln σ in halves; that of the last block is a zero convolution of
/// zeros, learned, with edges</description></item>
/// <item><term>pixels</term><description><c>floor(byte / 2^(8−n_bits)) / 2^n_bits − 0.5 + u/2^n_bits</c>, as here;
/// its log-likelihood starts at −D·ln 2^n_bits too</description></item>
/// </list>
/// </summary>
public static partial class RosinalityImport
{
    /// <summary>The program's name.</summary>
    public const string Program = "rosinality/glow-pytorch";

    /// <summary>Reads a model.</summary>
    /// <param name="path">the state dict as safetensors</param>
    /// <param name="imageSize">[H, W], which the tensors do not tell</param>
    /// <param name="bits">its <c>n_bits</c>, which the tensors do not tell</param>
    /// <exception cref="GlowException">The file is not such a state dict, or does not fit images of that
    /// size.</exception>
    public static ModelWeights Read(string path, int[] imageSize, int bits)
    {
        using StateDict state = StateDict.Open(path, Program, "blocks.0.flows.0.actnorm.loc");
        GlowConfig config = Deduce(state, imageSize, bits);
        ModelWeights model = new(config) { Initialized = state.ReadFlag("blocks.0.flows.0.actnorm.initialized") };
        for (int l = 0; l < config.Levels; l++)
        {
            for (int k = 0; k < config.Depth; k++)
            {
                string flow = $"blocks.{l}.flows.{k}";
                if (state.ReadFlag($"{flow}.actnorm.initialized") != model.Initialized)
                    throw new GlowException($"{path}: '{state.FullName(flow)}.actnorm.initialized' differs from "
                        + "that of the first actnorm; all or none must be initialized");
                ReadStep(state, model, flow, GlowParameters.Step(l, k), config.LevelChannels(l));
                ReadCoupling(state, model, $"{flow}.coupling.net", $"{GlowParameters.Step(l, k)}.coupling",
                    GlowParameters.Network(config, l));
            }
            if (l < config.Levels - 1) ReadSplit(state, model, l);
            else ReadTop(state, model, l);
        }
        state.CheckNothingLeft(config);
        return model;
    }

    private static GlowConfig Deduce(StateDict state, int[] imageSize, int bits)
    {
        const string First = "blocks.0.flows.0";
        int levels = state.Count(Blocks()), depth = state.Count(Flows());
        int c = state.Dimension($"{First}.actnorm.loc", 1, 4);
        if (c % 4 != 0)
            throw new GlowException($"{state.Path}: tensor '{state.FullName(First)}.actnorm.loc' has {c} channels; "
                + "a squeezed image has a multiple of 4");
        int outputs = state.Dimension($"{First}.coupling.net.4.conv.weight", 0, 4);
        if (outputs != c && outputs != c / 2)
            throw new GlowException(
                $"{state.Path}: tensor '{state.FullName(First)}.coupling.net.4.conv.weight' has {outputs} outputs; "
                    + $"{c} (affine) or {c / 2} (additive) are needed");
        bool dense = state.Matches(DenseWeight()) > 0;
        GlowConfig config = new()
        {
            ImageSize = imageSize,
            Channels = c / 4,
            Levels = levels,
            Depth = depth,
            Width = state.Dimension($"{First}.coupling.net.0.weight", 0, 4),
            Coupling = outputs == c ? "affine" : "additive",
            Permutation = "invconv",
            Invconv = dense ? "dense" : "plu",
            LearnTop = true,
            NBits = bits,
            EdgeBias = true,
        };
        return ImportConfig.Validate(state.Path, config);
    }

    private static void ReadStep(StateDict state, ModelWeights model, string flow, string step, int c)
    {
        double[] loc = state.Read($"{flow}.actnorm.loc", 1, c, 1, 1),
            scale = state.Read($"{flow}.actnorm.scale", 1, c, 1, 1);
        if (scale.Contains(0))
            throw new GlowException($"{state.Path}: tensor '{state.FullName(flow)}.actnorm.scale' holds 0; an "
                + "actnorm with it cannot be inverted");
        double[] weight = state.Has($"{flow}.invconv.weight")
            ? state.Read($"{flow}.invconv.weight", c, c, 1, 1)
            : ReadFactors(state, $"{flow}.invconv", c);
        if (!model.SetStep(step, loc, Array.ConvertAll(scale, static s => Math.Log(Math.Abs(s))),
            Array.ConvertAll(scale, static s => s < 0), weight))
            throw new GlowException($"{state.Path}: the 1×1 convolution '{state.FullName(flow)}.invconv' is "
                + "singular; it must be invertible");
    }

    private static double[] ReadFactors(StateDict state, string invconv, int c)
    {
        state.ReadFixed($"{invconv}.l_eye", i => i / c == i % c ? 1 : 0, "the identity", c, c);
        state.ReadFixed($"{invconv}.l_mask", i => i / c > i % c ? 1 : 0, "the mask below the diagonal", c, c);
        state.ReadFixed($"{invconv}.u_mask", i => i / c < i % c ? 1 : 0, "the mask above the diagonal", c, c);
        return new PluFactors(
            TorchFactors.Rows(state, $"{invconv}.w_p", c),
            state.Read($"{invconv}.w_l", c, c),
            state.Read($"{invconv}.w_u", c, c),
            state.Read($"{invconv}.w_s", c),
            TorchFactors.Signs(state, $"{invconv}.s_sign", c)).Product();
    }

    private static void ReadCoupling(StateDict state, ModelWeights model, string net, string coupling,
        CouplingNetShape shape)
    {
        int[] hidden = TorchConvolution.InOrder(shape.Width);
        double[] first = state.Read($"{net}.0.weight", shape.Width, shape.In, 3, 3);
        model.Set($"{coupling}.conv1.weight", TorchConvolution.Import(first, shape.In, hidden, TorchConvolution.Taps,
            Outside.Zeros));
        model.Set($"{coupling}.conv1.actnorm.bias", TorchConvolution.Reorder(state.Read($"{net}.0.bias", shape.Width),
            hidden));
        model.Set($"{coupling}.conv1.actnorm.logs", new float[shape.Width]);
        double[] second = state.Read($"{net}.2.weight", shape.Width, shape.Width, 1, 1);
        model.Set($"{coupling}.conv2.weight", TorchConvolution.Import(second, shape.Width, hidden, 1, Outside.NoRow));
        model.Set($"{coupling}.conv2.actnorm.bias", TorchConvolution.Reorder(state.Read($"{net}.2.bias", shape.Width),
            hidden));
        model.Set($"{coupling}.conv2.actnorm.logs", new float[shape.Width]);
        ReadZeroConv(state, model, $"{net}.4", $"{coupling}.conv3", shape.Width, OutputOrder(model.Config, shape.Out));
    }

    /// <summary>
    /// Our interleaved (shift, ln-scale) from their halves (ln-scale, shift); one kind only when additive.
    /// </summary>
    internal static int[] OutputOrder(GlowConfig config, int outputs) =>
        config.Coupling == "affine" ? TorchConvolution.FromHalves(outputs, even: 1) : TorchConvolution.InOrder(outputs);

    private static void ReadSplit(StateDict state, ModelWeights model, int level)
    {
        ZeroConvShape shape = GlowParameters.Split(model.Config, level);
        ReadZeroConv(state, model, $"blocks.{level}.prior", $"levels.{level}.split.conv", shape.In,
            TorchConvolution.FromHalves(shape.Out, even: 0));
    }

    private static void ReadZeroConv(StateDict state, ModelWeights model, string theirs, string ours, int ins,
        int[] order)
    {
        double[] weight = state.Read($"{theirs}.conv.weight", order.Length, ins, 3, 3);
        model.Set($"{ours}.weight", TorchConvolution.Import(weight, ins, order, TorchConvolution.Taps, Outside.Ones));
        model.Set($"{ours}.bias", TorchConvolution.Reorder(state.Read($"{theirs}.conv.bias", order.Length), order));
        model.Set($"{ours}.logs", TorchConvolution.Reorder(state.Read($"{theirs}.scale", 1, order.Length, 1, 1),
            order));
    }

    // Ours has 2C input channels where theirs has C, all zero in both: the first C rows keep their weights for the
    // way back, and only the edge row counts.
    private static void ReadTop(StateDict state, ModelWeights model, int level)
    {
        int c = model.Config.LevelChannels(level), outs = 2 * c, rows = outs + 1;
        int[] order = TorchConvolution.InOrder(outs);
        float[] narrow = TorchConvolution.Import(
            state.Read($"blocks.{level}.prior.conv.weight", outs, c, 3, 3), c, order, TorchConvolution.Taps,
                Outside.Ones);
        float[] wide = new float[TorchConvolution.Taps * rows * outs];
        for (int tap = 0; tap < TorchConvolution.Taps; tap++)
        {
            narrow.AsSpan(tap * (c + 1) * outs, c * outs).CopyTo(wide.AsSpan(tap * rows * outs));
            narrow.AsSpan((tap * (c + 1) + c) * outs, outs).CopyTo(wide.AsSpan((tap * rows + outs) * outs));
        }
        model.Set("prior.conv.weight", wide);
        model.Set("prior.conv.bias", TorchConvolution.Reorder(state.Read($"blocks.{level}.prior.conv.bias", outs),
            order));
        model.Set("prior.conv.logs",
            TorchConvolution.Reorder(state.Read($"blocks.{level}.prior.scale", 1, outs, 1, 1), order));
    }

    [GeneratedRegex(@"^blocks\.(\d+)\.flows\.\d+\.")]
    private static partial Regex Blocks();

    [GeneratedRegex(@"^blocks\.\d+\.flows\.\d+\.invconv\.weight$")]
    private static partial Regex DenseWeight();

    [GeneratedRegex(@"^blocks\.\d+\.flows\.(\d+)\.")]
    private static partial Regex Flows();
}
