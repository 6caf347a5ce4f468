using GlowGpu.Engine;
using GlowGpu.Kernels.Gpu;

namespace GlowGpu.Bench.Ptx;

/// <summary>Single kernels as PTX and as machine code, to be read.</summary>
internal static class PtxListing
{
    /// <summary>Prints the kernels whose names hold a text, for the newest architecture.</summary>
    /// <exception cref="GlowException">There is no such kernel, or NVIDIA's tools are missing.</exception>
    public static int Print(string name)
    {
        NvidiaTools tools = NvidiaTools.Find() ?? throw new GlowException(NvidiaTools.Missing);
        using CudaKernels kernels = new(CudaKernels.Capabilities[^1]);
        KernelDeclaration[] found = [.. kernels.All.Where(k => k.Name.Contains(name, StringComparison.Ordinal))];
        if (found.Length == 0)
            throw new GlowException($"ptx show: no kernel's name holds '{name}'; {PtxReport.DefaultPath} lists them");
        foreach (KernelDeclaration kernel in found)
        {
            string ptx = kernels.Compile(kernel);
            Console.Out.WriteLine($"// {kernel.Name}\n{ptx}\n{tools.Assemble(ptx, kernels.Capability).Listing}");
        }
        return 0;
    }
}
