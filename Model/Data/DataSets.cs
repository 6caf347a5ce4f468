namespace GlowGpu.Model.Data;

/// <summary>How <c>--data</c> is to be opened.</summary>
/// <param name="DataDirectory"><c>--data-dir</c>, or null</param>
/// <param name="ImageSize">size to crop and resize a folder's images to (and of the demo set), or null</param>
/// <param name="Progress">hears of downloads: bytes done, bytes in all (or null)</param>
public sealed record DataOptions(string? DataDirectory = null, int? ImageSize = null, Action<string, long, long?>? Progress = null);

/// <summary>Training set and, where the data has one, its own test set.</summary>
public sealed record DataPair(IImageSource Train, IImageSource? Test);

/// <summary>Opens whatever <c>--data</c> names.</summary>
public static class DataSets
{
    /// <summary>
    /// <paramref name="data"/>: <c>demo</c>, <c>cifar10</c>, <c>cifar100</c>, <c>mnist</c>, a folder of images, a folder with or a file of idx(.gz), CIFAR
    /// binary batches, <c>.npy/.npz/.safetensors</c>.
    /// </summary>
    /// <exception cref="Engine.GlowException">Nothing there, or not readable; one sentence.</exception>
    public static DataPair Open(string data, DataOptions options) => throw new NotImplementedException();

    /// <summary>The last <paramref name="fraction"/> of a seeded shuffle for validation, the rest for training.</summary>
    public static (IImageSource Train, IImageSource Validation) Split(IImageSource source, double fraction, ulong seed) => throw new NotImplementedException();

    /// <summary>The first <paramref name="count"/> images.</summary>
    public static IImageSource Limit(IImageSource source, int count) => throw new NotImplementedException();
}
