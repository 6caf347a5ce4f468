namespace GlowGpu.Kernels;

/// <summary>
/// A row-major <c>[Rows, Cols]</c> window of a buffer whose rows lie <c>Stride</c> elements apart. A pixel tensor
/// <c>[N,H,W,C]</c> is the view with <c>Rows = N·H·W</c> and <c>Cols = C</c>; half of its channels is a column window
/// of it; a parameter of any shape is one row.
/// </summary>
public readonly record struct View(IBuffer Buffer, long Offset, int Rows, int Cols, int Stride)
{
    /// <summary>The view of nothing: an optional argument that is not given.</summary>
    public static View None => default;

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => Buffer is null;

    /// <summary>True when rows follow each other without a gap.</summary>
    public bool IsDense => Stride == Cols || Rows == 1;

    /// <summary>Number of elements, gaps not counted.</summary>
    public long Count => (long)Rows * Cols;

    /// <summary>
    /// A dense view of <paramref name="rows"/> × <paramref name="cols"/> elements from <paramref name="offset"/> on.
    /// </summary>
    public static View Dense(IBuffer buffer, long offset, int rows, int cols)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (offset < 0 || rows < 0 || cols < 0 || offset + (long)rows * cols > buffer.Length)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"view: [{rows}, {cols}] at {offset} does not lie inside a buffer of {buffer.Length} elements");
        return new View(buffer, offset, rows, cols, cols);
    }

    /// <summary>The columns <c>[start, start + count)</c> of every row.</summary>
    public View Columns(int start, int count)
    {
        if (start < 0 || count < 0 || start + count > Cols)
            throw new ArgumentOutOfRangeException(nameof(start),
                $"view: columns [{start}, {start + count}) do not lie inside {Cols} columns");
        return this with { Offset = Offset + start, Cols = count };
    }

    /// <summary>The same elements under another shape; the view must be dense.</summary>
    public View Reshape(int rows, int cols)
    {
        if (!IsDense || (long)rows * cols != Count)
            throw new ArgumentException(
                $"view: [{Rows}, {Cols}] (row stride {Stride}) cannot be read as [{rows}, {cols}]");
        return this with { Rows = rows, Cols = cols, Stride = cols };
    }

    /// <summary>
    /// The elements of a dense view themselves where they are memory of the host, else empty
    /// (<see cref="IBuffer.Elements"/>).
    /// </summary>
    public Span<float> Elements
    {
        get
        {
            if (!IsDense) throw new ArgumentException("view: the elements of a view with gaps are no single block");
            Span<float> all = Buffer.Elements;
            return all.IsEmpty ? all : all.Slice((int)Offset, (int)Count);
        }
    }

    /// <summary>Copies a dense view to a new host array.</summary>
    public float[] ToArray()
    {
        if (!IsDense) throw new ArgumentException("view: only a dense view can be copied as one block");
        float[] values = new float[Count];
        Read(values);
        return values;
    }

    /// <summary>Copies a dense view to host memory of the same count.</summary>
    public void Read(Span<float> values)
    {
        if (!IsDense || values.Length != Count)
            throw new ArgumentException(
                $"view: [{Rows}, {Cols}] (row stride {Stride}) does not fill {values.Length} values");
        Buffer.Read(Offset, values);
    }

    /// <summary>The element of a <c>[1,1]</c> view.</summary>
    public float ReadScalar()
    {
        Span<float> value = stackalloc float[1];
        Read(value);
        return value[0];
    }

    /// <summary>Fills a dense view from host values of the same count.</summary>
    public void Write(ReadOnlySpan<float> values)
    {
        if (!IsDense || values.Length != Count)
            throw new ArgumentException(
                $"view: {values.Length} values do not fill [{Rows}, {Cols}] (row stride {Stride})");
        Buffer.Write(Offset, values);
    }
}

/// <summary>The pixels behind a view's rows: <c>N</c> images of <c>H × W</c>; row <c>(n·H + y)·W + x</c>.</summary>
public readonly record struct Pixels(int N, int H, int W)
{
    /// <summary>P = N·H·W, the number of rows.</summary>
    public int Count => N * H * W;
}
