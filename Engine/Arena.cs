using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// Recycled device memory. A training step rents and returns the same sizes in the same order every time, so from the
/// second step on every rent is served by a returned block, at the same address as before, and nothing is allocated.
/// </summary>
public sealed class Arena(IBackend backend) : IDisposable
{
    private readonly Dictionary<long, List<Block>> free = [];
    private readonly Dictionary<IBuffer, Block> blocks = [];

    private sealed record Block(IBuffer Buffer, int Serial);

    /// <summary>Number of device allocations so far.</summary>
    public int Allocations { get; private set; }

    /// <summary>Bytes held from the device, rented or not.</summary>
    public long Bytes { get; private set; }

    /// <summary>Number of blocks rented and not yet returned.</summary>
    public int Rented { get; private set; }

    /// <summary>A dense <c>[rows, cols]</c> view of memory with arbitrary contents.</summary>
    public View Rent(int rows, int cols) => View.Dense(Take((long)rows * cols), 0, rows, cols);

    /// <summary>Gives a rented view (or any window of it) back.</summary>
    /// <exception cref="InvalidOperationException">The view was not rented here, or was returned already.</exception>
    public void Return(View view)
    {
        if (view.IsNone) return;
        if (!blocks.TryGetValue(view.Buffer, out Block? block))
            throw new InvalidOperationException("arena: this view was not rented here");
        List<Block> list = free[view.Buffer.Length];
        if (list.Contains(block)) throw new InvalidOperationException("arena: this view was returned already");
        list.Add(block);
        Rented--;
    }

    /// <summary>
    /// Ends a step: puts the free blocks in the order of their making, so that the next step gets the same addresses.
    /// </summary>
    public void EndStep()
    {
        foreach (List<Block> list in free.Values) list.Sort(static (a, b) => b.Serial.CompareTo(a.Serial));
    }

    /// <summary>Releases every free block to the device, e.g. when another batch size begins.</summary>
    public void Trim()
    {
        foreach ((long length, List<Block> list) in free)
        {
            foreach (Block block in list)
            {
                blocks.Remove(block.Buffer);
                block.Buffer.Dispose();
                Bytes -= length * sizeof(float);
            }
            list.Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IBuffer buffer in blocks.Keys) buffer.Dispose();
        blocks.Clear();
        free.Clear();
    }

    private IBuffer Take(long length)
    {
        if (!free.TryGetValue(length, out List<Block>? list)) free[length] = list = [];
        Rented++;
        if (list.Count > 0)
        {
            Block block = list[^1];
            list.RemoveAt(list.Count - 1);
            return block.Buffer;
        }
        IBuffer buffer = backend.Allocate(length);
        blocks.Add(buffer, new Block(buffer, Allocations));
        Allocations++;
        Bytes += length * sizeof(float);
        return buffer;
    }
}
