using System.Numerics;
using System.Runtime.InteropServices;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// The shared memory of a group. Every two bytes remember who wrote and who read them last, and since when all
/// threads may count on it: a read of what was never written, of what an asynchronous copy has yet to bring, or of
/// what another thread wrote without a barrier in between is a fault, and so is overwriting what another thread may
/// still be reading.
/// </summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    /// <summary>Address of the first byte. Not 0, so that a forgotten base shows.</summary>
    public const int Base = 1024;

    /// <summary>Where shared memory lies among the generic addresses.</summary>
    public const ulong Window = 1UL << 56;

    private const int GranuleBytes = 2;

    private readonly byte* data;
    private readonly Granule[] granules;
    private readonly ThreadGroup group;

    public SharedMemory(ThreadGroup group, int bytes)
    {
        this.group = group;
        Bytes = bytes;
        data = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 16), 64);
        granules = new Granule[(bytes + GranuleBytes - 1) / GranuleBytes];
    }

    private enum State : byte
    {
        Unwritten,
        Written,
        Arriving,
    }

    private struct Granule
    {
        public int WriteEpoch, WriteWarpEpoch, ReadEpoch, ReadWarpEpoch;
        public uint ReadingWarps;
        public short Writer, Reader;
        public State State;
    }

    /// <summary>Size.</summary>
    public int Bytes { get; }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        new Span<byte>(data, Bytes).Fill(0xCD);
        Array.Fill(granules, new Granule { WriteEpoch = -1, ReadEpoch = -1, Writer = -1, Reader = -1 });
    }

    /// <summary>The bytes that a lane may read now.</summary>
    /// <exception cref="PtxException">It may not.</exception>
    public byte* Read(Warp warp, int lane, ulong address, int bytes)
    {
        int at = Locate(address, bytes), thread = warp.Thread(lane);
        for (int i = at / GranuleBytes; i <= (at + bytes - 1) / GranuleBytes; i++)
        {
            ref Granule granule = ref granules[i];
            if (granule.State != State.Written)
                throw new PtxException(granule.State == State.Arriving
                    ? $"shared address {address} is read by thread {thread} before cp.async.wait_group has brought it"
                    : $"shared address {address} is read by thread {thread} and was never written");
            ThrowIfConcurrentWrite(ref granule, warp, thread, address, "reads");
            if (granule.ReadEpoch != group.Epoch)
            {
                granule.ReadEpoch = group.Epoch;
                granule.ReadingWarps = 0;
                granule.Reader = (short)thread;
            }
            else if (granule.Reader != thread)
            {
                granule.Reader = granule.ReadWarpEpoch == warp.Epoch ? (short)-1 : (short)thread;
            }
            granule.ReadWarpEpoch = warp.Epoch;
            granule.ReadingWarps |= 1u << warp.Index;
        }
        return data + at;
    }

    /// <summary>The bytes that a lane may overwrite now.</summary>
    /// <exception cref="PtxException">It may not.</exception>
    public byte* Write(Warp warp, int lane, ulong address, int bytes) => Write(warp, lane, address,
        bytes, State.Written);

    /// <summary>Notes that an asynchronous copy of the lane will write here.</summary>
    /// <exception cref="PtxException">It may not.</exception>
    public void Announce(Warp warp, int lane, ulong address, int bytes) => Write(warp, lane, address,
        bytes, State.Arriving);

    /// <summary>An asynchronous copy is over: its thread sees the bytes now, the others after a barrier.</summary>
    public void Arrive(Warp warp, int lane, ulong address, ReadOnlySpan<byte> bytes)
    {
        int at = Locate(address, bytes.Length);
        bytes.CopyTo(new Span<byte>(data + at, bytes.Length));
        for (int i = at / GranuleBytes; i <= (at + bytes.Length - 1) / GranuleBytes; i++)
        {
            ref Granule granule = ref granules[i];
            granule.State = State.Written;
            granule.Writer = (short)warp.Thread(lane);
            granule.WriteEpoch = group.Epoch;
            granule.WriteWarpEpoch = warp.Epoch;
        }
    }

    private byte* Write(Warp warp, int lane, ulong address, int bytes, State state)
    {
        int at = Locate(address, bytes), thread = warp.Thread(lane);
        for (int i = at / GranuleBytes; i <= (at + bytes - 1) / GranuleBytes; i++)
        {
            ref Granule granule = ref granules[i];
            if (granule.State == State.Arriving)
                throw new PtxException($"shared address {address} is overwritten by thread {thread} while an "
                    + "asynchronous copy to it is under way");
            ThrowIfConcurrentWrite(ref granule, warp, thread, address, "overwrites");
            if (granule.ReadEpoch == group.Epoch)
            {
                uint others = granule.ReadingWarps & ~(1u << warp.Index);
                if (others != 0)
                    throw new PtxException($"race: thread {thread} overwrites shared address {address}, which warp "
                        + $"{BitOperations.TrailingZeroCount(others)} has read since the last barrier");
                if (granule.Reader != thread && granule.ReadWarpEpoch == warp.Epoch)
                    throw new PtxException($"race: thread {thread} overwrites shared address {address}, which "
                        + "another lane of its warp has read since the last barrier");
            }
            granule.State = state;
            granule.Writer = (short)thread;
            granule.WriteEpoch = group.Epoch;
            granule.WriteWarpEpoch = warp.Epoch;
        }
        return data + at;
    }

    private void ThrowIfConcurrentWrite(ref Granule granule, Warp warp, int thread, ulong address, string verb)
    {
        if (granule.WriteEpoch != group.Epoch || granule.Writer == thread) return;
        bool sameWarp = granule.Writer / Warp.Lanes == warp.Index;
        if (sameWarp && granule.WriteWarpEpoch != warp.Epoch) return;
        throw new PtxException($"race: thread {thread} {verb} shared address {address}, which thread "
            + $"{granule.Writer} has written since the last barrier");
    }

    private int Locate(ulong address, int bytes)
    {
        if (address % (ulong)bytes != 0)
            throw new PtxException($"shared address {address} is not aligned to {bytes} bytes");
        if (address < Base || address + (ulong)bytes > (ulong)(Base + Bytes))
            throw new PtxException(
                $"shared address {address} lies outside the {Bytes} bytes of the group (from {Base} on)");
        return (int)address - Base;
    }

    public void Dispose() => NativeMemory.AlignedFree(data);
}
