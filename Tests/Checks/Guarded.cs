using GlowGpu.Kernels;
using NUnit.Framework;

namespace GlowGpu.Tests.Checks;

/// <summary>How a tensor lies in its buffer.</summary>
public enum Layout
{
    /// <summary>Rows without gaps.</summary>
    Dense,

    /// <summary>The first half of the channels of a tensor twice as wide.</summary>
    FirstHalf,

    /// <summary>The second half of the channels of a tensor twice as wide.</summary>
    SecondHalf,
}

/// <summary>
/// Buffers of one test. Each tensor lies between guard bands of NaN with a payload of its own, and so do the gaps of a
/// strided one; outputs start as NaN. A kernel that reads outside a tensor, or reads an output it should
/// overwrite, poisons its result; one that writes outside is found by <see cref="Check"/>, which demands that guards,
/// gaps and inputs still hold the bits they were given.
/// </summary>
public sealed class Guarded(IBackend backend) : IDisposable
{
    // A multiple of every vector width, so that a dense tensor keeps the alignment that allocations promise.
    private const int Band = 64;
    private const int GuardBits = 0x7FC0_BEEF;
    private const int GarbageBits = 0x7FC0_DEAD;

    private readonly List<Item> items = [];

    private sealed record Item(string Name, View View, float[] Before, bool IsInput);

    /// <summary>A tensor that must not change.</summary>
    public View Input(string name, float[] values, int rows, int cols, Layout layout = Layout.Dense) =>
        Add(name, values, rows, cols, layout, true);

    /// <summary>A dense row that must not change.</summary>
    public View Input(string name, float[] values) => Input(name, values, 1, values.Length);

    /// <summary>A tensor to be overwritten; full of garbage.</summary>
    public View Output(string name, int rows, int cols, Layout layout = Layout.Dense)
    {
        float[] garbage = new float[rows * cols];
        Array.Fill(garbage, BitConverter.Int32BitsToSingle(GarbageBits));
        return Add(name, garbage, rows, cols, layout, false);
    }

    /// <summary>A tensor that is read and changed in place.</summary>
    public View InOut(string name, float[] values, int rows, int cols, Layout layout = Layout.Dense) =>
        Add(name, values, rows, cols, layout, false);

    /// <summary>Values of a tensor, gaps dropped.</summary>
    public float[] Read(View view)
    {
        Item item = items.Find(i => i.View == view) ?? throw new ArgumentException("not a tensor of this test");
        float[] all = new float[item.Before.Length];
        view.Buffer.Read(0, all);
        float[] values = new float[view.Count];
        for (int r = 0; r < view.Rows; r++)
            all.AsSpan((int)view.Offset + r * view.Stride, view.Cols).CopyTo(values.AsSpan(r * view.Cols));
        return values;
    }

    /// <summary>Guards, gaps and inputs untouched; every element of an output written.</summary>
    public void Check()
    {
        foreach (Item item in items)
        {
            View view = item.View;
            float[] after = new float[item.Before.Length];
            view.Buffer.Read(0, after);
            for (int i = 0; i < after.Length; i++)
            {
                long at = i - view.Offset;
                long row = at >= 0 ? Math.Min(at / view.Stride, view.Rows - 1) : 0;
                long col = at - row * view.Stride;
                bool inside = at >= 0 && col < view.Cols;
                int bits = BitConverter.SingleToInt32Bits(after[i]);
                if (inside && !item.IsInput)
                {
                    if (bits == GarbageBits) Assert.Fail($"{item.Name}[{row},{col}] was never written");
                    continue;
                }
                if (bits == BitConverter.SingleToInt32Bits(item.Before[i])) continue;
                Assert.Fail(inside
                    ? $"{item.Name}[{row},{col}] is an input but changed from {item.Before[i]} to {after[i]}"
                    : $"{item.Name} {view.Rows}×{view.Cols}: {after[i]} was written outside, at {at} (row stride "
                    + $"{view.Stride})");
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Item item in items) item.View.Buffer.Dispose();
        items.Clear();
    }

    private View Add(string name, float[] values, int rows, int cols, Layout layout, bool isInput)
    {
        if (values.Length != rows * cols)
            throw new ArgumentException($"{name}: {values.Length} values for [{rows},{cols}]");
        int stride = layout == Layout.Dense ? cols : 2 * cols;
        int first = layout == Layout.SecondHalf ? cols : 0;
        float[] before = new float[2 * Band + rows * stride];
        Array.Fill(before, BitConverter.Int32BitsToSingle(GuardBits));
        for (int r = 0; r < rows; r++) values.AsSpan(r * cols, cols).CopyTo(before.AsSpan(Band + r * stride + first));
        IBuffer buffer = backend.Allocate(before.Length);
        buffer.Write(0, before);
        View view = new(buffer, Band + first, rows, cols, stride);
        items.Add(new Item(name, view, before, isInput));
        return view;
    }
}
