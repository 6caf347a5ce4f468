using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>How <c>--data</c> is to be opened.</summary>
/// <param name="DataDirectory"><c>--data-dir</c>, or null</param>
/// <param name="ImageSize">size to crop and resize a folder's images to (and of the demo set), or null</param>
/// <param name="Progress">hears of downloads: what, bytes done, bytes in all (or null)</param>
public sealed record DataOptions(string? DataDirectory = null, int? ImageSize = null,
    Action<string, long, long?>? Progress = null);

/// <summary>Training set and, where the data has one, its own test set.</summary>
public sealed record DataPair(IImageSource Train, IImageSource? Test);

/// <summary>Opens whatever <c>--data</c> names.</summary>
public static class DataSets
{
    private const int DemoSize = 32;
    private const string Kinds = "demo, cifar10, cifar100, mnist, a folder of images, idx(.gz) files, CIFAR binary "
        + "batches, or a .npy, .npz or .safetensors file";

    /// <summary>Whether that is the name of a set, not a path.</summary>
    public static bool IsNamed(string data) => data == "demo" || PublishedSet.Named(data) is not null;

    /// <summary>
    /// <paramref name="data"/>: <c>demo</c>, <c>cifar10</c>, <c>cifar100</c>, <c>mnist</c>, a folder of images, a
    /// folder with or a file of idx(.gz), CIFAR binary batches, <c>.npy/.npz/.safetensors</c>. A folder of array
    /// files gives the two sets <c>train.*</c> and <c>test.*</c>.
    /// </summary>
    /// <exception cref="GlowException">Nothing there, or not readable; one sentence.</exception>
    public static DataPair Open(string data, DataOptions options)
    {
        if (options.ImageSize is < 1)
            throw new GlowException($"an image size of {options.ImageSize} makes no image; it must be at least 1");
        if (data == "demo")
        {
            (DemoSet train, DemoSet test) = DemoSet.Create(options.ImageSize ?? DemoSize);
            return new DataPair(train, test);
        }
        DataPair pair = PublishedSet.Named(data) is { } set ? OpenPublished(set, options)
            : File.Exists(data) ? new DataPair(OpenFile(data), null)
            : Directory.Exists(data) ? Guard(data, () => OpenFolder(data, options.ImageSize))
            : throw new GlowException($"{data}: there is no such file or folder; data may be {Kinds}");
        if (options.ImageSize is { } size && (pair.Train.Height != size || pair.Train.Width != size))
            throw new GlowException($"{data}: its images are {pair.Train.Height}×{pair.Train.Width} and are not "
                + $"resized to {size}; an image size goes with a folder of images or the demo set");
        if (pair.Test is { } other && (other.Height, other.Width, other.Channels) != (pair.Train.Height,
            pair.Train.Width, pair.Train.Channels))
            throw new GlowException($"{data}: training images are {Shape(pair.Train)} but test images "
                + $"{Shape(other)}; both must have one shape");
        return pair;

        static string Shape(IImageSource s) => $"{s.Height}×{s.Width}×{s.Channels}";
    }

    /// <summary>
    /// The last <paramref name="fraction"/> of a seeded shuffle for validation, the rest for training.
    /// </summary>
    /// <exception cref="GlowException">The fraction leaves one of the two without an image.</exception>
    public static (IImageSource Train, IImageSource Validation) Split(IImageSource source, double fraction, ulong seed)
    {
        int validation = (int)Math.Round(fraction * source.Count);
        if (!(fraction is > 0 and < 1) || validation < 1 || validation >= source.Count)
            throw new GlowException($"{source.Name}: a validation fraction of {fraction} of {source.Count} images "
                + "leaves a set empty; both parts need at least one image");
        int[] order = new CounterRandom(seed, "validation split").Permutation(source.Count);
        return (new Subset($"{source.Name}:train", source, order[..^validation]),
            new Subset($"{source.Name}:validation", source, order[^validation..]));
    }

    /// <summary>The first <paramref name="count"/> images; the set itself when it has no more than that.</summary>
    /// <exception cref="GlowException">The count is less than 1.</exception>
    public static IImageSource Limit(IImageSource source, int count) =>
        count < 1
            ? throw new GlowException($"{source.Name}: a limit of {count} images leaves none; it must be at least 1")
        : count >= source.Count ? source
        : new Subset($"{source.Name}[:{count}]", source, Enumerable.Range(0, count).ToArray());

    private static DataPair OpenPublished(PublishedSet set, DataOptions options)
    {
        if (options.DataDirectory is { } given && !Directory.Exists(given))
            throw new GlowException($"{given}: there is no such folder to look for {set.Name} in");
        return set.Open(set.Find(DataFolders.Searched(options.DataDirectory)) ?? Download.Fetch(set,
            DataFolders.Cache, options.Progress));
    }

    private static IImageSource OpenFile(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".npy" or ".npz" => NumpyFile.Open(path),
        ".safetensors" => ArrayFile.Open(path),
        ".bin" => CifarBinary.Open(path),
        ".xz" =>
            throw new GlowException($"{path}: is packed with xz; unpack it first (xz -dk {Path.GetFileName(path)})"),
        _ when IdxFiles.HasIdxName(path) => IdxFiles.Open(path),
        _ when ImageFile.HasImageName(path) =>
            throw new GlowException($"{path}: is a single image; name the folder that holds the images"),
        _ => throw new GlowException($"{path}: is no kind of file that is known by its name; data may be {Kinds}"),
    };

    private static DataPair OpenFolder(string folder, int? size)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        if (CifarBinary.IsIn(folder)) return CifarBinary.OpenFolder(folder, name);
        string[] files = Directory.GetFiles(folder).Order(StringComparer.Ordinal).ToArray();
        if (files.Any(IdxFiles.HasImagesName)) return IdxFiles.OpenFolder(folder, name);
        string[] arrays = files.Where(f => Path.GetExtension(f) is ".npy" or ".npz" or ".safetensors").ToArray();
        if (arrays.Length > 0) return OpenArrays(folder, arrays);
        if (!ImageFolder.HasImages(folder))
        {
            throw new GlowException(files.FirstOrDefault(f => f.EndsWith(".xz", StringComparison.OrdinalIgnoreCase))
                is { } packed
                ? $"{folder}: holds {Path.GetFileName(packed)}, which is packed with xz; unpack it first (xz -dk "
                + $"{Path.GetFileName(packed)})"
                : $"{folder}: holds no data; it may hold PNG, JPEG or WebP images, idx(.gz) files, CIFAR binary "
                + "batches, or a .npy, .npz or .safetensors file");
        }
        return ImageFolder.Open(folder, name, size);
    }

    // A folder, or one inside it, may not be listed.
    private static DataPair Guard(string folder, Func<DataPair> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw InputFile.Unreadable(folder, e);
        }
    }

    private static DataPair OpenArrays(string folder, string[] arrays)
    {
        string? Named(params string[] names) =>
            arrays.FirstOrDefault(f => names.Contains(Path.GetFileNameWithoutExtension(f)));
        string? train = Named("train"), test = Named("test", "validation", "valid", "val");
        if (arrays.Length == 1) return new DataPair(OpenFile(arrays[0]), null);
        return train is not null ? new DataPair(OpenFile(train), test is null ? null : OpenFile(test))
            : throw new GlowException($"{folder}: holds both {Path.GetFileName(arrays[0])} and "
            + $"{Path.GetFileName(arrays[1])}; name one of the files, or call them train and test");
    }
}
