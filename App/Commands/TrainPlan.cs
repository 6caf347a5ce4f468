using GlowGpu.App.Console;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary>
/// What <c>glow train</c> is to do, before data is opened: a preset with the user's options on top. Image size and
/// channels of <see cref="Model"/> are filled in from the data. The defaults are the published CIFAR-10 run.
/// </summary>
internal sealed record TrainPlan
{
    /// <summary>What <c>--data</c> names; null until the user says.</summary>
    public string? Data { get; init; }

    /// <summary>Where named sets are kept, or null for the usual place.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Size that a folder's images are cropped and resized to, or null.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Use the first so many training images, or null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>
    /// Fraction held out for validation; 0 for none; null for the data's own test set, or a tenth where it has none.
    /// </summary>
    public double? Validation { get; init; }

    /// <summary>Number of classes in words: <c>auto</c> or a number.</summary>
    public string Classes { get; init; } = "0";

    /// <summary><c>auto</c>, <c>stored</c> or <c>reversible</c>.</summary>
    public string Memory { get; init; } = "auto";

    /// <summary>The precision of the run that is continued; null for a new one.</summary>
    public Precision? Precision { get; init; }

    /// <summary>Shape of the model.</summary>
    public FlowConfig Model { get; init; } = new GlowConfig();

    /// <summary>The recipe.</summary>
    public TrainOptions Training { get; init; } = new();

    /// <summary>The plan with a changed recipe.</summary>
    public TrainPlan With(Func<TrainOptions, TrainOptions> change) => this with { Training = change(Training) };

    /// <summary>The plan with a changed model.</summary>
    public TrainPlan Shaped(Func<FlowConfig, FlowConfig> change) => this with { Model = change(Model) };

    /// <summary>The plan with a changed model, where that is of the family which has what changes.</summary>
    public TrainPlan ShapedAs<T>(Func<T, T> change) where T : FlowConfig => Model is T model
        ? this with { Model = change(model) } : this;

    /// <summary>The plan for a model of a family: of its default sizes unless it is of that family already.</summary>
    public TrainPlan OfFamily(string family) =>
        family == Model.Family ? this : this with { Model = FlowConfig.OfFamily(family) with { NBits = Model.NBits } };

    /// <summary>The plan of a run folder.</summary>
    /// <exception cref="GlowException">The run does not say where its images come from.</exception>
    public static TrainPlan Of(RunConfig run, string folder)
    {
        DataSource source = run.Training.Source
            ?? throw new GlowException(
            $"{folder}: its config.json does not say where the images come from; it must be a run of glow train");
        return new TrainPlan
        {
            Data = source.Data,
            DataDirectory = source.DataDirectory,
            ImageSize = source.ImageSize,
            Limit = source.Limit,
            Validation = source.Validation,
            Classes = Readable.Whole(run.Model.Classes),
            Memory = Name(run.Training.Memory),
            Precision = run.Precision,
            Model = run.Model,
            Training = run.Training,
        };
    }

    /// <summary>The recipe with everything decided that depends on device and data.</summary>
    public TrainOptions Options(Device device, TrainData data) => Training with
    {
        Memory = Memory switch
        {
            "stored" => MemoryMode.Stored,
            "reversible" => MemoryMode.Reversible,
            _ => DeviceMemory.Choose(device, data.Config, Training),
        },
        Source = new DataSource
        {
            Data = DataSets.IsNamed(Data!) ? Data! : Path.GetFullPath(Data!),
            DataDirectory = DataDirectory,
            ImageSize = ImageSize,
            Limit = Limit,
            Validation = Validation,
            ClassNames = data.Train.Classes,
        },
    };

    /// <summary>The word for a way of keeping activations.</summary>
    public static string Name(MemoryMode memory) => memory == MemoryMode.Stored ? "stored" : "reversible";

    /// <summary>A folder name for runs on that data: its own name, or that of its file or folder.</summary>
    public static string NameOf(string data)
    {
        string name = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(data));
        return name is "" or "." or ".." ? "run" : name;
    }
}
