using System.CommandLine;
using System.Globalization;
using GlowGpu.App.Options;
using GlowGpu.Model;

namespace GlowGpu.App.Commands;

/// <summary>Every option of <c>glow train</c> that has a place in the plan. Adding one is one line here.</summary>
internal static class TrainArguments
{
    /// <summary>The options, in the order of the help.</summary>
    public static PlanOption[] Create() =>
    [
        .. Data(),
        .. Shape(),
        .. Recipe(),
        .. Limits(),
    ];

    private static IEnumerable<PlanOption> Data() =>
    [
        Of(DataChoice.Source(required: false), PlanPart.Free, static p => p.Data, static (p, v) => p with { Data = v }),
        Of(DataChoice.DataDirectory(), PlanPart.Free, static p => p.DataDirectory,
            static (p, v) => p with { DataDirectory = v }),
        Of(Value.Number<int>("--image-size", "PIXELS", "Crop and resize a folder's images to this size.", 2, 4096),
            PlanPart.Run, static p => p.ImageSize, static (p, v) => p with { ImageSize = v }),
        Of(Value.Number<int>("--limit", "N", "Use the first N training images only.", 1),
            PlanPart.Run, static p => p.Limit, static (p, v) => p with { Limit = v }),
        Of(Value.Number<double>("--validation", "F",
                "Fraction of the training images held out for validation; 0 for none. Unless given: the data's own "
                    + "test set, or 0.1 where it has none.", 0, 0.9),
            PlanPart.Run, static p => p.Validation, static (p, v) => p with { Validation = v }),
        Of(Value.Choice("--augment", "Random changes of training images.", null, "none", "shift", "flip", "shift,flip"),
            PlanPart.Run, static p => p.Training.Augment, static (p, v) => p.With(t => t with { Augment = v! })),
        Of(Value.Flag("--no-shuffle", "Take the images in the order of the set."),
            PlanPart.Run, static p => p.Training.Shuffle, static (p, v) => p.With(t => t with { Shuffle = !v })),
        Of(Shared.Dequantize(Dequantization.Uniform), PlanPart.Run, static p => Shared.Name(p.Training.Dequantize),
            static (p, v) => p.With(t => t with { Dequantize = Shared.DequantizationOf(v) })),
    ];

    private static IEnumerable<PlanOption> Shape() =>
    [
        // First, since it sets the sizes that the others change.
        Of(Value.Choice("--model-family", "Kind of model: Glow, RealNVP or NICE.", null, [.. FlowConfig.Families]),
            PlanPart.Shape,
            static p => p.Model.Family, static (p, v) => p.OfFamily(v!)),
        Of(Value.Number<int>("--levels", "L", "Number of levels; nice has one.", 1, 12), PlanPart.Shape,
            static p => p.Model.Levels, static (p, v) => p.Shaped(m => m with { Levels = v!.Value })),
        Of(Value.Number<int>("--depth", "K", "Flow steps per level, or couplings: realnvp 3 of a kind, nice 4.", 1,
            10000), PlanPart.Shape,
            static p => p.Model.Depth, static (p, v) => p.Shaped(m => m with { Depth = v!.Value })),
        Of(Value.Number<int>("--width", "CHANNELS",
            "Hidden channels of the coupling networks; realnvp 64, nice 1000.", 1, 65536), PlanPart.Shape,
            static p => p.Model.Width, static (p, v) => p.Shaped(m => m with { Width = v!.Value })),
        Of(Value.Choice("--coupling", "Kind of coupling.", null, "affine", "additive"), PlanPart.Shape,
            static p => (p.Model as GlowConfig)?.Coupling,
                static (p, v) => p.ShapedAs<GlowConfig>(m => m with { Coupling = v! })).For("glow"),
        Of(Value.Choice("--permutation", "Channel permutation of a step.", null, "invconv", "reverse", "shuffle"),
            PlanPart.Shape,
            static p => (p.Model as GlowConfig)?.Permutation,
                static (p, v) => p.ShapedAs<GlowConfig>(m => m with { Permutation = v! })).For("glow"),
        Of(Value.Choice("--invconv", "Parameters of the invertible 1×1 convolution.", null, "dense", "plu"),
            PlanPart.Shape,
            static p => (p.Model as GlowConfig)?.Invconv,
                static (p, v) => p.ShapedAs<GlowConfig>(m => m with { Invconv = v! })).For("glow"),
        Of(Value.Number<int>("--blocks", "B", "realnvp: residual blocks of each coupling network; 8 unless given.", 0,
            1000), PlanPart.Shape,
            static p => (p.Model as RealNvpConfig)?.Blocks,
                static (p, v) => p.ShapedAs<RealNvpConfig>(m => m with { Blocks = v!.Value })).For("realnvp"),
        Of(Value.Number<int>("--hidden", "LAYERS", "nice: hidden layers of each coupling network; 5 unless given.", 1,
            1000), PlanPart.Shape,
            static p => (p.Model as NiceConfig)?.Hidden,
                static (p, v) => p.ShapedAs<NiceConfig>(m => m with { Hidden = v!.Value })).For("nice"),
        Of(Value.Choice("--prior", "nice: density of the latents; logistic unless given.", null, "logistic",
            "gaussian"), PlanPart.Shape,
            static p => (p.Model as NiceConfig)?.Prior,
                static (p, v) => p.ShapedAs<NiceConfig>(m => m with { Prior = v! })).For("nice"),
        Of(Value.Number<int>("--bits", "BITS", "Bits per colour value.", 1, 8), PlanPart.Shape,
            static p => p.Model.NBits, static (p, v) => p.Shaped(m => m with { NBits = v!.Value })),
        Of(Classes(), PlanPart.Shape, static p => p.Classes, static (p, v) => p with { Classes = v! }).For("glow"),
        Of(Value.Flag("--no-learn-top", "Keep the top prior a standard normal."), PlanPart.Shape,
            static p => (p.Model as GlowConfig)?.LearnTop,
                static (p, v) => p.ShapedAs<GlowConfig>(m => m with { LearnTop = !v })).For("glow"),
        Of(Value.Flag("--no-edge-bias", "Leave out the input channel that marks the outside of the image."),
            PlanPart.Shape,
            static p => (p.Model as GlowConfig)?.EdgeBias,
                static (p, v) => p.ShapedAs<GlowConfig>(m => m with { EdgeBias = !v })).For("glow"),
    ];

    private static IEnumerable<PlanOption> Recipe() =>
    [
        Of(Value.Number<int>("--batch", "N", "Images per step.", 1, 65536), PlanPart.Run,
            static p => p.Training.Batch, static (p, v) => p.With(t => t with { Batch = v!.Value })),
        Of(Value.Choice("--optimizer", "Optimizer.", null, "adamax", "adam"), PlanPart.Run,
            static p => p.Training.Optimizer, static (p, v) => p.With(t => t with { Optimizer = v! })),
        Of(Value.Number<double>("--lr", "RATE", "Learning rate after warm-up.", 0, 10, above: true), PlanPart.Run,
            static p => p.Training.LearningRate, static (p, v) => p.With(t => t with { LearningRate = v!.Value })),
        Of(Value.Number<double>("--warmup-epochs", "E", "Epochs over which the rate rises from 0.", 0, 10000),
            PlanPart.Run,
            static p => p.Training.WarmupEpochs, static (p, v) => p.With(t => t with { WarmupEpochs = v!.Value })),
        Of(Value.Number<double>("--beta2", "B",
            "Decay of the second moment; 1 − 1/(steps per epoch · Polyak epochs) unless given.", 0, 0.9999999),
            PlanPart.Run,
            static p => p.Training.Beta2, static (p, v) => p.With(t => t with { Beta2 = v })),
        Of(Value.Number<double>("--polyak-epochs", "E", "Epochs that the average of the weights spans; 0 for none.",
            0, 10000), PlanPart.Run,
            static p => p.Training.PolyakEpochs, static (p, v) => p.With(t => t with { PolyakEpochs = v!.Value })),
        Of(Value.Number<double>("--clip-norm", "NORM", "Largest gradient norm; 0 for no clipping.", 0), PlanPart.Run,
            static p => p.Training.ClipNorm, static (p, v) => p.With(t => t with { ClipNorm = v!.Value })),
        Of(ClassWeight(), PlanPart.Run,
            static p => p.Training.ClassWeight, static (p, v) => p.With(t => t with { ClassWeight = v!.Value }))
                .For("glow"),
        Of(Value.Number<long>("--class-ramp", "STEPS",
            "Steps over which that weight rises from 0; 0: full from the start; the first epoch unless given.", 0),
            PlanPart.Run,
            static p => p.Training.ClassRamp, static (p, v) => p.With(t => t with { ClassRamp = v })).For("glow"),
        Of(Value.Choice("--memory",
            "What backward keeps: all (fastest), or nothing that it can rebuild; auto: all if that fits.",
                null, "auto", "stored", "reversible"), PlanPart.Run,
            static p => p.Memory, static (p, v) => p with { Memory = v! }),
        Of(Value.Number<ulong>("--seed", "S", "Seeds parameters, data order, noise and samples.", 0), PlanPart.Run,
            static p => p.Training.Seed, static (p, v) => p.With(t => t with { Seed = v!.Value })),
    ];

    private static IEnumerable<PlanOption> Limits() =>
    [
        Of(Value.Number<double>("--epochs", "N", "Stop after N epochs.", 0, above: true), PlanPart.Free,
            static p => p.Training.Epochs, static (p, v) => p.With(t => t with { Epochs = v })),
        Of(Value.Number<long>("--steps", "N", "Stop after N steps.", 1), PlanPart.Free,
            static p => p.Training.Steps, static (p, v) => p.With(t => t with { Steps = v })),
        Of(Value.Number<double>("--minutes", "M", "Stop after M minutes.", 0, above: true), PlanPart.Free,
            static p => p.Training.Minutes, static (p, v) => p.With(t => t with { Minutes = v })),
        Of(Value.Number<long>("--save-every", "STEPS", "Write a checkpoint every so many steps.", 1), PlanPart.Free,
            static p => p.Training.SaveEvery, static (p, v) => p.With(t => t with { SaveEvery = v!.Value })),
        Of(Value.Number<long>("--sample-every", "STEPS", "Write a sample grid every so many steps.", 1), PlanPart.Free,
            static p => p.Training.SampleEvery, static (p, v) => p.With(t => t with { SampleEvery = v!.Value })),
        Of(Value.Number<long>("--validate-every", "STEPS",
            "Validate every so many steps; 0: at the end of each epoch.", 0), PlanPart.Free,
            static p => p.Training.ValidateEvery, static (p, v) => p.With(t => t with { ValidateEvery = v!.Value })),
        Of(Value.Number<double>("--temperature", "T", "Temperature of the sample grids.", 0, 10), PlanPart.Free,
            static p => p.Training.Temperature, static (p, v) => p.With(t => t with { Temperature = v!.Value })),
    ];

    // The help names the default that the published run has, taken from where the program itself takes it.
    private static PlanOption<T> Of<T>(Option<T> option, PlanPart part, Func<TrainPlan, object?> get,
        Func<TrainPlan, T, TrainPlan> set)
    {
        if (get(new TrainPlan()) is object standard and not bool && !option.HasDefaultValue)
            option.Description += string.Create(CultureInfo.InvariantCulture, $" [{standard}]");
        return new(option, part, get, set);
    }

    // The published code's name is known too.
    private static Option<double?> ClassWeight()
    {
        Option<double?> option = Value.Number<double>("--class-weight", "W",
            "Weight of the class cross-entropy in the loss.", 0);
        option.Aliases.Add("--weight-y");
        return option;
    }

    private static Option<string?> Classes() => new("--classes")
    {
        HelpName = "auto|N|0",
        Description = "Classes that the model is conditional on: as many as the data has, N, or none.",
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            if (text == "auto") return text;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n <= 100_000)
                return n.ToString(CultureInfo.InvariantCulture);
            result.AddError($"--classes is '{text}'; it must be auto or a whole number from 0 to 100000");
            return null;
        },
    };
}
