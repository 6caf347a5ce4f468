using System.Reflection;
using ILGPU.Runtime;

namespace GlowGpu.Tests.Ptx;

/// <summary>The live buffers of an accelerator, for kernels that take a raw address instead of a view.</summary>
internal sealed class DeviceBuffers(Accelerator accelerator)
{
    // ILGPU keeps the list to itself.
    private static readonly MethodInfo ForEach = typeof(Accelerator)
        .GetMethod("ForEachChildObject", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)!
        .MakeGenericMethod(typeof(MemoryBuffer));

    /// <summary>The buffer that an address lies in.</summary>
    /// <exception cref="PtxException">It lies in none.</exception>
    public MemoryRange Around(ulong address, string name)
    {
        MemoryRange? found = null;
        ForEach.Invoke(accelerator, [(Action<MemoryBuffer>)(buffer =>
        {
            if (buffer.IsDisposed) return;
            ulong start = (ulong)buffer.NativePtr, end = start + (ulong)buffer.LengthInBytes;
            if (address >= start && address < end) found = new MemoryRange(start, end, name);
        })]);
        return found ?? throw new PtxException($"argument {name}: address 0x{address:x} lies in no buffer of the device");
    }
}
