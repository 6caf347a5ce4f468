namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// A factor for tensor cores <c>[rows, cols]</c> in the words of float32 memory: rows are <see cref="Words"/> words
/// long, start at multiples of 16 bytes, and hold zeros behind their last element.
/// </summary>
internal readonly record struct Operand(Matrix Data, int Rows, int Words)
{
    /// <summary>
    /// Elements that a row is filled up to a multiple of: 16 bytes of the narrowest format, and the columns that an
    /// epilogue stores at once.
    /// </summary>
    public const int Unit = 8;

    /// <summary>Floats by which a window may have to move to start at a multiple of 16 bytes.</summary>
    public const int Slack = 4;

    /// <summary>Bytes from row to row.</summary>
    public int Pitch => Words * sizeof(float);

    /// <summary>Address of the first row.</summary>
    public DeviceAddress Address => DeviceAddress.Of(Data);

    /// <summary>The number of elements that rows of <paramref name="cols"/> elements are filled up to.</summary>
    public static int Padded(int cols) => checked(cols + Unit - 1) / Unit * Unit;

    /// <summary>Words of a row of so many elements.</summary>
    public static int WordsOf<TFormat>(int cols) where TFormat : struct,
        ITensorFormat => Padded(cols) / sizeof(float) * TFormat.Bytes;

    /// <summary>Words of a factor of so many rows and columns.</summary>
    public static int Length<TFormat>(int rows, int cols) where TFormat : struct,
        ITensorFormat => checked(rows * WordsOf<TFormat>(cols));

    /// <summary>A factor of so many rows and columns in a window, <paramref name="offset"/> words on.</summary>
    public static Operand At<TFormat>(Matrix window, long offset, int rows, int cols) where TFormat : struct,
        ITensorFormat
    {
        int words = WordsOf<TFormat>(cols);
        return new(window.Window(offset, words), rows, words);
    }

    /// <summary>
    /// The window from its first multiple of 16 bytes on; up to <see cref="Slack"/> − 1 floats before that are left
    /// unused.
    /// </summary>
    public static Matrix Align(Matrix window)
    {
        int excess = (int)(DeviceAddress.Of(window).Value % 16);
        return excess == 0 ? window : window.Window((16 - excess) / sizeof(float), window.Stride);
    }
}
