using System.Numerics;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// <c>mma.sync</c> with float32 accumulators: d = a·b + c, a <c>[16,K]</c>, b <c>[K,8]</c>. Operands are taken as the
/// hardware takes them (of TF32 the upper 19 bits), products are exact, and sums are rounded to float32 after each
/// term, in order of k. A device's order and rounding of the sum are not specified, so results agree to rounding, not
/// in bits.
/// </summary>
internal sealed unsafe class MatrixMultiply(bool isTf32, int k, PtxRegister[] d, PtxRegister[] a, PtxRegister[] b,
    PtxRegister[] c) : Operation
{
    private const int Rows = 16, Cols = 8;

    public override Flow Flow => Flow.Converge;

    public override void Run(Warp warp, uint mask)
    {
        if (mask != Warp.All) throw new PtxException("mma.sync without all lanes of the warp");
        float* left = stackalloc float[Rows * k], right = stackalloc float[k * Cols];
        if (isTf32) LoadTf32(warp, left, right);
        else LoadBf16(warp, left, right);
        for (int lane = 0; lane < Warp.Lanes; lane++)
        {
            for (int i = 0; i < 4; i++)
            {
                // c0, c1 in row g, c2, c3 in row g + 8; columns 2t, 2t + 1.
                int row = lane / 4 + 8 * (i / 2), col = lane % 4 * 2 + i % 2;
                float sum = warp.At<float>(c[i].Offset)[lane];
                for (int q = 0; q < k; q++) sum += left[row * k + q] * right[q * Cols + col];
                warp.At<float>(d[i].Offset)[lane] = sum;
            }
        }
    }

    // Registers hold two values: lane 4g + t has rows g and g + 8 of A at k = 2t, 2t + 1 and 8 more, and column g of
    // B at the same k.
    private void LoadBf16(Warp warp, float* left, float* right)
    {
        for (int lane = 0; lane < Warp.Lanes; lane++)
        {
            int g = lane / 4, t = lane % 4;
            for (int i = 0; i < a.Length; i++)
            {
                uint pair = warp.At<uint>(a[i].Offset)[lane];
                float* to = left + (g + 8 * (i % 2)) * k + 2 * t + 8 * (i / 2);
                to[0] = BitConverter.UInt32BitsToSingle(pair << 16);
                to[1] = BitConverter.UInt32BitsToSingle(pair & 0xFFFF0000);
            }
            for (int i = 0; i < b.Length; i++)
            {
                uint pair = warp.At<uint>(b[i].Offset)[lane];
                int row = 2 * t + 8 * i;
                right[row * Cols + g] = BitConverter.UInt32BitsToSingle(pair << 16);
                right[(row + 1) * Cols + g] = BitConverter.UInt32BitsToSingle(pair & 0xFFFF0000);
            }
        }
    }

    // One value a register: lane 4g + t has rows g and g + 8 of A at k = t and t + 4, and column g of B at the same k.
    private void LoadTf32(Warp warp, float* left, float* right)
    {
        const uint Kept = 0xFFFFE000;
        for (int lane = 0; lane < Warp.Lanes; lane++)
        {
            int g = lane / 4, t = lane % 4;
            for (int i = 0; i < a.Length; i++)
                left[(g + 8 * (i % 2)) * k + t + 4 * (i / 2)] = BitConverter.UInt32BitsToSingle(
                    warp.At<uint>(a[i].Offset)[lane] & Kept);
            for (int i = 0; i < b.Length; i++)
                right[(t + 4 * i) * Cols + g] = BitConverter.UInt32BitsToSingle(
                    warp.At<uint>(b[i].Offset)[lane] & Kept);
        }
    }
}

/// <summary>
/// <c>ldmatrix</c>: 8×8 matrices of 16-bit values from shared memory, the rows of matrix i at the addresses of lanes
/// 8i … 8i + 7. Lane 4g + t gets columns 2t and 2t + 1 of row g, or of the transposed matrix.
/// </summary>
internal sealed unsafe class LoadMatrix(PtxRegister[] targets, Address address, bool transposed) : Operation
{
    private const int Size = 8, RowBytes = 2 * Size;

    public override Flow Flow => Flow.Converge;

    public override void Run(Warp warp, uint mask)
    {
        if (mask != Warp.All) throw new PtxException("ldmatrix.sync without all lanes of the warp");
        Span<ulong> addresses = stackalloc ulong[Warp.Lanes];
        ushort* matrix = stackalloc ushort[Size * Size];
        // Loaded values must not change the addresses of the matrices that follow.
        for (int lane = 0; lane < targets.Length * Size; lane++) addresses[lane] = address.In(warp, lane);
        for (int i = 0; i < targets.Length; i++)
        {
            for (int row = 0; row < Size; row++)
            {
                int lane = i * Size + row;
                new ReadOnlySpan<ushort>(warp.Group.Shared.Read(warp, lane, addresses[lane], RowBytes), Size)
                    .CopyTo(new Span<ushort>(matrix + row * Size, Size));
            }
            for (int lane = 0; lane < Warp.Lanes; lane++)
            {
                int g = lane / 4, t = lane % 4 * 2;
                uint low = transposed ? matrix[t * Size + g] : matrix[g * Size + t];
                uint high = transposed ? matrix[(t + 1) * Size + g] : matrix[g * Size + t + 1];
                warp.At<uint>(targets[i].Offset)[lane] = low | high << 16;
            }
        }
        uint rows = targets.Length == 4 ? Warp.All : (1u << targets.Length * Size) - 1;
        warp.Group.CountAccess(this, Space.Shared, addresses, rows, RowBytes);
    }
}

/// <summary>
/// <c>shfl.sync</c>: every lane reads a register of another lane of its segment; p tells whether there was one. A
/// lane that asks for one beyond the segment keeps its own value.
/// </summary>
internal sealed unsafe class Shuffle(string mode, PtxRegister d, int p, PtxRegister a, PtxRegister b, PtxRegister c,
    PtxRegister members) : Operation
{
    public override Flow Flow => Flow.Converge;

    public override void Run(Warp warp, uint mask)
    {
        uint* old = stackalloc uint[Warp.Lanes];
        for (int lane = 0; lane < Warp.Lanes; lane++) old[lane] = (uint)warp.Read(a, lane);
        uint found = 0;
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            if ((uint)warp.Read(members, lane) != mask)
                throw new PtxException(
                    $"shfl.sync names the lanes 0x{warp.Read(members, lane):x}, and 0x{mask:x} have come");
            int by = (int)(warp.Read(b, lane) & 31), control = (int)warp.Read(c, lane);
            int clamp = control & 31, segments = control >> 8 & 31;
            int last = (lane & segments) | (clamp & ~segments), first = lane & segments;
            (int from, bool inside) = mode switch
            {
                "up" => (lane - by, lane - by >= last),
                "down" => (lane + by, lane + by <= last),
                "bfly" => (lane ^ by, (lane ^ by) <= last),
                "idx" => (first | (by & ~segments), (first | (by & ~segments)) <= last),
                _ => throw new PtxException($"shfl.sync.{mode} is not known"),
            };
            if (!inside) from = lane;
            if ((mask >> from & 1) == 0)
                throw new PtxException($"shfl.sync: lane {lane} reads lane {from}, which takes no part");
            warp.At<uint>(d.Offset)[lane] = old[from];
            if (inside) found |= 1u << lane;
        }
        if (p >= 0) warp.SetPredicate(p, mask, found);
    }
}
