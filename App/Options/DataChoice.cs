using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;

namespace GlowGpu.App.Options;

/// <summary>Which images a verb that reads a model works on: <c>--data --data-dir --split --limit</c>.</summary>
internal sealed class DataChoice
{
    private readonly Option<string?> split;

    private readonly Option<int?> limit = Value.Number<int>("--limit", "N", "Use the first N images only.", 1);

    /// <summary>
    /// The options; <paramref name="required"/> says whether the verb needs data, <paramref name="standard"/> which
    /// split it takes unless told.
    /// </summary>
    public DataChoice(bool required, bool limited = true, string standard = "test")
    {
        split = Value.Choice("--split", $"Which part of a set that has a test split; {standard} unless given.",
            null, "train", "test");
        Standard = standard;
        Data = Source(required);
        Limited = limited;
    }

    /// <summary><c>--data D</c>.</summary>
    public Option<string?> Data { get; }

    /// <summary><c>--data-dir DIR</c>.</summary>
    public Option<string?> Directory { get; } = DataDirectory();

    private bool Limited { get; }

    private string Standard { get; }

    /// <summary><c>--data D</c>, of every verb that has it.</summary>
    public static Option<string?> Source(bool required) => Value.Path("--data", "D",
        "demo, cifar10, cifar100, mnist, a folder of images, idx(.gz) files, CIFAR binary batches, "
        + "or an array file (.npy, .npz, .safetensors).", required);

    /// <summary><c>--data-dir DIR</c>, of every verb that has it.</summary>
    public static Option<string?> DataDirectory() => Value.Path("--data-dir", "DIR",
        "Where named sets (cifar10, cifar100, mnist) are kept.");

    /// <summary>Adds the options to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(Data);
        command.Add(Directory);
        command.Add(split);
        if (Limited) command.Add(limit);
    }

    /// <summary>Opens the images and checks that the model fits them.</summary>
    /// <param name="parse">the command line</param>
    /// <param name="model">config of the model that is to read them</param>
    /// <param name="terminal">hears of downloads</param>
    /// <param name="most">use the first so many at most, or null</param>
    public IImageSource Open(ParseResult parse, FlowConfig model, Terminal terminal, int? most = null)
    {
        IImageSource source = Open(parse.GetValue(Data)!, parse.GetValue(Directory), parse.GetValue(split),
            Standard, model, terminal);
        int count = Math.Min(Limited && parse.GetValue(limit) is int n ? n : int.MaxValue, most ?? int.MaxValue);
        return count < source.Count ? DataSets.Limit(source, count) : source;
    }

    /// <summary>Opens a set in the words of <c>--data</c> and checks that the model fits it.</summary>
    /// <param name="data">what it is called</param>
    /// <param name="directory">where named sets are kept, or null</param>
    /// <param name="split"><c>train</c>, <c>test</c>, or null</param>
    /// <param name="standard">which split to take unless told</param>
    /// <param name="model">config of the model that is to read it</param>
    /// <param name="terminal">hears of downloads</param>
    public static IImageSource Open(string data, string? directory, string? split, string standard,
        FlowConfig model, Terminal terminal)
    {
        // Only pictures are made to fit; numbers in a file are what they are.
        bool pictures = data == "demo" || System.IO.Directory.Exists(data);
        int? size = pictures && model.Height == model.ImageWidth ? model.Height : null;
        DataPair pair = DataSets.Open(data, new DataOptions(directory, size, DownloadLog.To(terminal)));
        IImageSource source = (split, pair.Test) switch
        {
            ("train", _) => pair.Train,
            ("test", null) => throw new GlowException(
                $"data '{data}' has no test split; leave --split out to use all of its images"),
            (_, null) => pair.Train,
            (null, _) when standard == "train" => pair.Train,
            (_, IImageSource test) => test,
        };
        DataFit.Check(model, source);
        if (source is ImageFolder { FirstSize: var (height, width) } && (height, width) != (source.Height,
            source.Width))
            terminal.Log($"{source.Name}: its images are cropped and resized to {source.Height}×{source.Width} (the "
                + $"first is {height}×{width}); what follows is about those");
        return source;
    }
}
