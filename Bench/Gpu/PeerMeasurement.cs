using GlowGpu.Bench.Ops;
using GlowGpu.Bench.Peers;
using GlowGpu.Bench.Report;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Gpu;

/// <summary>A library at the work of one of our operations.</summary>
/// <param name="Name">which library, and what of the work</param>
/// <param name="MedianMs">median of the runs, null if it did not run</param>
/// <param name="MinMs">fastest run</param>
/// <param name="Runs">number of runs</param>
/// <param name="Error">relative error of its results</param>
/// <param name="Note">what is worth knowing; why it did not run</param>
internal sealed record PeerResult(string Name, double? MedianMs, double? MinMs, int Runs, double? Error, string? Note);

/// <summary>Times the libraries at a shape; what fails becomes a note, since the report goes on without it.</summary>
internal sealed class PeerMeasurement(PeerLibraries libraries, Device host, DeviceClock clock, int runs)
{
    // Tensor cores want channels in eights, and a library may pad them itself.
    private static readonly int[] Paddings = [1, 8];

    /// <summary>Everything that a library does of the operations at a shape.</summary>
    public IReadOnlyList<(PeerWork Work, PeerResult Result)> Measure(OpShape shape, string precision)
    {
        List<(PeerWork, PeerResult)> results = [];
        libraries.Bind();
        if (libraries.Cublas is { } cublas)
        {
            int p = shape.Pixels.Count, c = shape.Channels;
            results.Add((PeerWork.ChannelForward, Products(cublas, precision, new ProductShape("x·w", p, c, c))));
            results.Add((PeerWork.ChannelBackward, Products(cublas, precision,
                new ProductShape("dy·wᵀ", p, c, c, TransposeB: true),
                    new ProductShape("xᵀ·dy", c, c, p, TransposeA: true))));
        }
        if (libraries.Cudnn is { } cudnn)
        {
            CouplingNetShape net = Model.GlowParameters.Network(shape.Config, shape.Level);
            Chains(cudnn, precision, PeerWork.NetForward, PeerWork.NetBackward, "3 convolutions",
                () => ConvolutionReference.Of(host, net, shape.Pixels), results);
            if (shape.Level < shape.Config.Levels - 1)
            {
                ZeroConvShape split = Model.GlowParameters.Split(shape.Config, shape.Level);
                Chains(cudnn, precision, PeerWork.ConvForward, PeerWork.ConvBackward, "convolution",
                    () => ConvolutionReference.Of(host, split, shape.Pixels), results);
            }
        }
        return results;
    }

    /// <summary>cuBLASLt at products, one after the other.</summary>
    public PeerResult Products(CublasLt cublas, string precision, params ProductShape[] shapes)
    {
        List<(ProductOperands Operands, CublasLtProduct Product)> work = [];
        try
        {
            double error = 0;
            foreach (ProductShape shape in shapes)
            {
                ProductOperands operands = new(libraries.Backend, shape, precision == "bf16");
                libraries.Bind();
                work.Add((operands, new CublasLtProduct(cublas, operands.Memory, libraries.Stream, shape, precision,
                    operands.A, operands.B, operands.C)));
                work[^1].Product.ChooseFastest(clock.Try);
                work[^1].Product.Queue();
                error = Math.Max(error, RelativeError.Accept($"cuBLASLt {shape}", precision, operands.Error()));
            }
            Timing timing = clock.Measure(() =>
            {
                foreach ((_, CublasLtProduct product) in work) product.Queue();
            }, runs);
            return new PeerResult("cuBLASLt", timing.Median, timing.Min, timing.Runs, error, null);
        }
        catch (Exception e) when (Failures.CanBeReported(e))
        {
            return new PeerResult("cuBLASLt", null, null, 0, null, e.Message);
        }
        finally
        {
            foreach ((ProductOperands operands, CublasLtProduct product) in work)
            {
                product.Dispose();
                operands.Dispose();
            }
        }
    }

    private void Chains(Cudnn cudnn, string precision, PeerWork forward, PeerWork backward, string what,
        Func<ConvolutionReference> reference, List<(PeerWork, PeerResult)> results)
    {
        string pointwise = what + " and pointwise";
        Best convolveForward = new($"cuDNN, {what}"), wholeForward = new($"cuDNN, {pointwise}");
        Best convolveBackward = new($"cuDNN, {what}"), wholeBackward = new($"cuDNN, {pointwise}");
        ConvolutionReference right = reference();
        foreach (int padding in Paddings)
        {
            string name = padding == 1 ? "channels as they are" : $"channels padded to {padding}";
            try
            {
                using DeviceMemory memory = new(libraries.Backend);
                libraries.Bind();
                using CudnnChain chain = new(cudnn, memory, right, precision, padding);
                chain.Forward();
                double forwardError = RelativeError.Accept($"cuDNN, {what} forward, {name}", precision,
                    chain.ForwardError());
                chain.Backward();
                double backwardError = RelativeError.Accept($"cuDNN, {what} backward, {name}", precision,
                    chain.BackwardError());
                string note = right.Layers.Count > 1 ? $"{name}; bias and ReLU "
                    + $"{(chain.IsFused ? "in the convolutions' calls" : "in calls of their own")}" : name;
                wholeForward.Take(clock.Measure(chain.Forward, runs), forwardError, note);
                wholeBackward.Take(clock.Measure(chain.Backward, runs), backwardError, name);
                convolveForward.Take(clock.Measure(chain.ConvolveForward, runs), forwardError, name);
                convolveBackward.Take(clock.Measure(chain.ConvolveBackward, runs), backwardError, name);
            }
            catch (Exception e) when (Failures.CanBeReported(e))
            {
                foreach (Best best in (Best[])[convolveForward, wholeForward, convolveBackward,
                    wholeBackward]) best.Fail($"{name}: {e.Message}");
            }
        }
        results.AddRange([(forward, convolveForward.Result), (forward, wholeForward.Result),
            (backward, convolveBackward.Result), (backward, wholeBackward.Result)]);
    }

    /// <summary>The fastest of the ways to do the same.</summary>
    private sealed class Best(string name)
    {
        public PeerResult Result { get; private set; } = new(name, null, null, 0, null, null);

        public void Take(Timing timing, double error, string note)
        {
            if (Result.MedianMs <= timing.Median) return;
            Result = new PeerResult(name, timing.Median, timing.Min, timing.Runs, error, note);
        }

        public void Fail(string note)
        {
            if (Result.MedianMs
                is null) Result = Result with { Note = Result.Note is null ? note : $"{Result.Note}; {note}" };
        }
    }
}
