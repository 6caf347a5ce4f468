using System.Reflection;
using GlowGpu.Bench.Ptx;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Tests.Architecture;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>Compiles every kernel of the backend for devices that need not be present.</summary>
[TestFixture]
internal sealed class KernelCompilationTests
{
    private static IEnumerable<int> Capabilities => CudaKernels.Capabilities;

    [TestCaseSource(nameof(Capabilities))]
    public void EveryKernelIsDeclared(int capability)
    {
        // A kernel is a static method without result that takes one struct of device memory.
        MethodInfo[] kernels = [.. typeof(GpuBackend).Assembly.GetTypes()
            .SelectMany(static t => t.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic
            | BindingFlags.DeclaredOnly))
            .Where(static m => m.ReturnType == typeof(void) && m.GetParameters()
            is [{ ParameterType: { IsValueType: true } only }]
                && HoldsDeviceMemory(only))];
        using CudaKernels cuda = new(capability);
        IEnumerable<MethodInfo> declared = cuda.All
            .Select(static k => k.Method.IsGenericMethod ? k.Method.GetGenericMethodDefinition() : k.Method).Distinct();
        Assert.Multiple(() =>
        {
            Assert.That(declared.Select(Name), Is.EquivalentTo(kernels.Select(Name)));
            Assert.That(cuda.All.Select(static k => k.Name), Is.Unique);
        });
    }

    [TestCaseSource(nameof(Capabilities))]
    [Category("Ptx")]
    public void EveryKernelCompilesToPtx(int capability)
    {
        using CudaKernels cuda = new(capability);
        Assert.Multiple(() =>
        {
            foreach (KernelDeclaration kernel in cuda.All)
            {
                string ptx = cuda.Compile(kernel);
                Assert.That(ptx, Does.Contain(".visible .entry"), kernel.Name);
                // A stack frame would send registers to memory; a call would not have been inlined.
                Assert.That(ptx, Does.Not.Contain(".local"), kernel.Name);
                Assert.That(ptx, Does.Not.Contain("call"), kernel.Name);
                Assert.That(ptx, Does.Not.Contain(".f64"), kernel.Name);
            }
        });
    }

    [Test]
    [Category("Ptx")]
    public void TheOptimizerMovesSixteenBytesAtATime()
    {
        using CudaKernels cuda = new(CudaKernels.Capabilities[^1]);
        KernelDeclaration[] steps = [.. cuda.All.Where(static k => k.Name.StartsWith("GpuOptimizerStep.Step<",
            StringComparison.Ordinal))];
        Assert.That(steps, Is.Not.Empty);
        foreach (KernelDeclaration step in steps)
        {
            string ptx = cuda.Compile(step);
            // Parameter, gradient, two moments and the average in; all but the gradient out. The tail is scalar.
            Assert.That(ptx.Split("ld.v4.f32").Length + ptx.Split("ld.global.v4.f32").Length - 2,
                Is.EqualTo(5), step.Name);
            Assert.That(ptx.Split("st.v4.f32").Length + ptx.Split("st.global.v4.f32").Length - 2,
                Is.EqualTo(4), step.Name);
        }
    }

    [TestCaseSource(nameof(Capabilities))]
    [Category("Ptx")]
    public void EveryCudaKernelFitsTheRegistersAndKeepsItsPromises(int capability)
    {
        NvidiaTools? tools = NvidiaTools.Find();
        if (tools is null) Assert.Ignore(NvidiaTools.Missing);
        using CudaKernels cuda = new(capability);
        Assert.Multiple(() =>
        {
            foreach ((KernelDeclaration kernel, AssembledKernel code) in cuda.Assemble(tools))
            {
                Assert.That(code.StackBytes, Is.Zero, $"{kernel.Name}: bytes of stack");
                Assert.That(code.SpillBytes, Is.Zero, $"{kernel.Name}: bytes spilled");
                Assert.That(() => Occupancy.Of(capability, kernel.Threads, code.Registers,
                    code.SharedBytes + kernel.DynamicSharedBytes),
                    Throws.Nothing, kernel.Name);
                foreach (string promise in kernel.Promises)
                    Assert.That(code.Keeps(promise), Is.True,
                        $"{kernel.Name}: {promise} is absent from\n{string.Join(' ', code.Instructions)}");
            }
        });
    }

    [Test]
    [Category("Ptx")]
    public void TheTableHoldsTheKernelsThatExist()
    {
        SortedSet<string> names = new(StringComparer.Ordinal);
        foreach (int capability in CudaKernels.Capabilities)
        {
            using CudaKernels cuda = new(capability);
            names.UnionWith(cuda.All.Select(static k => k.Name));
        }
        string table = File.ReadAllText(Path.Combine(SourceTree.Root, PtxReport.DefaultPath));
        Assert.That(PtxReport.Names(table), Is.EqualTo(names),
            "dotnet run -c Release --project Bench -- ptx writes it anew");
    }

    [Test]
    public void EveryKernelCompilesForABareOpenClDevice()
    {
        // OpenCL 2.0 with the generic address space that ILGPU needs, and none of the optional features.
        CLCapabilityContext bare = new(
            float16: false, float64: false, genericAddressSpace: true, int64_Atomics: false, subGroups: false);
        using EmulatedGpu emulator = new();
        using CLBackend backend = new(emulator.Backend.Accelerator.Context, bare, CLDeviceVendor.Other,
            CLCVersion.CL20);
        Assert.Multiple(() =>
        {
            foreach (KernelDeclaration kernel in emulator.Backend.Kernels)
            {
                EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method);
                CLCompiledKernel compiled = (CLCompiledKernel)backend.Compile(entry, default(KernelSpecialization));
                Assert.That(compiled.Source, Does.Not.Contain("double"), kernel.Name);
            }
        });
    }

    private static bool HoldsDeviceMemory(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Any(static f => f.FieldType == typeof(Matrix) || f.FieldType == typeof(DeviceAddress)
            || f.FieldType == typeof(ILGPU.ArrayView<float>));

    private static string Name(MethodInfo method) => $"{method.DeclaringType!.Name}.{method.Name}";
}
