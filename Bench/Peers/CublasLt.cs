using System.Runtime.InteropServices;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// NVIDIA's cuBLASLt: the functions and values of its C API that a product needs (cuBLAS documentation, "Using the
/// cuBLASLt API").
/// Its calls work on the CUDA context that is current.
/// </summary>
internal sealed unsafe class CublasLt : IDisposable
{
    /// <summary>cudaDataType_t.</summary>
    public const int R32F = 0, R16BF = 14;

    /// <summary>cublasComputeType_t: float32, and float32 whose factors are rounded to TF32.</summary>
    public const int Compute32F = 68, Compute32FFastTf32 = 77;

    /// <summary>cublasOperation_t.</summary>
    public const int OpNone = 0, OpTranspose = 1;

    /// <summary>cublasLtMatmulDescAttributes_t.</summary>
    public const int DescTransA = 3, DescTransB = 4;

    /// <summary>cublasLtMatmulPreferenceAttributes_t.</summary>
    public const int PreferenceMaxWorkspaceBytes = 1;

    private readonly delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, void*, nint, nuint, nint, int> matmul;
    private readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, HeuristicResult*, int*, int> heuristic;
    private readonly delegate* unmanaged<nint*, int, int, int> createDesc;
    private readonly delegate* unmanaged<nint, int> destroyDesc, destroyLayout, destroyPreference, destroy;
    private readonly delegate* unmanaged<nint, int, void*, nuint, int> setDesc, setPreference;
    private readonly delegate* unmanaged<nint*, int, ulong, ulong, long, int> createLayout;
    private readonly delegate* unmanaged<nint*, int> createPreference;
    private readonly nint handle;

    /// <summary>Loads the library; a handle is made only when a product is.</summary>
    /// <exception cref="GlowException">There is none, or it lacks a function.</exception>
    public CublasLt() : this(PeerLibrary.Load("cuBLASLt", "GLOW_CUBLASLT", ["libcublasLt.so.13", "libcublasLt.so.12",
        "libcublasLt.so.11"], []), true)
    {
    }

    /// <summary>On a library that is loaded; without a handle nothing but descriptors can be made.</summary>
    internal CublasLt(PeerLibrary library, bool withHandle)
    {
        matmul = (delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, void*, nint, nuint, nint, int>)library.Function("cublasLtMatmul");
        heuristic = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, HeuristicResult*, int*, int>)library.Function("cublasLtMatmulAlgoGetHeuristic");
        createDesc = (delegate* unmanaged<nint*, int, int, int>)library.Function("cublasLtMatmulDescCreate");
        destroyDesc = (delegate* unmanaged<nint, int>)library.Function("cublasLtMatmulDescDestroy");
        setDesc = (delegate* unmanaged<nint, int, void*, nuint, int>)library.Function("cublasLtMatmulDescSetAttribute");
        createLayout = (delegate* unmanaged<nint*, int, ulong, ulong, long, int>)library.Function(
            "cublasLtMatrixLayoutCreate");
        destroyLayout = (delegate* unmanaged<nint, int>)library.Function("cublasLtMatrixLayoutDestroy");
        createPreference = (delegate* unmanaged<nint*, int>)library.Function("cublasLtMatmulPreferenceCreate");
        setPreference = (delegate* unmanaged<nint, int, void*, nuint, int>)library.Function(
            "cublasLtMatmulPreferenceSetAttribute");
        destroyPreference = (delegate* unmanaged<nint, int>)library.Function("cublasLtMatmulPreferenceDestroy");
        destroy = (delegate* unmanaged<nint, int>)library.Function("cublasLtDestroy");
        var create = (delegate* unmanaged<nint*, int>)library.Function("cublasLtCreate");
        var version = (delegate* unmanaged<nuint>)library.Function("cublasLtGetVersion");
        ulong number = version();
        // 11.11.3 is 111103, 12.9.1 is 120901.
        Description = $"cuBLASLt {number / 10000}.{number / 100 % 100}.{number % 100} ({library.Path})";
        if (!withHandle) return;
        fixed (nint* target = &handle) Check(create(target), "cublasLtCreate");
    }

    /// <summary>Name, version and place.</summary>
    public string Description { get; }

    /// <summary>cublasLtMatmulHeuristicResult_t, 96 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct HeuristicResult
    {
        /// <summary>cublasLtMatmulAlgo_t, opaque.</summary>
        public fixed ulong Algorithm[8];

        /// <summary>Bytes of workspace it needs.</summary>
        public nuint WorkspaceBytes;

        /// <summary>cublasStatus_t: 0 if the algorithm can be used.</summary>
        public int State;

        /// <summary>Device utilisation.</summary>
        public float Waves;

        private fixed int reserved[4];
    }

    /// <summary>A descriptor of the operation, sums and factors of alpha and beta in float32.</summary>
    public nint CreateDesc(int compute, bool transposeA, bool transposeB)
    {
        nint desc = 0;
        Check(createDesc(&desc, compute, R32F), "cublasLtMatmulDescCreate");
        int a = transposeA ? OpTranspose : OpNone, b = transposeB ? OpTranspose : OpNone;
        Check(setDesc(desc, DescTransA, &a, sizeof(int)), "cublasLtMatmulDescSetAttribute");
        Check(setDesc(desc, DescTransB, &b, sizeof(int)), "cublasLtMatmulDescSetAttribute");
        return desc;
    }

    /// <summary>A column-major matrix as it lies in memory.</summary>
    public nint CreateLayout(int type, long rows, long cols)
    {
        nint layout = 0;
        Check(createLayout(&layout, type, (ulong)rows, (ulong)cols, rows), "cublasLtMatrixLayoutCreate");
        return layout;
    }

    /// <summary>Algorithms that may be used, the best by the library's own estimate first.</summary>
    public HeuristicResult[] Algorithms(nint desc, nint a, nint b, nint c, long workspaceBytes, int most)
    {
        nint preference = 0;
        Check(createPreference(&preference), "cublasLtMatmulPreferenceCreate");
        try
        {
            ulong bytes = (ulong)workspaceBytes;
            Check(setPreference(preference, PreferenceMaxWorkspaceBytes, &bytes, sizeof(ulong)),
                "cublasLtMatmulPreferenceSetAttribute");
            HeuristicResult[] results = new HeuristicResult[most];
            int count = 0;
            fixed (HeuristicResult* first = results)
                Check(heuristic(handle, desc, a, b, c, c, preference, most, first, &count),
                    "cublasLtMatmulAlgoGetHeuristic");
            return [.. results.Take(count).Where(static r => r.State == 0)];
        }
        finally
        {
            destroyPreference(preference);
        }
    }

    /// <summary>Queues c = op(a)·op(b).</summary>
    public void Multiply(nint desc, nint a, nint aLayout, nint b, nint bLayout, nint c, nint cLayout,
        HeuristicResult algorithm, nint workspace, long workspaceBytes, nint stream)
    {
        float one = 1, zero = 0;
        Check(matmul(handle, desc, &one, a, aLayout, b, bLayout, &zero, c, cLayout, c, cLayout, algorithm.Algorithm,
            workspace, (nuint)workspaceBytes, stream), "cublasLtMatmul");
    }

    /// <summary>Frees a descriptor.</summary>
    public void DestroyDesc(nint desc) => destroyDesc(desc);

    /// <summary>Frees a layout.</summary>
    public void DestroyLayout(nint layout) => destroyLayout(layout);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (handle != 0) destroy(handle);
    }

    private static void Check(int status, string call)
    {
        if (status != 0) throw new GlowException($"cuBLASLt: {call} failed with cublasStatus_t {status}");
    }
}
