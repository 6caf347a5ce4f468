using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// NICE's additive coupling (Dinh et al. 2014, eq. 8): <c>y = x + m(condition)</c> with a fully connected ReLU
/// network m over the rows
/// <c>[N,D/2]</c>. It has no log-determinant.
/// </summary>
internal sealed class NiceCoupling(Device device, NiceConfig config, int index, ParameterSet parameters) : IDisposable
{
    private readonly IBackend backend = device.Backend;
    private readonly ConvolutionLayer[] layers =
    [
        .. Enumerable.Range(0, config.Hidden + 1).Select(i =>
            new ConvolutionLayer(device, $"{NiceConfig.Coupling(index)}.layers.{i}", config.Layer(i), parameters)),
    ];

    /// <summary>Name as in the checkpoint.</summary>
    public string Name => NiceConfig.Coupling(index);

    /// <summary>y; the condition stays, and so does x when recorded.</summary>
    public Tensor Forward(Tensor condition, Tensor x, FlowPass pass)
    {
        View[] outputs = Network(condition, pass.Recording);
        Tensor y = new Tensor(device, x.Pixels, x.Channels).Allocate();
        backend.Copy(outputs[^1], y.Data);
        backend.Couple.Forward(CouplingKind.Additive, x.Pixels, y.Data, x.Data, View.None);
        device.Arena.Return(outputs[^1]);
        if (pass.Recording) pass.Tape!.Record(new Node(this, condition, x, y, outputs));
        else x.ReleaseData();
        return y;
    }

    /// <summary>x in y's place.</summary>
    public void Inverse(Tensor condition, Tensor y)
    {
        View[] outputs = Network(condition, keep: false);
        backend.Couple.Inverse(CouplingKind.Additive, y.Pixels, y.Data, outputs[^1], View.None);
        device.Arena.Return(outputs[^1]);
    }

    /// <summary>Brings the packed weights up to date.</summary>
    public void Prepare()
    {
        foreach (ConvolutionLayer layer in layers) layer.Prepare();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ConvolutionLayer layer in layers) layer.Dispose();
    }

    /// <summary>Outputs of the layers, rented; all of them, or with nothing to keep the last alone.</summary>
    private View[] Network(Tensor condition, bool keep)
    {
        View[] outputs = new View[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            outputs[i] = layers[i].Forward(condition.Pixels, i == 0 ? condition.Data : outputs[i - 1]);
            if (!keep && i > 0) device.Arena.Return(outputs[i - 1]);
        }
        return outputs;
    }

    private void Backward(Tensor condition, Tensor x, Tensor y, View[] outputs)
    {
        Pixels pixels = x.Pixels;
        View dy = y.Gradient;
        for (int i = layers.Length - 1; i > 0; i--)
        {
            View dx = device.Arena.Rent(pixels.Count, layers[i].Shape.In);
            backend.Fill(dx, 0);
            layers[i].Backward(pixels, outputs[i - 1], i == layers.Length - 1 ? View.None : outputs[i], dy, dx);
            if (i < layers.Length - 1) device.Arena.Return(dy);
            dy = dx;
        }
        // Whoever reads the condition later has set its gradient by now; the network adds its own.
        layers[0].Backward(pixels, condition.Data, outputs[0], dy, condition.Gradient);
        device.Arena.Return(dy);
        for (int i = 0; i < layers.Length - 1; i++) device.Arena.Return(outputs[i]);
        backend.Copy(y.Gradient, x.Gradient);
        y.Release();
    }

    private sealed class Node(NiceCoupling layer, Tensor condition, Tensor x, Tensor y, View[] outputs) : ITapeNode
    {
        public void Backward() => layer.Backward(condition, x, y, outputs);
    }
}
