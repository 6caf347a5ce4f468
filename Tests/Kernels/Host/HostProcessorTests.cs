using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Counting cores in a topology made of files.</summary>
[TestFixture]
public sealed class HostProcessorTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("glow-topology-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, true);

    [TestCase("0-7", 4)]
    [TestCase("0-3", 4)]
    [TestCase("0,4", 1)]
    [TestCase("1-2,5,7", 3)]
    [TestCase("6", 1)]
    public void Hardware_threads_of_a_core_count_once(string allowed, int cores)
    {
        // Two packages of two cores; processors 4 to 7 are second threads. Core numbers repeat from package to package.
        for (int cpu = 0; cpu < 8; cpu++) AddProcessor(cpu, cpu % 4 / 2, cpu % 2);
        Assert.That(HostProcessor.CountCores(Status(allowed), folder), Is.EqualTo(cores));
    }

    [Test]
    public void Without_a_topology_there_is_no_count()
    {
        Assert.That(HostProcessor.CountCores(Path.Combine(folder, "none"), folder), Is.Null);
        Assert.That(HostProcessor.CountCores(Status("0-1"), folder), Is.Null);
        AddProcessor(0, 0, 0);
        Assert.That(HostProcessor.CountCores(Status("0-x"), folder), Is.Null);
        string other = Path.Combine(folder, "other");
        File.WriteAllText(other, "Name:\tglow\n");
        Assert.That(HostProcessor.CountCores(other, folder), Is.Null);
    }

    private void AddProcessor(int cpu, int package, int core)
    {
        string topology = Directory.CreateDirectory(Path.Combine(folder, $"cpu{cpu}", "topology")).FullName;
        File.WriteAllText(Path.Combine(topology, "physical_package_id"), $"{package}\n");
        File.WriteAllText(Path.Combine(topology, "core_id"), $"{core}\n");
    }

    private string Status(string allowed)
    {
        string file = Path.Combine(folder, "status");
        File.WriteAllText(file, $"Name:\tglow\nCpus_allowed:\tff\nCpus_allowed_list:\t{allowed}\n");
        return file;
    }
}
