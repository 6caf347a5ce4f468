using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>A <see cref="View"/> of host memory by address: rows of Cols floats, Stride apart.</summary>
internal readonly unsafe struct HostRows
{
    /// <summary>The rows of a view; of <see cref="View.None"/>, a null address.</summary>
    public HostRows(View view) : this(view.IsNone ? null : HostBuffer.Address(view), view.Cols, view.Stride) { }

    public HostRows(float* address, int cols, int stride)
    {
        Address = address;
        Cols = cols;
        Stride = stride;
    }

    public float* Address { get; }

    public int Cols { get; }

    public int Stride { get; }

    public bool IsNone => Address is null;

    /// <summary>First element of a row.</summary>
    public float* Row(int row) => Address + (long)row * Stride;

    /// <summary>The columns [start, start + count) of every row.</summary>
    public HostRows Columns(int start, int count) => new(Address + start, count, Stride);

    /// <summary>Copies a tile to contiguous memory.</summary>
    public void Gather(Tile tile, float* target) =>
        Copy(Row(tile.Row) + tile.Col, Stride, target, tile.Cols, tile.Rows, tile.Cols);

    /// <summary>Copies contiguous memory to a tile.</summary>
    public void Scatter(Tile tile, float* source) =>
        Copy(source, tile.Cols, Row(tile.Row) + tile.Col, Stride, tile.Rows, tile.Cols);

    /// <summary>A value for each column, beside each row of a tile: target[r, c] = columns[tile.Col + c].</summary>
    public static void Repeat(float* columns, Tile tile, float* target) =>
        Copy(columns + tile.Col, 0, target, tile.Cols, tile.Rows, tile.Cols);

    /// <summary>Copies rows × cols floats between memory of two strides that does not overlap.</summary>
    public static void Copy(float* from, int fromStride, float* to, int toStride, int rows, int cols)
    {
        const int CallPays = 64;
        if ((fromStride == cols && toStride == cols) || rows == 1)
        {
            long bytes = (long)rows * cols * sizeof(float);
            Buffer.MemoryCopy(from, to, bytes, bytes);
            return;
        }
        for (int r = 0; r < rows; r++, from += fromStride, to += toStride)
        {
            if (cols >= CallPays) new ReadOnlySpan<float>(from, cols).CopyTo(new Span<float>(to, cols));
            else CopyRow(from, to, cols);
        }
    }

    /// <summary>Copies a short row; the last vector overlaps the one before it.</summary>
    private static void CopyRow(float* from, float* to, int cols)
    {
        if (cols >= Vector256<float>.Count)
        {
            int last = cols - Vector256<float>.Count;
            for (int i = 0; i < last; i += Vector256<float>.Count) Vector256.Load(from + i).Store(to + i);
            Vector256.Load(from + last).Store(to + last);
        }
        else if (cols >= Vector128<float>.Count)
        {
            int last = cols - Vector128<float>.Count;
            Vector128<float> end = Vector128.Load(from + last);
            Vector128.Load(from).Store(to);
            end.Store(to + last);
        }
        else
        {
            for (int i = 0; i < cols; i++) to[i] = from[i];
        }
    }
}

/// <summary>A block of rows × columns small enough for a stack buffer: whole rows, or a piece of one row.</summary>
internal readonly record struct Tile(int Row, int Rows, int Col, int Cols)
{
    /// <summary>The most elements a tile has: a handful of such buffers stay in the first-level cache.</summary>
    public const int Length = 512;

    /// <summary>Number of elements.</summary>
    public int Count => Rows * Cols;

    /// <summary>
    /// Index of the first element in dense rows of <paramref name="cols"/>; the tile is contiguous there.
    /// </summary>
    public long Offset(int cols) => (long)Row * cols + Col;
}

/// <summary>Walks rows [first, end) of so many columns in tiles, in order.</summary>
internal struct TileWalk(int first, int end, int cols)
{
    private int next = first;
    private int col;

    /// <summary>The tile that <see cref="Next"/> came to.</summary>
    public Tile Current { get; private set; }

    /// <summary>Goes to the next tile; false when there is none left.</summary>
    public bool Next()
    {
        if (next >= end) return false;
        if (cols > Tile.Length)
        {
            Current = new Tile(next, 1, col, Math.Min(Tile.Length, cols - col));
            col += Current.Cols;
            if (col < cols) return true;
            col = 0;
            next++;
            return true;
        }
        Current = new Tile(next, Math.Min(Tile.Length / cols, end - next), 0, cols);
        next += Current.Rows;
        return true;
    }
}
