using BenchmarkDotNet.Running;
using GlowGpu.Bench;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;

const string Usage = """
    bench host [--quick] [--parts A,B] [--out FOLDER]  host backend: ceilings, operations, whole steps beside PyTorch, memory, threads (about 12 minutes)
    bench ops [BenchmarkDotNet arguments]   single operations, e.g. --filter *CouplingNet*
    bench curve RUN OUT.png                 bits/dim of a run folder over its steps
    bench child REQUEST                     one measurement in a process of its own (used by the others)
    """;

try
{
    switch (args)
    {
        case ["host", .. string[] rest]:
            return HostReport.Run(rest);
        case ["ops", .. string[] rest]:
            BenchmarkSwitcher.FromAssembly(typeof(HostReport).Assembly).Run(rest);
            return 0;
        case ["curve", string run, string picture]:
            return Curve.Draw(run, picture);
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
