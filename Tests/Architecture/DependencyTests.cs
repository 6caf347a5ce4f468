using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using GlowGpu.Kernels;
using NUnit.Framework;

namespace GlowGpu.Tests.Architecture;

/// <summary>
/// Dependencies point one way, App → Model → Engine → Kernels, and operations do not lean on each other.
/// </summary>
[TestFixture]
public sealed partial class DependencyTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Kernels"] = [],
        ["Engine"] = ["Kernels"],
        ["Model"] = ["Engine", "Kernels"],
        ["App"] = ["Model", "Engine", "Kernels"],
        ["Bench"] = ["App", "Model", "Engine", "Kernels"],
    };

    // Files at the top of Kernels and in its two folders of primitives belong to every operation.
    private static readonly string[] Primitives = ["Host", "Gpu"];

    private static IEnumerable<string> Projects => Allowed.Keys;

    private static string[] OperationFolders =>
    [
        .. Directory.EnumerateDirectories(Path.Combine(SourceTree.Root, "Kernels"))
        .Select(static f => Path.GetFileName(f)!)
            .Where(static f => f is not ("bin" or "obj") && !Primitives.Contains(f)),
    ];

    [TestCaseSource(nameof(Projects))]
    public void ProjectFilesReferenceOnlyWhatLiesBelow(string project)
    {
        XDocument file = XDocument.Load(Path.Combine(SourceTree.Root, project, project + ".csproj"));
        string[] references =
        [
            .. file.Descendants("ProjectReference")
            .Select(static r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))),
        ];
        Assert.That(references, Is.SubsetOf(Allowed[project]));
    }

    [TestCase(typeof(IBackend), "Kernels")]
    [TestCase(typeof(GlowGpu.Engine.Arena), "Engine")]
    [TestCase(typeof(GlowGpu.Model.Glow), "Model")]
    public void AssembliesReferenceOnlyWhatLiesBelow(Type type, string project)
    {
        AssemblyName[] references = type.Assembly.GetReferencedAssemblies();
        string[] ours = [.. references.Select(static a => a.Name!).Where(static n => n.StartsWith("GlowGpu.",
            StringComparison.Ordinal))];
        Assert.That(ours, Is.SubsetOf(Allowed[project].Select(static p => "GlowGpu." + p)));
        if (project != "Kernels") return;
        string[] foreign = [.. references.Select(static a => a.Name!).Where(static n => !n.StartsWith("System",
            StringComparison.Ordinal))];
        Assert.That(foreign, Is.SubsetOf(new[] { "ILGPU", "ILGPU.Algorithms" }));
    }

    [TestCaseSource(nameof(Projects))]
    public void SourcesUseOnlyNamespacesThatLieBelow(string project)
    {
        string[] above = [.. Allowed.Keys.Except(Allowed[project]).Where(p => p != project)];
        foreach ((string path, string text) in SourceTree.Code(project))
            foreach (string forbidden in above)
                Assert.That(SourceTree.Bare(text), Does.Not.Match($@"\bGlowGpu\.{forbidden}\b"),
                    $"{path} uses {forbidden}");
    }

    [Test]
    public void OperationsDoNotUseEachOther()
    {
        string[] operations = OperationFolders;
        Assert.That(operations, Has.Length.EqualTo(16));
        Dictionary<string, string> owner = [];
        foreach (string operation in operations)
            foreach ((string path, string text) in SourceTree.Code($"Kernels/{operation}"))
                foreach (Match type in TypeDeclaration().Matches(SourceTree.Bare(text)))
                    owner[type.Groups["name"].Value] = operation;
        Assert.That(owner, Has.Count.GreaterThan(3 * operations.Length), "an interface and two implementations each");
        // Interfaces and the records they take are the contract, written down in X/X.cs; implementations are private
        // to X.
        foreach (string operation in operations)
            foreach ((string path, string text) in SourceTree.Code($"Kernels/{operation}"))
            {
                if (!path.EndsWith(".Host.cs", StringComparison.Ordinal) && !path.EndsWith(".Gpu.cs",
                    StringComparison.Ordinal)) continue;
                string bare = SourceTree.Bare(text);
                foreach ((string name, string home) in owner)
                    if (home != operation && Regex.IsMatch(bare, $@"\b{name}\b") && !SharedContract.Contains(name))
                        Assert.Fail($"{path} uses {name} of Kernels/{home}");
            }
    }

    [Test]
    public void EveryOperationIsInTheBackend()
    {
        Type[] operations =
        [
            .. typeof(IBackend).Assembly.GetExportedTypes()
                .Where(static t => t.IsInterface && OperationFolders.Contains(t.Name[1..])),
        ];
        Assert.That(operations, Has.Length.EqualTo(OperationFolders.Length),
            "one public interface per operation folder");
        Type[] gathered = [.. typeof(IBackend).GetProperties().Select(static p => p.PropertyType)];
        Assert.That(operations, Is.SubsetOf(gathered));
    }

    [Test]
    public void EveryOperationHasAContractAndBothBackends()
    {
        foreach (string operation in OperationFolders)
            foreach (string part in new[] { ".cs", ".Host.cs", ".Gpu.cs" })
                Assert.That(File.Exists(Path.Combine(SourceTree.Root, "Kernels", operation, operation + part)),
                    Is.True, $"Kernels/{operation}/{operation}{part}");
    }

    [Test]
    public void GpuKernelsHaveNoSwitch()
    {
        // ILGPU 1.5.3 miscompiles switch statements at its highest optimisation level.
        IEnumerable<(string Path, string Text)> files = SourceTree.Code("Kernels").Where(static f =>
            f.Path.EndsWith(".Gpu.cs", StringComparison.Ordinal) || f.Path.StartsWith("Kernels/Gpu/",
                StringComparison.Ordinal));
        int kernels = 0;
        foreach ((string path, string text) in files)
            foreach (Match kernel in KernelMethod().Matches(SourceTree.Bare(text)))
            {
                kernels++;
                Assert.That(kernel.Value, Does.Not.Match(@"\bswitch\b"), path);
            }
        Assert.That(kernels, Is.GreaterThan(20), "kernels found");
    }

    [Test]
    public void SkiaSharpIsNamedWhereImagesAreDecodedAndDrawn()
    {
        string[] users =
        [
            .. Allowed.Keys.SelectMany(SourceTree.Code).Where(static f => f.Text.Contains("SkiaSharp",
            StringComparison.Ordinal)).Select(static f => f.Path),
        ];
        Assert.That(users, Has.All.Match(@"^Model/Data/(ImageFile|DemoSet\w*)\.cs$"));
    }

    // Records of one operation's contract that another's contract takes on purpose: the top prior is made of a zero
    // conv.
    private static readonly string[] SharedContract = ["ZeroConvParameters", "ZeroConvShape"];

    // Types of the namespace; those inside another type are that type's own affair.
    [GeneratedRegex(@"^(?:\w+ )*(?:class|struct|record|interface|enum)\s+(?:struct\s+|class\s+)?(?<name>[A-Z]\w+)",
        RegexOptions.Multiline)]
    private static partial Regex TypeDeclaration();

    // A static method up to the line that closes it at the indentation of a member.
    [GeneratedRegex(@"^    (?:\w+ )*static void \w+[^;]*?\n    \{.*?^    \}",
        RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex KernelMethod();
}
