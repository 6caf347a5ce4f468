using System.Buffers;
using System.Buffers.Binary;
using System.Text.RegularExpressions;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// idx and idx.gz files as of MNIST: two zero bytes, the type (08: unsigned byte), the number of dimensions, each
/// dimension as a big-endian uint32, then the elements. Images are <c>[N,H,W]</c> or <c>[N,H,W,C]</c>; sides that are
/// no multiple of 8 are padded to the next one with zeros, the image in the middle (28×28 becomes 32×32), because a
/// flow halves the image several times.
/// </summary>
public static partial class IdxFiles
{
    private const int SideUnit = 8;

    /// <summary>Whether a file's name says that it holds images in this format.</summary>
    public static bool HasImagesName(string path) =>
        HasIdxName(path) && Path.GetFileName(path).Contains("images", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a file's name looks like this format at all.</summary>
    public static bool HasIdxName(string path) => IdxName().IsMatch(Path.GetFileName(path));

    /// <summary>
    /// Images and, if it lies beside, the labels file of the same name (<c>labels</c> for <c>images</c>, <c>idx1</c>
    /// for <c>idx3</c>).
    /// </summary>
    /// <exception cref="GlowException">A file is missing, broken or of another kind.</exception>
    public static IImageSource Open(string path, string? name = null)
    {
        (ArrayShape shape, PixelStore pixels) = ReadImages(path);
        int[]? labels = LabelsBeside(path) is { } beside ? ReadLabels(beside, path, shape.Count) : null;
        return new IdxImages(name ?? Path.GetFileName(path), shape, pixels, labels, ClassNames.Numbers(path, labels));
    }

    /// <summary>
    /// The images files of a folder: those named <c>t10k…</c> or <c>…test…</c> are the test set. When a file lies
    /// there both packed and unpacked, the unpacked one is taken.
    /// </summary>
    /// <exception cref="GlowException">There is none, more than one of a kind, or one is broken.</exception>
    public static DataPair OpenFolder(string folder, string name)
    {
        string[] files = Directory.GetFiles(folder).Where(HasImagesName)
            .Where(f => !(f.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) && File.Exists(f[..^3])))
            .Order(StringComparer.Ordinal).ToArray();
        string? train = Only(files.Where(f => !IsTest(f))), test = Only(files.Where(IsTest));
        if (train is null && test is null)
            throw new GlowException($"{folder}: holds no idx images file such as train-images-idx3-ubyte.gz");
        IImageSource? testSet = test is null ? null : Open(test, $"{name}/test");
        return train is null ? new DataPair(testSet!, null) : new DataPair(Open(train, $"{name}/train"), testSet);

        static bool IsTest(string f) =>
            Path.GetFileName(f).Contains("t10k", StringComparison.OrdinalIgnoreCase)
                || Path.GetFileName(f).Contains("test", StringComparison.OrdinalIgnoreCase);

        string? Only(IEnumerable<string> found)
        {
            string[] all = found.ToArray();
            return all.Length <= 1 ? all.FirstOrDefault() : throw new GlowException(
                $"{folder}: holds both {Path.GetFileName(all[0])} and {Path.GetFileName(all[1])}; name one of the "
                    + "files instead of the folder");
        }
    }

    private static (ArrayShape Shape, PixelStore Pixels) ReadImages(string path)
    {
        bool packed = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
        return InputFile.ReadStream(path, stream =>
        {
            (long[] dimensions, int header) = ReadHeader(path, stream, "images", 3, 4);
            ArrayShape shape = ArrayShape.Of(path, dimensions);
            if (!packed) return (shape, (PixelStore)new FilePixels(path, header, shape.Bytes));
            (MemoryPixels unpacked, long length) = MemoryPixels.Load(stream, shape.Bytes);
            return length < shape.Bytes ? throw InputFile.EndsEarly(path, length, shape.Bytes) : (shape, unpacked);
        });
    }

    private static int[] ReadLabels(string path, string imagesPath, int count) => InputFile.ReadStream(path, stream =>
    {
        (long[] dimensions, _) = ReadHeader(path, stream, "labels", 1, 1);
        if (dimensions[0] != count)
            throw new GlowException($"{path}: holds {dimensions[0]} labels, but {Path.GetFileName(imagesPath)} "
                + $"holds {count} images; they do not belong together");
        (MemoryPixels bytes, long length) = MemoryPixels.Load(stream, count);
        if (length < count) throw InputFile.EndsEarly(path, length, count);
        var raw = new byte[count];
        bytes.Read(0, raw);
        return Array.ConvertAll(raw, b => (int)b);
    });

    private static (long[] Dimensions, int HeaderBytes) ReadHeader(string path, Stream stream, string what, int least,
        int most)
    {
        Span<byte> word = stackalloc byte[4];
        string magic = least == most ? $"00 00 08 {least:X2}" : $"00 00 08 {least:X2} or 00 00 08 {most:X2}";
        int read = stream.ReadAtLeast(word, 4, throwOnEndOfStream: false);
        if (read < 4)
            throw new GlowException($"{path}: has only {read} bytes; an idx file of {what} starts with {magic}");
        if (word[0] != 0 || word[1] != 0 || word[2] != 8 || word[3] < least || word[3] > most)
            throw new GlowException($"{path}: starts with {word[0]:X2} {word[1]:X2} {word[2]:X2} {word[3]:X2}; an "
                + $"idx file of {what} starts with {magic}");
        var dimensions = new long[word[3]];
        for (int i = 0; i < dimensions.Length; i++)
        {
            if (stream.ReadAtLeast(word, 4, throwOnEndOfStream: false) < 4)
                throw new GlowException($"{path}: ends inside its header; the file is truncated");
            dimensions[i] = BinaryPrimitives.ReadUInt32BigEndian(word);
        }
        return (dimensions, 4 + 4 * dimensions.Length);
    }

    // train-images-idx3-ubyte(.gz) → train-labels-idx1-ubyte(.gz), packed or not.
    private static string? LabelsBeside(string path)
    {
        string name = Path.GetFileName(path), folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string labels = name.Replace("images", "labels", StringComparison.Ordinal).Replace("idx3", "idx1",
            StringComparison.Ordinal).Replace("idx4", "idx1", StringComparison.Ordinal);
        if (labels == name || !name.Contains("images", StringComparison.Ordinal)) return null;
        string bare = labels.EndsWith(".gz", StringComparison.Ordinal) ? labels[..^3] : labels;
        return new[] { labels, bare, bare + ".gz" }.Select(n => Path.Combine(folder, n)).FirstOrDefault(File.Exists);
    }

    [GeneratedRegex(@"idx\d?(-ubyte)?(\.gz)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex IdxName();

    private sealed class IdxImages(string name, ArrayShape shape, PixelStore pixels, int[]? labels,
        IReadOnlyList<string> classes)
        : ImageSource(name, shape.Count, Padded(shape.Height), Padded(shape.Width), shape.Channels, labels, classes)
    {
        protected override void ReadImage(int index, Span<byte> target)
        {
            int imageBytes = shape.Height * shape.Width * shape.Channels;
            if (imageBytes == target.Length)
            {
                pixels.Read((long)index * imageBytes, target);
                return;
            }
            byte[] image = ArrayPool<byte>.Shared.Rent(imageBytes);
            pixels.Read((long)index * imageBytes, image.AsSpan(0, imageBytes));
            target.Clear();
            int top = (Height - shape.Height) / 2, left = (Width - shape.Width) / 2, row = shape.Width * shape.Channels;
            for (int y = 0; y < shape.Height; y++) image.AsSpan(y * row,
                row).CopyTo(target[(((top + y) * Width + left) * Channels)..]);
            ArrayPool<byte>.Shared.Return(image);
        }

        private static int Padded(int side) => (side + SideUnit - 1) / SideUnit * SideUnit;
    }
}
