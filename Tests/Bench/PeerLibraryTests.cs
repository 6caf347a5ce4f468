using System.Runtime.InteropServices;
using GlowGpu.Bench.Peers;
using GlowGpu.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Bench;

/// <summary>Finding NVIDIA's libraries, and the layouts that are shared with them.</summary>
[TestFixture]
internal sealed class PeerLibraryTests
{
    private const string Variable = "GLOW_TEST_PEER_LIBRARY";

    [TearDown]
    public void Forget() => Environment.SetEnvironmentVariable(Variable, null);

    [Test]
    public void StructsHaveTheSizesOfTheHeaders()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Marshal.SizeOf<CudnnAlgorithm>(), Is.EqualTo(48));
            Assert.That((int)Marshal.OffsetOf<CudnnAlgorithm>(nameof(CudnnAlgorithm.WorkspaceBytes)), Is.EqualTo(16));
            Assert.That((int)Marshal.OffsetOf<CudnnAlgorithm>(nameof(CudnnAlgorithm.MathType)), Is.EqualTo(28));
            Assert.That(Marshal.SizeOf<CublasLt.HeuristicResult>(), Is.EqualTo(96));
            Assert.That((int)Marshal.OffsetOf<CublasLt.HeuristicResult>(
                nameof(CublasLt.HeuristicResult.WorkspaceBytes)), Is.EqualTo(64));
            Assert.That((int)Marshal.OffsetOf<CublasLt.HeuristicResult>(nameof(CublasLt.HeuristicResult.State)),
                Is.EqualTo(72));
        }
    }

    [Test]
    public void AMissingLibraryIsASentence()
    {
        GlowException error = Assert.Throws<GlowException>(() => PeerLibrary.Load("cuTest", Variable,
            ["libcutest.so.9", "libcutest.so.8"], [], []))!;
        Assert.That(error.Message, Is.EqualTo(
            "cuTest was not found: no libcutest.so.9 or libcutest.so.8 where the system looks or in a Python "
                + $"installation; {Variable} may name the file"));
    }

    [Test]
    public void AWrongVariableIsASentence()
    {
        Environment.SetEnvironmentVariable(Variable, "/nowhere/libcutest.so.9");
        GlowException error = Assert.Throws<GlowException>(() => PeerLibrary.Load("cuTest", Variable,
            ["libcutest.so.9"], [], []))!;
        Assert.That(error.Message, Is.EqualTo($"cuTest: {Variable} names '/nowhere/libcutest.so.9', which cannot be "
            + "loaded; it must be the path of libcutest.so.9"));
    }

    [Test]
    public void AFolderIsSearchedAndAMissingFunctionIsASentence()
    {
        string folder = Directory.CreateTempSubdirectory("glow").FullName;
        try
        {
            string path = Path.Combine(folder, "libcutest.so.9");
            // Any library of this processor will do; the build's output has some for others too.
            File.Copy(Directory.EnumerateFiles(AppContext.BaseDirectory, "libSkiaSharp.so",
                SearchOption.AllDirectories).First(static f => NativeLibrary.TryLoad(f, out _)), path);
            PeerLibrary found = PeerLibrary.Load("cuTest", Variable, ["libcutest.so.9"], [],
                [Path.Combine(folder, "none"), folder]);
            Assert.That(found.Path, Is.EqualTo(path));
            GlowException error = Assert.Throws<GlowException>(() => found.Function("cutestCreate"))!;
            Assert.That(error.Message,
                Is.EqualTo($"cuTest: {path} has no function cutestCreate; another version of the library is needed"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void CublasLtHasWhatIsCalled()
    {
        PeerLibrary library = Found("cuBLASLt", "GLOW_CUBLASLT", ["libcublasLt.so.13", "libcublasLt.so.12",
            "libcublasLt.so.11"]);
        // Descriptors are made by the processor alone.
        using CublasLt cublas = new(library, withHandle: false);
        nint desc = cublas.CreateDesc(CublasLt.Compute32FFastTf32, transposeA: true, transposeB: false),
            layout = cublas.CreateLayout(CublasLt.R16BF, 64, 32);
        Assert.That((desc, layout), Is.Not.EqualTo(((nint)0, (nint)0)));
        cublas.DestroyLayout(layout);
        cublas.DestroyDesc(desc);
    }

    [Test]
    public void CudnnHasWhatIsCalled()
    {
        PeerLibrary library = Found("cuDNN", "GLOW_CUDNN", ["libcudnn.so.9"]);
        Assert.That(() => new CudnnFunctions(library), Throws.Nothing);
    }

    private static PeerLibrary Found(string title, string variable, string[] names)
    {
        try
        {
            return PeerLibrary.Load(title, variable, names, []);
        }
        catch (GlowException e)
        {
            Assert.Ignore(e.Message);
            throw;
        }
    }
}
