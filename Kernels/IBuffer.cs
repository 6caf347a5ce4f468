namespace GlowGpu.Kernels;

/// <summary>A block of float32 memory on one device. Views cut windows out of it.</summary>
public interface IBuffer : IDisposable
{
    /// <summary>Number of float32 elements.</summary>
    long Length { get; }

    /// <summary>
    /// The elements themselves where they are memory of the host, else empty; good until the buffer is disposed.
    /// </summary>
    Span<float> Elements => [];

    /// <summary>Copies host values to <c>[offset, offset + source.Length)</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the buffer.</exception>
    void Write(long offset, ReadOnlySpan<float> source);

    /// <summary>
    /// Copies <c>[offset, offset + target.Length)</c> to the host; waits for pending work on the device.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the buffer.</exception>
    void Read(long offset, Span<float> target);
}
