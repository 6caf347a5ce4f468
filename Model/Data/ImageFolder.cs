using System.Security.Cryptography;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// A folder of PNG, JPEG and WebP files as <c>[H,W,3]</c>, in the ordinal order of their paths below the folder.
/// Images in sub-folders, however deep, belong to the class named like the first-level sub-folder (ordinal order; a
/// single sub-folder makes no classes). Names that begin with a dot are passed over. Files are decoded when first
/// read; the pixels stay in memory while the whole set fits <see cref="PixelCache.Limit"/>.
/// </summary>
public sealed class ImageFolder : ImageSource, INamedSource
{
    private static readonly string[] TestNames = ["test", "validation", "valid", "val"];

    private readonly Listing listing;
    private readonly int? size;
    private readonly PixelCache cache;

    private ImageFolder(string name, Listing listing, int? size, int height, int width, (int Height, int Width) first)
        : base(name, listing.Files.Length, height, width, 3, listing.Labels, listing.Classes)
    {
        FirstSize = first;
        this.listing = listing;
        this.size = size;
        cache = new PixelCache(Count, ImageBytes);
    }

    /// <summary>Height and width of the first file's image before it is cropped and resized.</summary>
    public (int Height, int Width) FirstSize { get; }

    /// <summary>
    /// Opens a folder. If it has a sub-folder <c>train</c> and one named <c>test</c>, <c>validation</c>, <c>valid</c>
    /// or <c>val</c>, these are the two sets.
    /// </summary>
    /// <param name="folder">where</param>
    /// <param name="name">for people</param>
    /// <param name="size">side to crop and resize every image to; null: the images must all have one size</param>
    /// <exception cref="GlowException">There is no image, one is not readable, or sizes differ and no size was asked
    /// for.</exception>
    public static DataPair Open(string folder, string name, int? size)
    {
        string train = Path.Combine(folder, "train");
        string? test = TestNames.Select(n => Path.Combine(folder, n)).FirstOrDefault(Directory.Exists);
        if (!Directory.Exists(train) || test is null) return new DataPair(Open(List(folder), name, size), null);
        Listing first = List(train), second = List(test);
        if (!first.Classes.SequenceEqual(second.Classes))
            throw new GlowException($"{folder}: train has the classes {Text(first.Classes)} but "
                + $"{Path.GetFileName(test)} has {Text(second.Classes)}; both need the same sub-folders");
        return new DataPair(Open(first, $"{name}/train", size), Open(second, $"{name}/test", size));

        static string Text(IReadOnlyList<string> classes) => classes.Count == 0 ? "none"
            : string.Join(", ", classes.Take(5)) + (classes.Count > 5 ? ", …" : "");
    }

    /// <inheritdoc/>
    public string ImageName(int index)
    {
        CheckIndex(index);
        return listing.Files[index];
    }

    /// <summary>Whether a folder holds images, itself or in sub-folders.</summary>
    internal static bool HasImages(string folder) => Images(folder, recurse: true).Any();

    /// <inheritdoc/>
    protected override void ReadImage(int index, Span<byte> pixels)
    {
        if (cache.TryRead(index, pixels)) return;
        (byte[] decoded, int height, int width) = ImageFile.Read(FilePath(index), size);
        if (height != Height || width != Width)
            throw Differ(FilePath(0), Height, Width, FilePath(index), height, width);
        decoded.CopyTo(pixels);
        cache.Keep(index, pixels);
    }

    /// <summary>
    /// The SHA-256 of the file's contents stands for the pixels: reading a file is far cheaper than decoding it, and
    /// with the size, which is hashed too, it determines them.
    /// </summary>
    protected internal override void AppendContent(IncrementalHash hash, int index, Span<byte> pixels)
    {
        hash.AppendData(InputFile.ReadStream(FilePath(index), SHA256.HashData));
    }

    private static ImageFolder Open(Listing listing, string name, int? size)
    {
        (int height, int width) = ImageFile.ReadSize(listing.Path(0));
        if (size is { } side) return new ImageFolder(name, listing, size, side, side, (height, width));
        // Now rather than in the middle of an epoch: this reads headers only.
        for (int i = 1; i < listing.Files.Length; i++)
        {
            (int h, int w) = ImageFile.ReadSize(listing.Path(i));
            if (h != height || w != width) throw Differ(listing.Path(0), height, width, listing.Path(i), h, w);
        }
        return new ImageFolder(name, listing, null, height, width, (height, width));
    }

    private static GlowException Differ(string first, int height, int width, string other,
        int otherHeight, int otherWidth) =>
        new($"{first} is {height}×{width} but {other} is {otherHeight}×{otherWidth}; give an image size to crop and "
            + "resize them all to");

    private static Listing List(string folder)
    {
        string[] top = Images(folder, recurse: false).ToArray();
        var inside = Directory.GetDirectories(folder)
            .Where(d => !Path.GetFileName(d).StartsWith('.'))
            .Order(StringComparer.Ordinal)
            .Select(d => (Class: Path.GetFileName(d), Files: Images(d, recurse: true).ToArray()))
            .Where(d => d.Files.Length > 0)
            .ToArray();
        if (top.Length > 0 && inside.Length > 0)
            throw new GlowException($"{folder}: holds images itself "
                + $"({Path.GetFileName(top.Min(StringComparer.Ordinal))}) and in the sub-folder {inside[0].Class}; "
                + "all must lie in class folders or none");
        if (top.Length + inside.Length == 0) throw new GlowException($"{folder}: holds no PNG, JPEG or WebP images");
        bool labelled = inside.Length > 1;
        (string File, int Label)[] files = top.Select(f => (File: f, Label: 0))
            .Concat(inside.SelectMany((d, label) => d.Files.Select(f => (File: f, Label: label))))
            .Select(f => (File: Path.GetRelativePath(folder, f.File).Replace('\\', '/'), f.Label))
            .OrderBy(f => f.File, StringComparer.Ordinal)
            .ToArray();
        return new Listing(folder, files.Select(f => f.File).ToArray(),
            labelled ? files.Select(f => f.Label).ToArray() : null, labelled ? inside.Select(d => d.Class).ToArray()
                : []);
    }

    private static IEnumerable<string> Images(string folder, bool recurse) => Directory
        .EnumerateFiles(folder, "*",
        new EnumerationOptions
        {
            RecurseSubdirectories = recurse,
            IgnoreInaccessible = false,
            MaxRecursionDepth = 16,
            AttributesToSkip = 0
        })
        .Where(f => ImageFile.HasImageName(f) && !Path.GetRelativePath(folder, f).Split('/',
        '\\').Any(part => part.StartsWith('.')));

    private string FilePath(int index) => listing.Path(index);

    private sealed record Listing(string Folder, string[] Files, int[]? Labels, string[] Classes)
    {
        public string Path(int index) => System.IO.Path.Combine(Folder, Files[index]);
    }
}
