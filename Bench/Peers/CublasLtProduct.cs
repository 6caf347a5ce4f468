using GlowGpu.Bench.Gpu;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Peers;

/// <summary>One product of row-major matrices by cuBLASLt, with the algorithm that was fastest when tried.</summary>
internal sealed class CublasLtProduct : IDisposable
{
    private const long WorkspaceBytes = 64L << 20;
    private const int MostAlgorithms = 16;

    private readonly CublasLt cublas;
    private readonly View a, b, c, workspace;
    private readonly nint stream, desc, firstLayout, secondLayout, resultLayout;
    private CublasLt.HeuristicResult algorithm;

    /// <summary>
    /// c [m,n] = op(a)·op(b). cuBLASLt counts columns first, and a row-major matrix is the transpose of the
    /// column-major one in the same memory, so it is asked for cᵀ = op(b)ᵀ·op(a)ᵀ.
    /// </summary>
    public CublasLtProduct(CublasLt cublas, DeviceMemory memory, nint stream, ProductShape shape, string precision,
        View a, View b, View c)
    {
        (this.cublas, this.stream, this.a, this.b, this.c) = (cublas, stream, a, b, c);
        bool bf16 = precision == "bf16";
        int type = bf16 ? CublasLt.R16BF : CublasLt.R32F;
        desc = cublas.CreateDesc(precision == "tf32" ? CublasLt.Compute32FFastTf32 : CublasLt.Compute32F,
            shape.TransposeB, shape.TransposeA);
        (firstLayout, secondLayout, resultLayout) = (
            cublas.CreateLayout(type, shape.BCols, shape.BRows), cublas.CreateLayout(type, shape.ACols, shape.ARows),
                cublas.CreateLayout(type, shape.N, shape.M));
        workspace = memory.Bytes(WorkspaceBytes);
        Candidates = cublas.Algorithms(desc, firstLayout, secondLayout, resultLayout, WorkspaceBytes, MostAlgorithms);
        if (Candidates.Count == 0) throw new GlowException($"cuBLASLt: no algorithm for {shape} in {precision}");
        algorithm = Candidates[0];
    }

    /// <summary>What the library proposes.</summary>
    public IReadOnlyList<CublasLt.HeuristicResult> Candidates { get; }

    /// <summary>Queues the product.</summary>
    public void Queue() => cublas.Multiply(desc, DeviceMemory.Address(b), firstLayout, DeviceMemory.Address(a),
        secondLayout,
        DeviceMemory.Address(c), resultLayout, algorithm, DeviceMemory.Address(workspace), WorkspaceBytes, stream);

    /// <summary>Takes the candidate that <paramref name="time"/> finds fastest.</summary>
    public void ChooseFastest(Func<Action, double> time)
    {
        double best = double.PositiveInfinity;
        CublasLt.HeuristicResult chosen = algorithm;
        foreach (CublasLt.HeuristicResult candidate in Candidates)
        {
            algorithm = candidate;
            double ms = time(Queue);
            if (ms < best) (best, chosen) = (ms, candidate);
        }
        algorithm = chosen;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        cublas.DestroyLayout(firstLayout);
        cublas.DestroyLayout(secondLayout);
        cublas.DestroyLayout(resultLayout);
        cublas.DestroyDesc(desc);
    }
}
