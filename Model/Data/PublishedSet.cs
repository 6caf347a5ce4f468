using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>A file as published, with the MD5 that its publisher gives.</summary>
internal sealed record PublishedFile(string Name, string Md5);

/// <summary>A data set known by name: where it is published and which files it consists of.</summary>
/// <param name="Name">what <c>--data</c> calls it, and its folder in the cache</param>
/// <param name="Folder">the folder that its archive unpacks to</param>
/// <param name="Location">where the files are published; ends in a slash</param>
/// <param name="Files">what is to be downloaded</param>
/// <param name="Unpacks">whether <paramref name="Files"/> are .tar.gz archives of the members</param>
/// <param name="Members">files that the set consists of, all needed</param>
/// <param name="Extras">files that are kept if an archive holds them</param>
/// <param name="Open">opens a folder that holds the members</param>
internal sealed record PublishedSet(
    string Name, string Folder, Uri Location, PublishedFile[] Files, bool Unpacks, string[] Members, string[] Extras,
        Func<string, DataPair> Open)
{
    private static readonly Uri CifarHome = new("https://www.cs.toronto.edu/~kriz/");

    internal static readonly PublishedSet Cifar10 = Cifar("cifar10", "cifar-10-batches-bin",
        new("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"), CifarBinary.Cifar10);

    internal static readonly PublishedSet Cifar100 = Cifar("cifar100", "cifar-100-binary",
        new("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"), CifarBinary.Cifar100);

    internal static readonly PublishedSet Mnist = new("mnist", "mnist",
        new Uri("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    [
        new("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        new("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        new("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        new("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ],
        false,
        ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz"],
        [], folder => IdxFiles.OpenFolder(folder, "mnist"));

    /// <summary>The set of that name, or null.</summary>
    public static PublishedSet? Named(string name) =>
        new[] { Cifar10, Cifar100, Mnist }.FirstOrDefault(s => s.Name == name);

    /// <summary>
    /// The first folder that holds the set: of each folder given, its sub-folders <see cref="Name"/> and
    /// <see cref="Folder"/> and itself; null when none does.
    /// </summary>
    /// <exception cref="GlowException">A folder holds the set in part, or packed with xz.</exception>
    public string? Find(IEnumerable<string> folders)
    {
        foreach (string candidate in folders.SelectMany(f =>
            new[] { Path.Combine(f, Name), Path.Combine(f, Folder), f }))
        {
            string[] missing = Members.Where(m => !IsIn(candidate, m)).ToArray();
            if (missing.Length == 0) return candidate;
            if (missing.FirstOrDefault(m => File.Exists(Path.Combine(candidate, m + ".xz"))) is { } packed)
                throw new GlowException($"{Name}: {candidate} holds {packed}.xz, which is packed with xz; unpack "
                    + "the files first (xz -dk *.xz)");
            if (missing.Length < Members.Length)
                throw new GlowException($"{Name}: {candidate} holds {Members.Except(missing).First()} but lacks "
                    + $"{missing[0]}; the set is {string.Join(", ", Members)}");
        }
        return null;
    }

    // A .gz member may lie there unpacked.
    private static bool IsIn(string folder, string member) =>
        File.Exists(Path.Combine(folder, member))
        || (member.EndsWith(".gz", StringComparison.Ordinal) && File.Exists(Path.Combine(folder, member[..^3])));

    private static PublishedSet Cifar(string name, string folder, PublishedFile archive, CifarBinary.Kind kind) => new(
        name, folder, CifarHome, [archive], true, [.. kind.Train, kind.Test], [kind.Meta],
            where => CifarBinary.OpenFolder(where, name, kind));
}
