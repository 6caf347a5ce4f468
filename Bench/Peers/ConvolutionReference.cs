using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// One convolution of a chain, in our order: weights <c>[Size·Size, In, Out]</c>, bias <c>[Out]</c>, and the
/// gradients of both.
/// </summary>
internal sealed record ConvolutionLayer(int Size, int In, int Out, float[] Weight, float[] Bias,
    float[] DWeight, float[] DBias)
{
    /// <summary>Size².</summary>
    public int Taps => Size * Size;
}

/// <summary>
/// Operands of a chain of convolutions, and what forward and backward make of them on the host: what a library's
/// results are compared with. Input and output <c>[P,C]</c>.
/// </summary>
internal sealed record ConvolutionReference(
    Pixels Pixels, IReadOnlyList<ConvolutionLayer> Layers, float[] Input, float[] Output,
        float[] DOutput, float[] DInput)
{
    private const double WeightDeviation = 0.05, BiasDeviation = 0.1;

    /// <summary>A coupling network; its edge channel is left out.</summary>
    public static ConvolutionReference Of(Device host, CouplingNetShape net, Pixels pixels)
    {
        net = net with { EdgeBias = false };
        using Operands o = new(host);
        CouplingNetParameters parameters = Parameters(o, net, WeightDeviation, BiasDeviation),
            gradients = Parameters(o, net, 0, 0);
        int p = pixels.Count;
        View z1 = o.Draw(p, net.In, 1), dz1 = o.Draw(p, net.In, 0), h = o.Draw(p, net.Out, 0),
            dh = o.Draw(p, net.Out, 1);
        ICouplingNet operation = host.Backend.CouplingNet;
        View packed = o.Draw(1, checked((int)operation.PackedLength(net, pixels)), 0),
            saved = o.Draw(1, checked((int)operation.SavedLength(net, pixels)), 0);
        operation.Pack(net, pixels, parameters, packed);
        operation.Forward(net, pixels, z1, packed, h, saved);
        operation.Backward(net, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients);
        return new ConvolutionReference(pixels,
            [
                Layer(3, net.In, net.Width, parameters.W1, parameters.Bias1, gradients.W1, gradients.Bias1),
                Layer(1, net.Width, net.Width, parameters.W2, parameters.Bias2, gradients.W2, gradients.Bias2),
                Layer(3, net.Width, net.Out, parameters.W3, parameters.Bias3, gradients.W3, gradients.Bias3),
            ], z1.ToArray(), h.ToArray(), dh.ToArray(), dz1.ToArray());
    }

    /// <summary>A split's convolution; its edge channel is left out.</summary>
    public static ConvolutionReference Of(Device host, ZeroConvShape conv, Pixels pixels)
    {
        conv = conv with { EdgeBias = false };
        using Operands o = new(host);
        ZeroConvParameters parameters = new(o.Draw(1, 9 * conv.In * conv.Out, WeightDeviation),
            o.Draw(1, conv.Out, BiasDeviation), o.Draw(1, conv.Out, 0));
        ZeroConvParameters gradients = new(o.Draw(1, 9 * conv.In * conv.Out, 0), o.Draw(1, conv.Out, 0),
            o.Draw(1, conv.Out, 0));
        int p = pixels.Count;
        View x = o.Draw(p, conv.In, 1), dx = o.Draw(p, conv.In, 0), h = o.Draw(p, conv.Out, 0),
            dh = o.Draw(p, conv.Out, 1);
        IZeroConv operation = host.Backend.ZeroConv;
        View packed = o.Draw(1, checked((int)operation.PackedLength(conv)), 0);
        operation.Pack(conv, parameters, packed);
        operation.Forward(conv, pixels, x, packed, h);
        operation.Backward(conv, pixels, x, h, packed, parameters, dh, dx, gradients);
        return new ConvolutionReference(pixels,
            [Layer(3, conv.In, conv.Out, parameters.W, parameters.Bias, gradients.W, gradients.Bias)],
            x.ToArray(), h.ToArray(), dh.ToArray(), dx.ToArray());
    }

    // Logs of zero: an actnorm scales weights before anything runs, in every program that is compared.
    private static CouplingNetParameters Parameters(Operands o, CouplingNetShape net, double weights,
        double biases) => new(
        o.Draw(1, 9 * net.In * net.Width, weights), o.Draw(1, net.Width, biases), o.Draw(1, net.Width, 0),
        o.Draw(1, net.Width * net.Width, weights), o.Draw(1, net.Width, biases), o.Draw(1, net.Width, 0),
        o.Draw(1, 9 * net.Width * net.Out, weights), o.Draw(1, net.Out, biases), o.Draw(1, net.Out, 0));

    private static ConvolutionLayer Layer(int size, int channels, int outputs, View w, View bias,
        View dw, View dBias) =>
        new(size, channels, outputs, w.ToArray(), bias.ToArray(), dw.ToArray(), dBias.ToArray());

    /// <summary>Views of fresh memory, freed together.</summary>
    private sealed class Operands(Device device) : IDisposable
    {
        private readonly List<IBuffer> buffers = [];
        private ulong streams;

        public View Draw(int rows, int cols, double deviation)
        {
            IBuffer buffer = device.Backend.Allocate((long)rows * cols);
            buffers.Add(buffer);
            View view = View.Dense(buffer, 0, rows, cols);
            if (deviation == 0) return view;
            float[] values = new float[view.Count];
            new CounterRandom(++streams, "bench").Normal(values, deviation);
            view.Write(values);
            return view;
        }

        public void Dispose()
        {
            foreach (IBuffer buffer in buffers) buffer.Dispose();
        }
    }
}
