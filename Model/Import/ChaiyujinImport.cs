using System.Text.RegularExpressions;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Import;

/// <summary>
/// Reads the state dict of github.com/chaiyujin/glow-pytorch. Its layers are those of this project without edge bias,
/// with these differences, all represented exactly:
/// <list type="table">
/// <item><term>actnorm</term><description><c>(x + bias)·exp(logs)</c> without the factor 3, in hidden layers too:
/// ours holds a third of logs</description></item>
/// <item><term>1×1</term><description>weight <c>[out,in]</c> or <c>p·l·(u + diag(sign_s·exp(log_s)))</c>; ours is the
/// transpose</description></item>
/// <item><term>pixels</term><description>it takes <c>byte/255</c>. That is <c>256/255·x + 0.5</c> of our x at the
/// middle of a byte's bin, an affine map that the first actnorm takes over</description></item>
/// </list>
/// Its objective counts −ln 256 once per pixel, whatever the channels, for values of width 1/255. Ours is the
/// log-likelihood of the bytes: its log-density of <c>byte/255</c> minus <c>D·ln 255</c>.
/// </summary>
public static partial class ChaiyujinImport
{
    /// <summary>The program's name.</summary>
    public const string Program = "chaiyujin/glow-pytorch";

    // byte/255 = Slope·(byte/256 − 0.5 + 0.5/256) + Offset.
    private const double Slope = 256.0 / 255;
    private const double Offset = 0.5;

    /// <summary>Reads a model.</summary>
    /// <param name="path">the state dict as safetensors</param>
    /// <param name="imageSize">[H, W] if the user said so; the tensors tell, and must agree</param>
    /// <param name="reverse">whether a model without invertible convolutions is known to reverse its channels</param>
    /// <exception cref="GlowException">The file is not such a state dict, or something in it does not tell what the
    /// model computes.</exception>
    public static ModelWeights Read(string path, int[]? imageSize, bool reverse)
    {
        using StateDict state = StateDict.Open(path, Program, "flow.layers.1.actnorm.bias");
        GlowConfig config = Deduce(state, imageSize, reverse);
        ModelWeights model = new(config);
        int layer = 0;
        for (int l = 0; l < config.Levels; l++)
        {
            // The first layer of a level is the squeeze, which has no tensors.
            layer++;
            for (int k = 0; k < config.Depth; k++, layer++)
            {
                string theirs = $"flow.layers.{layer}", ours = GlowParameters.Step(l, k);
                ReadStep(state, model, theirs, ours, config.LevelChannels(l), first: l == 0 && k == 0);
                ReadCoupling(state, model, $"{theirs}.f", $"{ours}.coupling", GlowParameters.Network(config, l));
            }
            if (l == config.Levels - 1) break;
            ZeroConvShape split = GlowParameters.Split(config, l);
            ReadZeroConv(state, model, $"flow.layers.{layer++}.conv", $"levels.{l}.split.conv", split.In, split.Out);
        }
        ReadTop(state, model);
        state.CheckNothingLeft(config);
        return model;
    }

    private static GlowConfig Deduce(StateDict state, int[]? imageSize, bool reverse)
    {
        const string First = "flow.layers.1";
        int layers = state.Count(Layers());
        int splits = state.Matches(Splits());
        int levels = splits + 1;
        if ((layers + 1) % levels != 0 || (layers + 1) / levels < 3)
            throw new GlowException(
                $"{state.Path}: has layers up to 'flow.layers.{layers - 1}' and {splits} splits among them; levels "
                    + "with the same number of steps are needed");
        int c = state.Dimension($"{First}.actnorm.bias", 1, 4);
        if (c % 4 != 0)
            throw new GlowException($"{state.Path}: tensor '{state.FullName(First)}.actnorm.bias' has {c} channels; "
                + "a squeezed image has a multiple of 4");
        int outputs = state.Dimension($"{First}.f.4.weight", 0, 4);
        if (outputs != c && outputs != c / 2)
            throw new GlowException($"{state.Path}: tensor '{state.FullName(First)}.f.4.weight' has {outputs} "
                + $"outputs; {c} (affine) or {c / 2} (additive) are needed");
        bool dense = state.Has($"{First}.invconv.weight"), plu = state.Has($"{First}.invconv.log_s");
        if (!dense && !plu && !reverse)
            throw new GlowException(
                $"{state.Path}: has no invertible convolutions, and its tensors do not tell the order of its "
                    + "channels; --permutation reverse says that it was trained with flow_permutation reverse");
        if ((dense || plu) && reverse)
            throw new GlowException(
                $"{state.Path}: has invertible convolutions; --permutation reverse does not fit it");
        return ImportConfig.Validate(state.Path, new GlowConfig
        {
            ImageSize = ImageSize(state, levels, imageSize),
            Channels = c / 4,
            Levels = levels,
            Depth = (layers + 1) / levels - 2,
            Width = state.Dimension($"{First}.f.0.weight", 0, 4),
            Coupling = outputs == c ? "affine" : "additive",
            Permutation = dense || plu ? "invconv" : "reverse",
            Invconv = plu ? "plu" : "dense",
            LearnTop = state.Has("learn_top.weight"),
            Classes = state.Has("project_ycond.weight") ? state.Dimension("project_ycond.weight", 1, 2) : 0,
            NBits = 8,
            EdgeBias = false,
        });
    }

    private static int[] ImageSize(StateDict state, int levels, int[]? given)
    {
        // Levels are checked later; a shift that large would overflow.
        long unit = 1L << Math.Min(levels, 12);
        long h = state.Dimension("prior_h", 2, 4) * unit, w = state.Dimension("prior_h", 3, 4) * unit;
        if (h > int.MaxValue || w > int.MaxValue || (given is not null && (given[0] != h || given[1] != w)))
            throw new GlowException(
                $"{state.Path}: is a model of images of {h}×{w} by its tensor '{state.FullName("prior_h")}'; "
                    + "--image-size can be left out or must say so");
        return [(int)h, (int)w];
    }

    private static void ReadStep(StateDict state, ModelWeights model, string theirs, string ours, int c, bool first)
    {
        double[] bias = state.Read($"{theirs}.actnorm.bias", 1, c, 1, 1),
            logs = state.Read($"{theirs}.actnorm.logs", 1, c, 1, 1);
        if (first)
        {
            bias = Array.ConvertAll(bias, static b => (b + Offset) / Slope);
            logs = Array.ConvertAll(logs, static v => v + Math.Log(Slope));
        }
        if (model.Config.Permutation == "reverse")
        {
            model.SetActNorm(ours, bias, logs);
            return;
        }
        double[] weight = model.Config.Invconv == "dense"
            ? state.Read($"{theirs}.invconv.weight", c, c)
            : new PluFactors(
                TorchFactors.Rows(state, $"{theirs}.invconv.p", c),
                state.Read($"{theirs}.invconv.l", c, c),
                state.Read($"{theirs}.invconv.u", c, c),
                state.Read($"{theirs}.invconv.log_s", c),
                TorchFactors.Signs(state, $"{theirs}.invconv.sign_s", c)).Product();
        if (!model.SetStep(ours, bias, logs, null, weight))
            throw new GlowException($"{state.Path}: the 1×1 convolution '{state.FullName(theirs)}.invconv' is "
                + "singular; it must be invertible");
    }

    private static void ReadCoupling(StateDict state, ModelWeights model, string net, string coupling,
        CouplingNetShape shape)
    {
        ReadHidden(state, model, $"{net}.0", $"{coupling}.conv1", shape.In, shape.Width, 3);
        ReadHidden(state, model, $"{net}.2", $"{coupling}.conv2", shape.Width, shape.Width, 1);
        ReadZeroConv(state, model, $"{net}.4", $"{coupling}.conv3", shape.Width, shape.Out);
    }

    private static void ReadHidden(StateDict state, ModelWeights model, string theirs, string ours, int ins,
        int width, int kernel)
    {
        int[] order = TorchConvolution.InOrder(width);
        model.Set($"{ours}.weight", TorchConvolution.Import(
            state.Read($"{theirs}.weight", width, ins, kernel, kernel), ins, order, kernel * kernel, Outside.NoRow));
        model.Set($"{ours}.actnorm.bias",
            TorchConvolution.Reorder(state.Read($"{theirs}.actnorm.bias", 1, width, 1, 1), order));
        model.Set($"{ours}.actnorm.logs",
            TorchConvolution.Reorder(state.Read($"{theirs}.actnorm.logs", 1, width, 1, 1), order, 1.0 / 3));
    }

    private static void ReadZeroConv(StateDict state, ModelWeights model, string theirs, string ours, int ins, int outs)
    {
        int[] order = TorchConvolution.InOrder(outs);
        model.Set($"{ours}.weight", TorchConvolution.Import(
            state.Read($"{theirs}.weight", outs, ins, 3, 3), ins, order, TorchConvolution.Taps, Outside.NoRow));
        model.Set($"{ours}.bias", TorchConvolution.Reorder(state.Read($"{theirs}.bias", outs), order));
        model.Set($"{ours}.logs", TorchConvolution.Reorder(state.Read($"{theirs}.logs", outs, 1, 1), order));
    }

    private static void ReadTop(StateDict state, ModelWeights model)
    {
        GlowConfig config = model.Config;
        int c = config.LevelChannels(config.Levels - 1);
        (int h, int w, _) = config.LatentShape(config.Levels - 1);
        int batch = state.Dimension("prior_h", 0, 4);
        state.ReadFixed("prior_h", static _ => 0, "zero everywhere", batch, 2 * c, h, w);
        if (config.LearnTop) ReadZeroConv(state, model, "learn_top", "prior.conv", 2 * c, 2 * c);
        if (config.Classes == 0) return;
        ReadLinear(state, model, "project_ycond", "prior.class", config.Classes, 2 * c);
        ReadLinear(state, model, "project_class", "classifier", c, config.Classes);
    }

    private static void ReadLinear(StateDict state, ModelWeights model, string theirs, string ours, int ins, int outs)
    {
        int[] order = TorchConvolution.InOrder(outs);
        model.Set($"{ours}.weight", TorchConvolution.Import(state.Read($"{theirs}.weight", outs, ins), ins, order,
            1, Outside.NoRow));
        model.Set($"{ours}.bias", TorchConvolution.Reorder(state.Read($"{theirs}.bias", outs), order));
        model.Set($"{ours}.logs", TorchConvolution.Reorder(state.Read($"{theirs}.logs", outs), order));
    }

    [GeneratedRegex(@"^flow\.layers\.\d+\.conv\.weight$")]
    private static partial Regex Splits();

    [GeneratedRegex(@"^flow\.layers\.(\d+)\.")]
    private static partial Regex Layers();
}
