using GlowGpu.Bench.Report;
using GlowGpu.Engine;
using GlowGpu.Kernels.Gpu;

namespace GlowGpu.Bench.Ptx;

/// <summary>
/// The table of what every kernel takes of a multiprocessor. It holds nothing of the machine that made it, so that
/// the same kernels and tools give the same text.
/// </summary>
internal static class PtxReport
{
    private static readonly string[] GlobalLoads = ["LD", "LDGSTS"];

    /// <summary>Where it is kept, from the folder of the solution.</summary>
    public const string DefaultPath = "Bench/Results/ptx.md";

    /// <summary>Writes it to a file and prints it.</summary>
    /// <exception cref="GlowException">NVIDIA's tools are missing.</exception>
    public static int Run(string path)
    {
        NvidiaTools tools = NvidiaTools.Find() ?? throw new GlowException(NvidiaTools.Missing);
        string text = Write(tools);
        File.WriteAllText(path, text);
        Console.Out.Write(text);
        return 0;
    }

    /// <summary>The release of the tools that a kept table was made with: its first line says so.</summary>
    public static string Heading(NvidiaTools tools) => $"# Kernels in machine code (CUDA {tools.Version})";

    /// <summary>Names of the kernels in the table, in its order.</summary>
    public static IEnumerable<string> Names(string table) =>
        from line in table.Split('\n')
        where line.StartsWith("| `", StringComparison.Ordinal)
        select line.Split('`')[1];

    /// <summary>The text.</summary>
    public static string Write(NvidiaTools tools)
    {
        SortedDictionary<string, List<Row>> rows = new(StringComparer.Ordinal);
        foreach (int capability in CudaKernels.Capabilities)
        {
            using CudaKernels kernels = new(capability);
            foreach ((KernelDeclaration kernel, AssembledKernel code) in kernels.Assemble(tools))
            {
                if (!rows.TryGetValue(kernel.Name, out List<Row>? list)) rows[kernel.Name] = list = [];
                list.Add(new Row(capability, kernel, code));
            }
        }

        MarkdownTable table = new(["kernel", "threads", "shared", "promises",
            .. CudaKernels.Capabilities.SelectMany(static c =>
            new[] { $"sm_{c}: registers", "occupancy", "limit", "loads 128/64/32", "stores 128/64/32" })]);
        foreach ((string name, List<Row> list) in rows)
        {
            KernelDeclaration kernel = list[0].Kernel;
            List<object> cells = [$"`{name}`", kernel.Threads, Shared(list[0]), string.Join(", ", kernel.Promises)];
            foreach (int capability in CudaKernels.Capabilities)
                cells.AddRange(list.Find(r => r.Capability == capability) is { } row ? Cells(row) : ["–", "–", "–",
                    "–", "–"]);
            table.Add([.. cells]);
        }
        return $"""
            {Heading(tools)}
            `dotnet run -c Release --project Bench -- ptx` compiles every kernel of the GPU backend to PTX and assembles it with ptxas {tools.Version} for
            sm_80 and sm_90, optimised as on a device; no GPU takes part. {rows.Count} kernels. None has a stack frame or spills, and each holds the
            machine instructions it promises: the tests of category `Ptx` fail otherwise.

            *threads*: of a group. *shared*: bytes a group, declared + dynamic. *occupancy*: warps that a multiprocessor can hold at once ÷ 64, by
            documented limits (65,536 registers, 64 warps, 32 groups, 164 and 228 KiB of shared memory), and *limit* what runs out first; a launch may fill
            fewer. *loads*, *stores*: instructions on global memory, asynchronous copies included, by width in bits.

            {table}
            """;
    }

    private static object[] Cells(Row row)
    {
        Occupancy occupancy = row.Occupancy;
        return [row.Code.Registers, MarkdownTable.Percent(occupancy.Share), occupancy.Limit,
            Widths(row.Code, GlobalLoads), Widths(row.Code, ["ST"])];
    }

    private static string Shared(Row row) => row.Kernel.DynamicSharedBytes == 0
        ? $"{row.Code.SharedBytes}"
        : $"{row.Code.SharedBytes} + {row.Kernel.DynamicSharedBytes}";

    private static string Widths(AssembledKernel code, string[] opcodes)
    {
        int all = opcodes.Sum(code.CountOf), wide = opcodes.Sum(o => code.CountOf(o + ".128")),
            half = opcodes.Sum(o => code.CountOf(o + ".64"));
        return $"{wide}/{half}/{all - wide - half}";
    }

    /// <summary>One kernel for one architecture.</summary>
    private sealed record Row(int Capability, KernelDeclaration Kernel, AssembledKernel Code)
    {
        public Occupancy Occupancy { get; } =
            Occupancy.Of(Capability, Kernel.Threads, Code.Registers, Code.SharedBytes + Kernel.DynamicSharedBytes);
    }
}
