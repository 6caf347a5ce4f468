using GlowGpu.Bench.Report;
using GlowGpu.Bench.Roofline;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Bench.Gpu;

/// <summary>A big square product by one program in one precision.</summary>
internal sealed record ProductCeiling(string Precision, string Who, double Tflops);

/// <summary>A big copy by one program, read and written bytes.</summary>
internal sealed record CopyCeiling(string Who, double GigabytesPerSecond);

/// <summary>
/// What a device was measured to do at most: the best program at a product and a copy too large for any cache.
/// </summary>
/// <param name="Size">rows and columns of the product's matrices</param>
/// <param name="CopyBytes">bytes copied</param>
/// <param name="Products">products measured</param>
/// <param name="Copies">copies measured</param>
internal sealed record DeviceCeilings(int Size, long CopyBytes, IReadOnlyList<ProductCeiling> Products,
    IReadOnlyList<CopyCeiling> Copies)
{
    /// <summary>TFLOP/s of products in a precision; NaN if none was measured.</summary>
    public double Tflops(string precision) => Products.Where(p => p.Precision == precision)
        .Select(static p => p.Tflops).DefaultIfEmpty(double.NaN).Max();

    /// <summary>GB/s of copies.</summary>
    public double GigabytesPerSecond => Copies.Max(static c => c.GigabytesPerSecond);

    /// <summary>
    /// Least milliseconds for a piece of work: computing and moving fully overlapped. NaN where nothing was measured
    /// in that precision.
    /// </summary>
    public double Floor(Cost cost, string precision)
    {
        double moving = cost.Bytes / GigabytesPerSecond / 1e6;
        return cost.Flops == 0 ? moving : Math.Max(cost.Flops / Tflops(precision) / 1e9, moving);
    }

    /// <summary>Measures them.</summary>
    public static DeviceCeilings Measure(IReadOnlyList<DeviceUnderTest> devices, PeerMeasurement peers,
        PeerLibraries libraries,
        IEnumerable<string> precisions, int size, long copyBytes, int runs, List<string> notes)
    {
        ProductShape shape = new("big product", size, size, size);
        double flops = shape.Cost(PrecisionDevice.Single).Flops;
        List<ProductCeiling> products = [];
        foreach (DeviceUnderTest device in devices)
        {
            using ProductOperands operands = new(device.Backend, shape, bf16: false);
            OurProduct ours = OurProduct.Of(device.Backend, shape, operands);
            Timing timing = device.Clock.Measure(ours.Queue, runs);
            ours.Finish();
            RelativeError.Accept($"our product {shape}", device.Precision, operands.Error());
            products.Add(new ProductCeiling(device.Precision, "ours", flops / timing.Median / 1e9));
        }
        foreach (string precision in libraries.Cublas is null ? [] : precisions)
        {
            PeerResult result = peers.Products(libraries.Cublas!, precision, shape);
            if (result.MedianMs is { } ms) products.Add(new ProductCeiling(precision, "cuBLASLt", flops / ms / 1e9));
            else notes.Add($"cuBLASLt, {shape}, {precision}: {result.Note}");
        }
        return new DeviceCeilings(size, copyBytes, products, [.. Copy(devices[0], copyBytes, runs)]);
    }

    /// <summary>The part of a report that lists them.</summary>
    public string ToMarkdown()
    {
        MarkdownTable table = new("ceiling", "program", "measured");
        foreach (ProductCeiling p in Products) table.Add(
            $"product of [{Size},{Size}] matrices, {p.Precision}, TFLOP/s", p.Who, p.Tflops);
        foreach (CopyCeiling c in Copies) table.Add($"copy of {CopyBytes >> 20} MiB, read and written, GB/s", c.Who,
            c.GigabytesPerSecond);
        return table.ToString();
    }

    private static IEnumerable<CopyCeiling> Copy(DeviceUnderTest device, long bytes, int runs)
    {
        const float First = 1, Second = 2;
        using DeviceMemory memory = new(device.Backend);
        View source = memory.Bytes(bytes), target = memory.Bytes(bytes);
        device.Backend.Fill(source, First);
        yield return Measure("our kernel", () => device.Backend.Copy(source, target), First);
        if (device.Backend.Accelerator is not CudaAccelerator cuda) yield break;
        device.Backend.Fill(source, Second);
        nint stream = ((CudaStream)device.Backend.Gpu.Stream).StreamPtr;
        yield return Measure("the driver's copy", () =>
        {
            cuda.Bind();
            CudaDriver.Copy(DeviceMemory.Address(target), DeviceMemory.Address(source), bytes, stream);
        }, Second);

        CopyCeiling Measure(string who, Action queue, float expected)
        {
            Timing timing = device.Clock.Measure(queue, runs);
            View last = target with { Offset = target.Offset + target.Count - 1, Cols = 1, Stride = 1 };
            if (last.ReadScalar() != expected)
                throw new GlowException($"ceilings: {who} left {last.ReadScalar()} where {expected} was copied");
            return new CopyCeiling(who, Cost.Copy(bytes).Bytes / timing.Median / 1e6);
        }
    }
}
