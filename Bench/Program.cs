using System.Globalization;
using GlowGpu.Bench;
using GlowGpu.Bench.Attributes;
using GlowGpu.Bench.Gpu;
using GlowGpu.Bench.Ptx;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;

const string Usage = """
    bench host [--quick] [--parts A,B] [--out FOLDER]  host backend: ceilings, operations, whole steps beside PyTorch, memory, threads (about 6 minutes)
    bench gpu [--device cuda|opencl] [--quick] [--parts A,B] [--precision A,B] [--out FOLDER]  a GPU: ceilings, operations beside cuDNN and cuBLASLt, steps beside PyTorch, memory
    bench ops [BenchmarkDotNet arguments]   single operations, e.g. --filter *CouplingNet*
    bench ptx [FILE]                        registers, shared memory and occupancy of every CUDA kernel (no GPU needed) to Bench/Results/ptx.md
    bench ptx show KERNEL                   PTX and machine code of the kernels whose names hold KERNEL
    bench curve RUN OUT.png                 bits/dim of a run folder over its steps
    bench attributes MODEL A ALPHA N        what moving along attributes does to the factors of N demo images
    bench child REQUEST                     one measurement in a process of its own (used by the others)
    """;

try
{
    switch (args)
    {
        case ["host", .. string[] rest]:
            return HostReport.Run(rest);
        case ["ops", .. string[] rest]:
#if BUNDLE
            throw new GlowException("ops: BenchmarkDotNet builds programs as it runs, so that a bundle goes without "
                + "it; use a checkout and the .NET SDK");
#else
            return GlowGpu.Bench.Ops.OpsCommand.Run(rest);
#endif
        case ["gpu", .. string[] rest]:
            return GpuReport.Run(rest);
        case ["ptx"]:
            return PtxReport.Run(PtxReport.DefaultPath);
        case ["ptx", "show", string kernel]:
            return PtxListing.Print(kernel);
        case ["ptx", string path]:
            return PtxReport.Run(path);
        case ["curve", string run, string picture]:
            return Curve.Draw(run, picture);
        case ["attributes", string model, string attributes, string alpha, string count]
            when double.TryParse(alpha, CultureInfo.InvariantCulture, out double strength) && int.TryParse(count,
                CultureInfo.InvariantCulture, out int images):
            return FactorEffects.Print(model, attributes, strength, images);
        case ["child", string request]:
            Console.Out.WriteLine(ChildRun.Execute(request));
            return 0;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}
catch (GlowException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 1;
}
