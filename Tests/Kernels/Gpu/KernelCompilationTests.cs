using System.Reflection;
using GlowGpu.Kernels.Gpu;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>Compiles every kernel of the backend for devices that need not be present.</summary>
[TestFixture]
internal sealed class KernelCompilationTests
{
    /// <summary>The first instruction set that knows compute capability 9.0.</summary>
    private static readonly CudaInstructionSet InstructionSet = new(7, 8);

    private EmulatedGpu emulator = null!;

    [OneTimeSetUp]
    public void Open() => emulator = new EmulatedGpu();

    [OneTimeTearDown]
    public void Close() => emulator.Dispose();

    [Test]
    public void EveryKernelIsDeclared()
    {
        // A kernel is a static method without result that takes one struct of device memory.
        MethodInfo[] kernels = [.. typeof(GpuBackend).Assembly.GetTypes()
            .SelectMany(static t => t.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(static m => m.ReturnType == typeof(void) && m.GetParameters() is [{ ParameterType: { IsValueType: true } only }]
                && HoldsDeviceMemory(only))];
        IEnumerable<MethodInfo> declared = emulator.Backend.Kernels
            .Select(static m => m.IsGenericMethod ? m.GetGenericMethodDefinition() : m).Distinct();
        Assert.That(declared.Select(Name), Is.EquivalentTo(kernels.Select(Name)));
    }

    [TestCase(8, 0)]
    [TestCase(9, 0)]
    [Category("Ptx")]
    public void EveryKernelCompilesToPtx(int major, int minor)
    {
        Compile((PTXCompiledKernel kernel, string name) =>
        {
            Assert.That(kernel.PTXAssembly, Does.Contain(".visible .entry"), name);
            // A stack frame would send registers to memory; a call would not have been inlined.
            Assert.That(kernel.PTXAssembly, Does.Not.Contain(".local"), name);
            Assert.That(kernel.PTXAssembly, Does.Not.Contain("call"), name);
            Assert.That(kernel.PTXAssembly, Does.Not.Contain(".f64"), name);
        }, context => new PTXBackend(context, new CudaArchitecture(major, minor), InstructionSet, null!));
    }

    [Test]
    [Category("Ptx")]
    public void TheOptimizerMovesSixteenBytesAtATime()
    {
        Compile((PTXCompiledKernel kernel, string name) =>
        {
            if (!name.StartsWith("GpuOptimizerStep.Step<", StringComparison.Ordinal)) return;
            // Parameter, gradient, two moments and the average in; all but the gradient out. The tail is scalar.
            Assert.That(kernel.PTXAssembly.Split("ld.v4.f32").Length + kernel.PTXAssembly.Split("ld.global.v4.f32").Length - 2, Is.EqualTo(5), name);
            Assert.That(kernel.PTXAssembly.Split("st.v4.f32").Length + kernel.PTXAssembly.Split("st.global.v4.f32").Length - 2, Is.EqualTo(4), name);
        }, static context => new PTXBackend(context, new CudaArchitecture(9, 0), InstructionSet, null!));
    }

    [TestCase(8, 0)]
    [TestCase(9, 0)]
    [Category("Ptx")]
    public void EveryCudaKernelFitsTheRegisters(int major, int minor)
    {
        Ptxas? ptxas = Ptxas.Find();
        if (ptxas is null) Assert.Ignore(Ptxas.Missing);
        Compile((PTXCompiledKernel kernel, string name) =>
        {
            string report = ptxas.Assemble(kernel.PTXAssembly, $"sm_{major}{minor}");
            Assert.That(report, Does.Contain("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"), $"{name}\n{report}");
        }, context => new PTXBackend(context, new CudaArchitecture(major, minor), InstructionSet, null!));
    }

    [Test]
    public void EveryKernelCompilesForABareOpenClDevice()
    {
        // OpenCL 2.0 with the generic address space that ILGPU needs, and none of the optional features.
        CLCapabilityContext bare = new(
            float16: false, float64: false, genericAddressSpace: true, int64_Atomics: false, subGroups: false);
        Compile((CLCompiledKernel kernel, string name) => Assert.That(kernel.Source, Does.Not.Contain("double"), name),
            context => new CLBackend(context, bare, CLDeviceVendor.Other, CLCVersion.CL20));
    }

    private void Compile<TKernel>(Action<TKernel, string> check, Func<Context, Backend> open) where TKernel : CompiledKernel
    {
        using Backend backend = open(emulator.Backend.Accelerator.Context);
        Assert.Multiple(() =>
        {
            foreach (MethodInfo method in emulator.Backend.Kernels)
            {
                EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(method);
                check((TKernel)backend.Compile(entry, default(KernelSpecialization)), Name(method));
            }
        });
    }

    private static bool HoldsDeviceMemory(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Any(static f => f.FieldType == typeof(Matrix) || f.FieldType == typeof(ArrayView<float>));

    private static string Name(MethodInfo method) =>
        $"{method.DeclaringType!.Name}.{method.Name}<{string.Join(",", method.GetGenericArguments().Select(static t => t.Name))}>";
}
