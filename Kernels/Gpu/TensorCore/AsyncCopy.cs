using ILGPU;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// One thread's share of copying a factor to shared memory: the same 16 bytes of a line in every slice of the inner
/// dimension.
/// What lies outside the factor becomes zero without being read.
/// </summary>
internal struct AsyncCopy
{
    private ulong source;
    private int target, start, limit;

    /// <summary>
    /// Chunk <paramref name="chunk"/> of row <paramref name="row"/> of a factor whose rows are
    /// <paramref name="pitch"/> bytes apart and <paramref name="bytes"/> long, to the offset
    /// <paramref name="target"/> of a stage.
    /// </summary>
    public static AsyncCopy Of(DeviceAddress factor, int row, int rows, int pitch, int bytes,
        int chunk, int target) => new()
        {
            // A row beyond the last is never read, but its address must be one of the factor's.
            source = factor.Value + (ulong)IntrinsicMath.Min(row, rows - 1) * (uint)pitch,
            target = target,
            start = chunk * 16,
            limit = row < rows ? bytes : 0,
        };

    /// <summary>Begins to copy a slice to the stage at an offset.</summary>
    public readonly void Begin(int slice, int stage)
    {
        int position = slice * WarpTile.LineBytes + start;
        CudaAsm.Emit(
            "add.u32 word0, shared0, %0;\n"
            + "cp.async.cg.shared.global [word0], [%1], 16, %2;",
            stage + target, source + (uint)position, position < limit ? 16 : 0);
    }

    /// <summary>Ends a group of copies.</summary>
    public static void Commit() => CudaAsm.Emit("cp.async.commit_group;");

    /// <summary>
    /// Waits until all but the last two groups of all threads have arrived, and all threads have come here.
    /// </summary>
    public static void WaitForAllButTwo() => CudaAsm.Emit("cp.async.wait_group 2;\nbar.sync 0;");

    /// <summary>Waits until every group of all threads has arrived, and all threads have come here.</summary>
    public static void WaitForAll() => CudaAsm.Emit("cp.async.wait_group 0;\nbar.sync 0;");
}
