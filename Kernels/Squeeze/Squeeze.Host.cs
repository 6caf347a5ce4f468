using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="ISqueeze"/> on the host: the four pixels of a block are four rows of C channels, and the block's 4C
/// outputs are their transpose, done four channels at a time in registers. 8 bytes an element.
/// </summary>
public sealed unsafe class HostSqueeze(Workers workers) : ISqueeze
{
    private const int PartElements = 16384;

    /// <inheritdoc/>
    public void Forward(Pixels pixels, View x, View y)
    {
        Shapes.CheckSqueeze(pixels, x, y);
        Chunks rows = RowChunks(pixels, x);
        workers.Run(rows.Count,
            new BlockWork<ToDepth> { Rows = rows, Width = pixels.W, X = new HostRows(x), Y = new HostRows(y) });
    }

    /// <inheritdoc/>
    public void Inverse(Pixels pixels, View y, View x)
    {
        Shapes.CheckSqueeze(pixels, x, y);
        Chunks rows = RowChunks(pixels, x);
        workers.Run(rows.Count,
            new BlockWork<ToSpace> { Rows = rows, Width = pixels.W, X = new HostRows(x), Y = new HostRows(y) });
    }

    /// <summary>Chunks of squeezed image rows, N·H/2 in all: two image rows of x make one of y.</summary>
    private static Chunks RowChunks(Pixels pixels, View x) =>
        new((long)pixels.N * pixels.H / 2, Math.Max(1, PartElements / (2L * pixels.W * x.Cols)));

    /// <summary>One 2×2 block: pixels a b over c d of x, and their 4C channels in y.</summary>
    private interface IDirection
    {
        static abstract void Block(int channels, float* a, float* b, float* c, float* d, float* block);
    }

    private struct BlockWork<TDirection> : IWork where TDirection : struct, IDirection
    {
        public Chunks Rows;
        public int Width;
        public HostRows X, Y;

        public readonly void Run(int part, int worker)
        {
            (long first, long end) = Rows.Of(part);
            for (int row = (int)first; row < end; row++)
            {
                for (int column = 0; column < Width / 2; column++)
                {
                    float* top = X.Row(2 * (row * Width + column)), bottom = top + (long)Width * X.Stride;
                    float* block = Y.Row(row * (Width / 2) + column);
                    TDirection.Block(X.Cols, top, top + X.Stride, bottom, bottom + X.Stride, block);
                }
            }
        }
    }

    private struct ToDepth : IDirection
    {
        public static void Block(int channels, float* a, float* b, float* c, float* d, float* block)
        {
            int i = 0;
            for (; i + 4 <= channels; i += 4, block += 16)
            {
                // a0 c0 a1 c1 … and b0 d0 b1 d1 …, interleaved again: a0 b0 c0 d0 …
                (Lanes128 ac0, Lanes128 ac1) = Lanes128.Interleave(Lanes128.Load(a + i), Lanes128.Load(c + i));
                (Lanes128 bd0, Lanes128 bd1) = Lanes128.Interleave(Lanes128.Load(b + i), Lanes128.Load(d + i));
                (Lanes128 out0, Lanes128 out1) = Lanes128.Interleave(ac0, bd0);
                (Lanes128 out2, Lanes128 out3) = Lanes128.Interleave(ac1, bd1);
                out0.Store(block);
                out1.Store(block + 4);
                out2.Store(block + 8);
                out3.Store(block + 12);
            }
            for (; i < channels; i++, block += 4)
            {
                block[0] = a[i];
                block[1] = b[i];
                block[2] = c[i];
                block[3] = d[i];
            }
        }
    }

    private struct ToSpace : IDirection
    {
        public static void Block(int channels, float* a, float* b, float* c, float* d, float* block)
        {
            int i = 0;
            for (; i + 4 <= channels; i += 4, block += 16)
            {
                (Lanes128 ac0, Lanes128 bd0) = Lanes128.Deinterleave(Lanes128.Load(block), Lanes128.Load(block + 4));
                (Lanes128 ac1, Lanes128 bd1) = Lanes128.Deinterleave(Lanes128.Load(block + 8),
                    Lanes128.Load(block + 12));
                (Lanes128 inA, Lanes128 inC) = Lanes128.Deinterleave(ac0, ac1);
                (Lanes128 inB, Lanes128 inD) = Lanes128.Deinterleave(bd0, bd1);
                inA.Store(a + i);
                inB.Store(b + i);
                inC.Store(c + i);
                inD.Store(d + i);
            }
            for (; i < channels; i++, block += 4)
            {
                a[i] = block[0];
                b[i] = block[1];
                c[i] = block[2];
                d[i] = block[3];
            }
        }
    }
}
