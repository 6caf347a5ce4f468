using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

/// <summary>Wrong arguments are refused by every backend with the same sentence, before anything is computed.</summary>
[TestFixture]
public sealed class ErrorSentenceTests
{
    /// <summary>A wrong call and what is said of it.</summary>
    public sealed record Case(string Name, Action<IBackend, Func<int, int, View>> Call, string Message)
    {
        public override string ToString() => Name;
    }

    private static readonly Pixels Four = new(1, 2, 2);
    private static readonly OptimizerSettings Settings = new(1e-3f, 0.9f, 0.999f, 1e-8f, 1, 1, 0);
    private static readonly CouplingNetShape Net = new(3, 5, 6, true);
    private static readonly ZeroConvShape Conv = new(3, 6, true);

    private static readonly ConvolutionShape Plain = new(3, 2, 3, true);

    private static IReadOnlyList<Case> Sentences { get; } =
    [
        new("convolution of another kernel", (b, v) => b.Convolution.Pack(Plain with { Size = 5 },
            new(v(1, 54), v(1, 3)), v(1, 1)),
            "convolution pack: kernel size is 5; it must be 1 or 3"),
        new("convolution, weights of 1×1", (b, v) => b.Convolution.Pack(Plain, new(v(1, 6), v(1, 3)), v(1, 1)),
            "convolution pack: weight holds 6 values; it must hold 54"),
        new("convolution, x too wide", (b, v) => b.Convolution.Forward(Plain, Four, v(4, 3), v(1, 1), v(4, 3)),
            "convolution: x is [4,3]; it must be [4,2]"),
        new("convolution backward, y of a relu missing",
            (b, v) => b.Convolution.Backward(Plain, Four, v(4, 2), View.None, v(1, 1), v(4, 3), v(4, 2),
                new(v(1, 54), v(1, 3))),
            "convolution backward: y is missing or has no columns; it must be given"),
        new("batch norm of nothing", (b, v) => b.BatchNorm.Measure(v(0, 3), v(1, 3), v(1, 3)),
            "batch norm statistics: x has no rows; a mean needs at least one"),
        new("batch norm, mean too short", (b, v) => b.BatchNorm.Apply(v(4, 3), v(1, 2), v(1, 3), default, v(4, 3)),
            "batch norm: mean holds 2 values; it must hold 3"),
        new("batch norm, gain without gradient",
            (b, v) => b.BatchNorm.Backward(v(4, 3), v(1, 3), v(1, 3), new(v(1, 3), v(1, 3)), v(4, 3), 0,
                v(4, 3), default),
            "batch norm backward: parameters and gradients differ in what they hold; each parameter needs its "
                + "gradient"),
        new("batch norm, momentum of 2", (b, v) => b.BatchNorm.Blend(v(1, 3), v(1, 3), 2),
            "batch norm running statistics: momentum is 2; it must be 0 to 1"),
        new("masked couple, h too narrow", (b, v) => b.MaskedCouple.Forward(PixelMask.Even, Four, v(4, 3), v(4, 3),
            v(1, 3), View.None),
            "masked couple: h is [4,3]; it must be [4,6]"),
        new("masked couple, condition of half the channels", (b, v) => b.MaskedCouple.Condition(PixelMask.Odd, Four,
            v(4, 4), v(4, 2)),
            "masked couple condition: condition is [4,2]; it must be [4,4]"),
        new("scaled prior, logs of another size", (b, v) => b.ScaledPrior.Forward(PriorKind.Logistic, v(2, 5),
            v(1, 4), View.None, View.None),
            "scaled prior: logs holds 4 values; it must hold 5"),
        new("copy of another shape", (b, v) => b.Copy(v(2, 3), v(3, 2)),
            "copy: source is [2,3] and target [3,2]; they must have one shape"),
        new("copy to nothing", (b, v) => b.Copy(v(2, 3), View.None),
            "copy: source or target is missing; both must be given"),
        new("fill of nothing", (b, _) => b.Fill(View.None, 0), "fill: target is missing; it must be given"),
        new("affine, y too narrow", (b, v) => b.ChannelAffine.Apply(v(4, 6), v(6, 6), v(1, 6), v(4, 5)),
            "channel affine: y is [4,5]; it must be [4,6]"),
        new("affine, w not square", (b, v) => b.ChannelAffine.Apply(v(4, 6), v(6, 5), v(1, 6), v(4, 6)),
            "channel affine: w is [6,5]; it must be [6,6]"),
        new("affine, x strided", (b, v) => b.ChannelAffine.Apply(v(4, 12).Columns(0, 6), v(6, 6), v(1, 6), v(4, 6)),
            "channel affine: x has rows of 6 that lie 12 apart; it must be dense"),
        new("affine backward, db too short", (b, v) => b.ChannelAffine.Backward(v(4, 6), v(4, 6), v(6, 6), v(4, 6),
            v(6, 6), v(1, 5)),
            "channel affine backward: db holds 5 values; it must hold 6"),
        new("couple, h of the other kind", (b, v) => b.Couple.Forward(CouplingKind.Affine, Four, v(4, 3),
            v(4, 3), View.None),
            "couple: h is [4,3]; it must be [4,6]"),
        new("couple, logdet per pixel", (b, v) => b.Couple.Inverse(CouplingKind.Additive, Four, v(4, 3),
            v(4, 3), v(1, 4)),
            "couple: logdet holds 4 values; it must hold 1"),
        new("couple, no images", (b, v) => b.Couple.Forward(CouplingKind.Additive, new Pixels(0, 2, 2), v(4, 3),
            v(4, 3), View.None),
            "couple: pixels are [0,2,2]; images, height and width must be at least 1"),
        new("couple backward, dz2 missing", (b, v) => b.Couple.Backward(CouplingKind.Additive, Four, v(4, 3), v(4, 3),
            View.None, v(4, 3), 0),
            "couple backward: dz2 is missing or has no columns; it must be given"),
        new("score, stats too narrow", (b, v) => b.GaussianScore.Forward(Four, StatsLayout.Halves, v(4, 3), v(4, 5),
            View.None, View.None),
            "gaussian score: stats is [4,5]; it must be [4,6]"),
        new("score inverse, eps strided", (b, v) => b.GaussianScore.Inverse(Four, StatsLayout.Halves,
            v(4, 6).Columns(3, 3), v(4, 6), v(4, 3)),
            "gaussian score inverse: eps has rows of 3 that lie 6 apart; it must be dense"),
        new("squeeze of odd height", (b, v) => b.Squeeze.Forward(new Pixels(8, 31, 32), v(8 * 31 * 32, 3),
            v(8 * 31 * 8, 12)),
            "squeeze: input [8,31,32,3] has odd height 31; height and width must be even"),
        new("squeeze of odd width", (b, v) => b.Squeeze.Inverse(new Pixels(1, 2, 3), v(1, 12), v(6, 3)),
            "squeeze: input [1,2,3,3] has odd width 3; height and width must be even"),
        new("squeeze, y not four times", (b, v) => b.Squeeze.Forward(Four, v(4, 3), v(1, 6)),
            "squeeze: y is [1,6]; it must be [1,12]"),
        new("statistics of nothing", (b, v) => b.ChannelStats.InitializeActNorm(v(0, 3), v(1, 3), v(1, 3)),
            "channel statistics: x has no rows; a mean needs at least one"),
        new("statistics, logs too long", (b, v) => b.ChannelStats.InitializeActNorm(v(4, 3), v(1, 3), v(1, 4)),
            "channel statistics: logs holds 4 values; it must hold 3"),
        new("dequantize, nine bits", (b, v) => b.Dequantize.Forward(v(4, 3), 9, false, 0, 0, v(4, 3)),
            "dequantize: bits is 9; it must be 1 to 8"),
        new("optimizer, moments too short", (b, v) => b.OptimizerStep.Adam(v(1, 9), v(1, 9), v(1, 9), v(1, 8),
            View.None, Settings),
            "optimizer: second moment holds 8 values; it must hold 9"),
        new("optimizer, step zero", (b, v) => b.OptimizerStep.Adamax(v(1, 9), v(1, 9), v(1, 9), v(1, 9), View.None,
            Settings with { Step = 0 }),
            "optimizer: step is 0; the first step is 1"),
        new("optimizer, no epsilon", (b, v) => b.OptimizerStep.Adam(v(1, 9), v(1, 9), v(1, 9), v(1, 9), View.None,
            Settings with { Epsilon = 0 }),
            "optimizer: epsilon is 0; it must be positive to keep the division finite"),
        new("sum of squares, result missing", (b, v) => b.OptimizerStep.SumOfSquares(v(1, 9), View.None),
            "sum of squares: result is missing; it must hold 1 values"),
        new("network pack, conv2 weight too small", (b, v) => b.CouplingNet.Pack(Net, Four,
            Network(v) with { W2 = v(1, 24) }, v(1, (int)b.CouplingNet.PackedLength(Net, Four))),
            "coupling network pack: conv2 weight holds 24 values; it must hold 25"),
        new("network, z1 of another width", (b, v) => b.CouplingNet.Forward(Net, Four, v(4, 4),
            v(1, (int)b.CouplingNet.PackedLength(Net, Four)), v(4, 6), View.None),
            "coupling network: z1 is [4,4]; it must be [4,3]"),
        new("network backward, gradient missing",
            (b, v) => b.CouplingNet.Backward(Net, Four, v(4, 3), v(4, 6),
                v(1, (int)b.CouplingNet.SavedLength(Net, Four)),
                v(1, (int)b.CouplingNet.PackedLength(Net, Four)), Network(v), v(4, 6), v(4, 3),
                    Network(v) with { Logs3 = View.None }),
            "coupling network backward: gradient of conv3 logs is missing; it must hold 6 values"),
        new("zero conv, h too wide", (b, v) => b.ZeroConv.Forward(Conv, Four, v(4, 3),
            v(1, (int)b.ZeroConv.PackedLength(Conv)), v(4, 7)),
            "zero convolution: h is [4,7]; it must be [4,6]"),
        new("zero conv pack, weight without edge channel",
            (b, v) => b.ZeroConv.Pack(Conv, new ZeroConvParameters(v(1, 9 * 3 * 6), v(1, 6), v(1, 6)),
                v(1, (int)b.ZeroConv.PackedLength(Conv))),
            "zero convolution pack: weight holds 162 values; it must hold 216"),
        new("prior, labels missing",
            (b, v) => b.Prior.Forward(true, Four, new PriorParameters(default, v(3, 6), v(1, 6), v(1, 6)),
                View.None, v(4, 6)),
            "prior: labels is missing; it must hold 1 values"),
        new("class head, logits too few",
            (b, v) => b.ClassHead.Forward(Four, v(4, 3), new ClassHeadParameters(v(1, 15), v(1, 5), v(1, 5)), v(1, 1),
                v(1, 3), v(1, 4), v(1, 1)),
            "class head: logits is [1,4]; it must be [1,5]"),
        new("map, permutation names a channel twice", (b, v) => b.ChannelMap.Prepare([Step(v, [0, 0, 2])],
            v(1, 1), v(1, 4)),
            "levels.1.steps.7: the permutation names channel 0 twice or outside of its 3; it must name each from 0 "
                + "to 2 once"),
        new("map, permutation too short", (b, v) => b.ChannelMap.Prepare([Step(v, [0, 1])], v(1, 1), v(1, 4)),
            "levels.1.steps.7: the permutation has 2 entries; it must have 3"),
    ];

    private static IEnumerable<TestCaseData> Cases =>
        from sentence in Sentences
        from device in Devices.All
        where device.Kind != DeviceKind.Reference && device.Name is not ("host-2" or "emulator-16")
        select new TestCaseData(device, sentence).SetCategory(device.Category);

    [TestCaseSource(nameof(Cases))]
    public void WrongArgumentsAreNamed(TestDevice device, Case wrong)
    {
        using Guarded memory = new(device.Backend);
        int count = 0;
        // Declared inputs: a refused call must not have changed a bit of anything.
        View View(int rows, int cols) => memory.Input($"argument {count++}", new float[rows * cols], rows, cols);
        ArgumentException error = Assert.Catch<ArgumentException>(() => wrong.Call(device.Backend, View))!;
        Assert.That(error.Message, Is.EqualTo(wrong.Message));
        memory.Check();
    }

    private static CouplingNetParameters Network(Func<int, int, View> v) => new(
        v(1, 9 * 4 * 5), v(1, 5), v(1, 5), v(1, 25), v(1, 5), v(1, 5), v(1, 9 * 6 * 6), v(1, 6), v(1, 6));

    private static ChannelMapStep Step(Func<int, int, View> v, int[] permutation) => new(
        3, ChannelMixing.Permutation, 4, permutation, [],
        new ChannelMapParameters(v(1, 3), v(1, 3), View.None, View.None, View.None, View.None),
        new ChannelMapParameters(v(1, 3), v(1, 3), View.None, View.None, View.None, View.None),
        new ChannelMaps(v(3, 3), v(1, 3), v(3, 3), v(1, 3), v(3, 3), v(1, 3)))
    {
        Name = "levels.1.steps.7",
    };
}
