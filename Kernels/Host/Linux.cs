using System.Runtime.InteropServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// What Linux is asked for so that threads and memory lie well. Everything here is advice: elsewhere, or where it is
/// refused, nothing changes.
/// </summary>
internal static unsafe partial class Linux
{
    /// <summary>Bytes of a large page.</summary>
    public const int HugePage = 1 << 21;

    private const int AdviseHugePages = 14, SmallPage = 1 << 12;

    /// <summary>The core that the calling thread runs on, −1 where that is not known.</summary>
    public static int Core
    {
        get
        {
            if (!OperatingSystem.IsLinux()) return -1;
            try
            {
                return GetCpu();
            }
            catch (EntryPointNotFoundException)
            {
                return -1;
            }
        }
    }

    /// <summary>The cores that the calling thread may run on, a bit each; all zero where that is not known.</summary>
    public static void GetAllowedCores(Span<ulong> mask)
    {
        mask.Clear();
        if (!OperatingSystem.IsLinux()) return;
        fixed (ulong* m = mask)
            if (GetAffinity(0, (nuint)mask.Length * sizeof(ulong), m) < 0) mask.Clear();
    }

    /// <summary>Limits the calling thread to some cores.</summary>
    public static void SetAllowedCores(ReadOnlySpan<ulong> mask)
    {
        if (!OperatingSystem.IsLinux()) return;
        fixed (ulong* m = mask) _ = SetAffinity(0, (nuint)mask.Length * sizeof(ulong), m);
    }

    /// <summary>
    /// Asks that memory lie in large pages as far as whole ones fit in: a product walks through megabytes of weights,
    /// more small pages than a core has translations of at hand.
    /// </summary>
    public static void AdviseHuge(void* start, nuint bytes)
    {
        if (!OperatingSystem.IsLinux() || bytes < HugePage) return;
        nuint first = ((nuint)start + SmallPage - 1) & ~(nuint)(SmallPage - 1),
            end = ((nuint)start + bytes) & ~(nuint)(SmallPage - 1);
        if (end > first) _ = Advise((void*)first, end - first, AdviseHugePages);
    }

    [LibraryImport("libc", EntryPoint = "sched_getcpu"), SuppressGCTransition]
    private static partial int GetCpu();

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}
