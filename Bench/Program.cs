using BenchmarkDotNet.Running;
using GlowGpu.Bench;

const string Usage = """
    bench ops [BenchmarkDotNet arguments, e.g. --filter *CouplingNet*]     operations of the host backend
    bench curve RUN OUT.png                                                bits/dim of a run folder over its steps
    """;

switch (args)
{
    case ["ops", .. string[] rest]:
        BenchmarkSwitcher.FromAssembly(typeof(Curve).Assembly).Run(rest);
        return 0;
    case ["curve", string run, string picture]:
        return Curve.Draw(run, picture);
    default:
        Console.Error.WriteLine(Usage);
        return 2;
}
