using System.Buffers;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// The binary batches of CIFAR-10 (a record: label, 3,072 bytes) and CIFAR-100 (coarse label, fine label, 3,072
/// bytes; the fine one is used). Stored channel-planar <c>[3,32,32]</c>, given as <c>[32,32,3]</c>.
/// </summary>
public static class CifarBinary
{
    private const int Side = 32, Plane = Side * Side, PixelBytes = 3 * Plane;

    /// <summary>What tells the two sets apart.</summary>
    /// <param name="Title">name for people</param>
    /// <param name="LabelBytes">label bytes before the pixels; the last one is the class</param>
    /// <param name="Train">file names of the training set</param>
    /// <param name="Test">file name of the test set</param>
    /// <param name="Meta">file that lists the names of the classes</param>
    /// <param name="Classes">their names, should that file be missing</param>
    internal sealed record Kind(string Title, int LabelBytes, string[] Train, string Test,
        string Meta, string[] Classes)
    {
        /// <summary>Bytes of a record.</summary>
        public int RecordBytes => LabelBytes + PixelBytes;
    }

    internal static readonly Kind Cifar10 = new("CIFAR-10", 1,
        ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
            "test_batch.bin", "batches.meta.txt",
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]);

    internal static readonly Kind Cifar100 = new("CIFAR-100", 2, ["train.bin"], "test.bin", "fine_label_names.txt",
    [
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
        "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
        "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
        "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
        "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
        "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
        "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
        "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
        "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger",
        "tractor",
        "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
    ]);

    /// <summary>Whether a folder holds files named like either set's.</summary>
    public static bool IsIn(string folder) => KindOf(folder) is not null;

    /// <summary>
    /// One batch file. <c>train.bin</c> and <c>test.bin</c> are CIFAR-100; of others the length tells.
    /// </summary>
    /// <exception cref="GlowException">The file is missing, empty, truncated or of another kind.</exception>
    public static IImageSource Open(string path)
    {
        long length;
        using (var handle = InputFile.Open(path)) length = RandomAccess.GetLength(handle);
        bool named100 = Path.GetFileName(path) is "train.bin" or "test.bin";
        Kind kind = named100 || (length % Cifar10.RecordBytes != 0 && length % Cifar100.RecordBytes == 0)
            ? Cifar100 : Cifar10;
        return new CifarImages(Path.GetFileName(path), kind, [path]);
    }

    /// <summary>
    /// Training and test set of a folder; a folder with the test file only gives that one as the first.
    /// </summary>
    /// <exception cref="GlowException">Files are missing, empty, truncated or of another kind.</exception>
    public static DataPair OpenFolder(string folder, string name) =>
        OpenFolder(folder, name,
            KindOf(folder) ?? throw new GlowException(
            $"{folder}: holds neither {Cifar10.Test} (CIFAR-10) nor {Cifar100.Test} (CIFAR-100)"));

    internal static DataPair OpenFolder(string folder, string name, Kind kind)
    {
        string test = Path.Combine(folder, kind.Test);
        string[] train = kind.Train.Select(f => Path.Combine(folder, f)).ToArray();
        CifarImages? testSet = File.Exists(test) ? new CifarImages($"{name}/test", kind, [test]) : null;
        if (!train.Any(File.Exists) && testSet is not null) return new DataPair(testSet, null);
        if (train.FirstOrDefault(f => !File.Exists(f)) is { } missing)
            throw new GlowException($"{folder}: lacks {Path.GetFileName(missing)}; the training set of {kind.Title} "
                + $"is {string.Join(", ", kind.Train)}");
        return new DataPair(new CifarImages($"{name}/train", kind, train), testSet);
    }

    private static Kind? KindOf(string folder) => new[] { Cifar10, Cifar100 }.FirstOrDefault(
        k => k.Train.Append(k.Test).Any(f => File.Exists(Path.Combine(folder, f))));

    private static IReadOnlyList<string> ClassesOf(Kind kind, string folder)
    {
        string meta = Path.Combine(folder, kind.Meta);
        if (!File.Exists(meta)) return kind.Classes;
        string[] names = InputFile.ReadStream(meta, s => new StreamReader(s).ReadToEnd()).Split('\n',
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return names.Length == kind.Classes.Length ? names
            : throw new GlowException($"{meta}: names {names.Length} classes; {kind.Title} has {kind.Classes.Length}");
    }

    private static int[] ReadLabels(Kind kind, string path) => InputFile.ReadStream(path, stream =>
    {
        long length = stream.Length, records = length / kind.RecordBytes;
        if (length == 0)
            throw new GlowException($"{path}: is empty; a {kind.Title} file has {kind.RecordBytes} bytes an image");
        if (length % kind.RecordBytes != 0)
            throw new GlowException($"{path}: has {length} bytes, which is no multiple of the {kind.RecordBytes} "
                + $"that a {kind.Title} image takes; it is truncated or of another kind");
        if (records > int.MaxValue)
            throw new GlowException($"{path}: holds {records} images; at most {int.MaxValue} can be read");
        var labels = new int[records];
        var record = new byte[kind.RecordBytes];
        for (int i = 0; i < labels.Length; i++)
        {
            stream.ReadExactly(record);
            labels[i] = record[kind.LabelBytes - 1];
            if (labels[i] >= kind.Classes.Length)
                throw new GlowException($"{path}: image {i} has label {labels[i]}; {kind.Title} has 0 to "
                    + $"{kind.Classes.Length - 1}, so this is another kind of file");
        }
        return labels;
    });

    private sealed class CifarImages : ImageSource
    {
        private readonly int labelBytes;
        private readonly FilePixels[] files;
        private readonly int[] ends;

        public CifarImages(string name, Kind kind, string[] paths) : this(name, kind, paths,
            paths.Select(p => ReadLabels(kind, p)).ToArray())
        { }

        private CifarImages(string name, Kind kind, string[] paths, int[][] labels)
            : base(name, labels.Sum(l => l.Length), Side, Side, 3, labels.SelectMany(l => l).ToArray(),
            ClassesOf(kind, Path.GetDirectoryName(Path.GetFullPath(paths[0]))!))
        {
            labelBytes = kind.LabelBytes;
            files = paths.Select((p, i) => new FilePixels(p, 0, (long)labels[i].Length * kind.RecordBytes)).ToArray();
            ends = new int[paths.Length];
            for (int i = 0, end = 0; i < ends.Length; i++) ends[i] = end += labels[i].Length;
        }

        protected override void ReadImage(int index, Span<byte> target)
        {
            int file = 0;
            while (index >= ends[file]) file++;
            long at = index - (file == 0 ? 0 : ends[file - 1]);
            byte[] planar = ArrayPool<byte>.Shared.Rent(PixelBytes);
            files[file].Read(at * (labelBytes + PixelBytes) + labelBytes, planar.AsSpan(0, PixelBytes));
            for (int i = 0, to = 0; i < Plane; i++, to += 3)
            {
                target[to] = planar[i];
                target[to + 1] = planar[Plane + i];
                target[to + 2] = planar[2 * Plane + i];
            }
            ArrayPool<byte>.Shared.Return(planar);
        }
    }
}
