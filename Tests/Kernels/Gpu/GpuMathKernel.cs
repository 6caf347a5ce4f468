using GlowGpu.Kernels.Gpu;
using ILGPU;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>
/// Every function of <see cref="GpuMath"/> as a kernel, for <see cref="GpuMathTests"/>. Public because ILGPU
/// generates its launcher into another assembly.
/// </summary>
public static class GpuMathKernel
{
    /// <summary>Functions per argument.</summary>
    public const int Functions = 7;

    /// <summary>x <c>[n]</c> and y <c>[n, Functions]</c>.</summary>
    public struct Arguments
    {
        public ArrayView<float> X, Y;
        public int Count;
    }

    /// <summary>y[i] = all functions of x[i].</summary>
    public static void Apply(Arguments arguments)
    {
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < arguments.Count; i += Grid.DimX * Group.DimX)
        {
            float x = arguments.X[i];
            int at = i * Functions;
            arguments.Y[at] = GpuMath.Exp(x);
            arguments.Y[at + 1] = GpuMath.Log(x);
            arguments.Y[at + 2] = GpuMath.Log1P(x);
            arguments.Y[at + 3] = GpuMath.Sigmoid(x);
            arguments.Y[at + 4] = GpuMath.Softplus(x);
            arguments.Y[at + 5] = GpuMath.LogSigmoid(x);
            arguments.Y[at + 6] = GpuMath.Tanh(x);
        }
    }
}
