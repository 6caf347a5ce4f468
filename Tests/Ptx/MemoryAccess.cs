using System.Numerics;

namespace GlowGpu.Tests.Ptx;

/// <summary>Where an address points.</summary>
internal enum Space
{
    Generic,
    Global,
    Shared,
}

/// <summary>An address operand: <c>[register + offset]</c>.</summary>
internal readonly record struct Address(PtxRegister Register, long Offset)
{
    public ulong In(Warp warp, int lane)
    {
        ulong value = warp.Read(Register, lane) + (ulong)Offset;
        return Register.Bytes == 4 ? (uint)value : value;
    }
}

/// <summary>Loads one, two or four values of 1 to 8 bytes a lane.</summary>
internal sealed unsafe class Load(Space space, string type, PtxRegister[] targets, Address address) : Operation
{
    private readonly int size = PtxTypes.Bytes(type);

    public override void Run(Warp warp, uint mask)
    {
        Span<ulong> addresses = stackalloc ulong[Warp.Lanes];
        int bytes = size * targets.Length;
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            ulong at = addresses[lane] = address.In(warp, lane);
            byte* from = space == Space.Shared
                ? warp.Group.Shared.Read(warp, lane, at, bytes)
                : space == Space.Generic && at >= SharedMemory.Window
                    ? warp.Group.Shared.Read(warp, lane, at - SharedMemory.Window, bytes)
                    : warp.Group.Global.Locate(at, bytes);
            for (int i = 0; i < targets.Length; i++)
            {
                if (size == 4) warp.Write(targets[i], lane, PtxTypes.IsSigned(type) ? (ulong)((int*)from)[i]
                    : ((uint*)from)[i]);
                else warp.Write(targets[i], lane, Value(from + i * size));
            }
        }
        warp.Group.CountAccess(this, space, addresses, mask, bytes);
    }

    private ulong Value(byte* from) => (size, PtxTypes.IsSigned(type)) switch
    {
        (1, false) => *from,
        (1, true) => (ulong)*(sbyte*)from,
        (2, false) => *(ushort*)from,
        (2, true) => (ulong)*(short*)from,
        _ => *(ulong*)from,
    };
}

/// <summary>Stores one, two or four values of 1 to 8 bytes a lane.</summary>
internal sealed unsafe class Store(Space space, int size, PtxRegister[] sources, Address address) : Operation
{
    public override void Run(Warp warp, uint mask)
    {
        Span<ulong> addresses = stackalloc ulong[Warp.Lanes];
        int bytes = size * sources.Length;
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            ulong at = addresses[lane] = address.In(warp, lane);
            byte* to = space == Space.Shared
                ? warp.Group.Shared.Write(warp, lane, at, bytes)
                : space == Space.Generic && at >= SharedMemory.Window
                    ? warp.Group.Shared.Write(warp, lane, at - SharedMemory.Window, bytes)
                    : warp.Group.Global.Locate(at, bytes);
            for (int i = 0; i < sources.Length; i++)
            {
                ulong value = warp.Read(sources[i], lane);
                switch (size)
                {
                    case 1: to[i] = (byte)value; break;
                    case 2: ((ushort*)to)[i] = (ushort)value; break;
                    case 4: ((uint*)to)[i] = (uint)value; break;
                    default: ((ulong*)to)[i] = value; break;
                }
            }
        }
        warp.Group.CountAccess(this, space, addresses, mask, bytes);
    }
}

/// <summary>Loads a parameter, which is the same for all lanes.</summary>
internal sealed unsafe class LoadParameter(string type, PtxRegister[] targets, int offset) : Operation
{
    private readonly int size = PtxTypes.Bytes(type);

    public override void Run(Warp warp, uint mask)
    {
        ReadOnlySpan<byte> parameters = warp.Group.Parameters;
        for (int i = 0; i < targets.Length; i++)
        {
            ReadOnlySpan<byte> from = parameters.Slice(offset + i * size, size);
            ulong value = (size, PtxTypes.IsSigned(type)) switch
            {
                (1, false) => from[0],
                (1, true) => (ulong)(sbyte)from[0],
                (2, false) => BitConverter.ToUInt16(from),
                (2, true) => (ulong)BitConverter.ToInt16(from),
                (4, false) => BitConverter.ToUInt32(from),
                (4, true) => (ulong)BitConverter.ToInt32(from),
                _ => BitConverter.ToUInt64(from),
            };
            for (uint left = mask; left != 0; left &= left - 1) warp.Write(targets[i],
                BitOperations.TrailingZeroCount(left), value);
        }
    }
}

/// <summary>Copies 4, 8 or 16 bytes a lane from global to shared memory; beyond the source size, zeros.</summary>
internal sealed unsafe class CopyAsync(Address target, Address source, int bytes, PtxRegister? sourceBytes) : Operation
{
    public override void Run(Warp warp, uint mask)
    {
        Span<ulong> from = stackalloc ulong[Warp.Lanes], to = stackalloc ulong[Warp.Lanes];
        Span<byte> value = stackalloc byte[16];
        uint reading = 0;
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            from[lane] = source.In(warp, lane);
            to[lane] = target.In(warp, lane);
            int taken = sourceBytes is { } count ? (int)warp.Read(count, lane) : bytes;
            if (taken < 0 || taken > bytes) throw new PtxException($"cp.async of {taken} of {bytes} bytes");
            value.Clear();
            if (taken > 0)
            {
                // The address must be aligned to the whole copy, even where less of it is read.
                if (from[lane] % (ulong)bytes != 0)
                    throw new PtxException($"global address 0x{from[lane]:x} is not aligned to {bytes} bytes");
                for (int i = 0; i < taken; i++) value[i] = *warp.Group.Global.Locate(from[lane] + (ulong)i, 1);
                reading |= 1u << lane;
            }
            warp.Group.Copies(warp).Start(warp, lane, to[lane], bytes, new UInt128(BitConverter.ToUInt64(value[8..]),
                BitConverter.ToUInt64(value)));
        }
        warp.Group.CountAccess(this, Space.Global, from, reading, bytes);
        warp.Group.CountAccess(this, Space.Shared, to, mask, bytes);
    }
}
