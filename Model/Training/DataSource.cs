namespace GlowGpu.Model.Training;

/// <summary>
/// Where the images of a run come from, in the words it was started with, so that it can be resumed without them.
/// What the images
/// <b>are</b> is settled by their hash (<see cref="DataDescription"/>).
/// </summary>
public sealed record DataSource
{
    /// <summary>Name of a set, or path of a folder or file.</summary>
    public required string Data { get; init; }

    /// <summary>Where named sets are kept; null: the usual place.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Size that a folder's images are cropped and resized to; null: as they are.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Only the first so many images; null: all.</summary>
    public int? Limit { get; init; }

    /// <summary>
    /// Fraction held out for validation; null: the data's own test set, or a tenth where it has none.
    /// </summary>
    public double? Validation { get; init; }

    /// <summary>Names of the classes, where the images have labels.</summary>
    public IReadOnlyList<string> ClassNames { get; init; } = [];
}
