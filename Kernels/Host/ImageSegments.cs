namespace GlowGpu.Kernels.Host;

/// <summary>
/// Cuts the rows of N images into segments that each lie within one image, and groups short segments into parts of
/// work. Both depend on the shapes alone, so that sums by segment, added up in order, do not depend on the number of
/// threads.
/// </summary>
internal readonly unsafe struct ImageSegments
{
    // Of a segment, some microseconds of work: little enough to share one image between cores. Of a part: more than
    // dealing it out costs, little enough for the cores to get as much each.
    private const int SegmentElements = 8192, PartElements = 1024;

    private readonly int rowsPerImage;
    private readonly int perImage;
    private readonly int perPart;

    /// <summary>Images of <paramref name="pixels"/>, rows of <paramref name="cols"/> elements.</summary>
    public ImageSegments(Pixels pixels, int cols)
    {
        rowsPerImage = pixels.H * pixels.W;
        long elements = (long)rowsPerImage * cols;
        perImage = (int)Math.Clamp((elements + SegmentElements - 1) / SegmentElements, 1, rowsPerImage);
        Count = pixels.N * perImage;
        perPart = (int)Math.Clamp(PartElements * (long)perImage / elements, 1, Count);
        Parts = (Count + perPart - 1) / perPart;
    }

    /// <summary>Number of segments.</summary>
    public int Count { get; }

    /// <summary>Number of parts for <see cref="Workers.Run"/>.</summary>
    public int Parts { get; }

    /// <summary>The segments [first, end) of a part.</summary>
    public (int First, int End) Of(int part) => (part * perPart, Math.Min(Count, (part + 1) * perPart));

    /// <summary>The image that a segment belongs to.</summary>
    public int Image(int segment) => segment / perImage;

    /// <summary>The rows [first, end) of a segment.</summary>
    public (int First, int End) Rows(int segment)
    {
        int image = segment / perImage, k = segment % perImage;
        int start = image * rowsPerImage;
        return (start + (int)((long)rowsPerImage * k / perImage),
            start + (int)((long)rowsPerImage * (k + 1) / perImage));
    }

    /// <summary>target[n] += sign·Σ of the sums of image n's segments.</summary>
    public void AddTo(float* target, double sign, double* sums)
    {
        for (int first = 0; first < Count; first += perImage)
        {
            double sum = 0;
            for (int k = 0; k < perImage; k++) sum += sums[first + k];
            target[first / perImage] = (float)(target[first / perImage] + sign * sum);
        }
    }
}

/// <summary>Cuts a range of elements or rows into parts of one size, whatever the number of threads.</summary>
internal readonly struct Chunks
{
    private readonly long length;
    private readonly long size;

    /// <summary>
    /// Chunks of <paramref name="size"/> (more when there would be too many to count), the last shorter.
    /// </summary>
    public Chunks(long length, long size)
    {
        this.length = length;
        this.size = Math.Max(size, length / int.MaxValue + 1);
        Count = (int)((length + this.size - 1) / this.size);
    }

    /// <summary>Number of chunks.</summary>
    public int Count { get; }

    /// <summary>The range [first, end) of a chunk.</summary>
    public (long First, long End) Of(int chunk) => (chunk * size, Math.Min(length, (chunk + 1) * size));
}
