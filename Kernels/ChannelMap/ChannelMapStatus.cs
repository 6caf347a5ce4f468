namespace GlowGpu.Kernels;

/// <summary>
/// What <see cref="IChannelMap.Prepare"/> found wrong, as four float32 on the device, so that nobody waits for it:
/// the number of the first failing step counted from 1 (0: none failed), what it is, and where. It is read back with
/// whatever else a step has to tell.
/// </summary>
public static class ChannelMapStatus
{
    /// <summary>Values of a status.</summary>
    public const int Length = 4;

    private const float SingularKind = 1, NotFiniteKind = 2;

    /// <summary>All is well.</summary>
    public static void Clear(Span<float> status) => status[..Length].Clear();

    /// <summary>W of step <paramref name="index"/> is singular: its pivot is that part of its column.</summary>
    public static void SetSingular(Span<float> status, int index, int pivot, double ratio) =>
        Set(status, index, SingularKind, pivot, (float)ratio);

    /// <summary>Element <paramref name="element"/> of W, counted by rows, is not finite.</summary>
    public static void SetNotFinite(Span<float> status, int index, int element, double value) =>
        Set(status, index, NotFiniteKind, element, (float)value);

    /// <summary>Whether a step failed.</summary>
    public static bool HasFailed(ReadOnlySpan<float> status) => status[0] != 0;

    /// <summary>Throws if a step failed.</summary>
    /// <exception cref="ArithmeticException">A W is singular or not finite; the message begins with the name of the
    /// step.</exception>
    public static void ThrowIfFailed(IReadOnlyList<ChannelMapStep> steps, ReadOnlySpan<float> status)
    {
        if (!HasFailed(status)) return;
        ChannelMapStep step = steps[(int)status[0] - 1];
        int at = (int)status[2], c = step.Channels;
        throw new ArithmeticException(status[1] == SingularKind
            ? $"{step.Name}: the channel mixing matrix is singular (pivot {at + 1} of {c} is {status[3]:0.#e+0} of "
            + "its column); go back to an earlier checkpoint and train on with a lower learning rate, or use the "
            + "plu parameterisation, which stays invertible"
            : $"{step.Name}: the channel mixing matrix is not finite ({status[3]} at row {at / c}, column "
            + $"{at % c}); go back to an earlier checkpoint and train on with a lower learning rate");
    }

    /// <summary>Reads a status from the device, which waits for it, and throws if a step failed.</summary>
    /// <exception cref="ArithmeticException">A W is singular or not finite; the message begins with the name of the
    /// step.</exception>
    public static void ThrowIfFailed(IReadOnlyList<ChannelMapStep> steps, View status)
    {
        Span<float> values = stackalloc float[Length];
        status.Read(values);
        ThrowIfFailed(steps, values);
    }

    private static void Set(Span<float> status, int index, float kind, int at, float value)
    {
        status[0] = index + 1;
        status[1] = kind;
        status[2] = at;
        status[3] = value;
    }
}
