using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>Sizes of a residual network: in → width, so many blocks, width → out channels.</summary>
public readonly record struct ResidualShape(int In, int Width, int Blocks, int Out);

/// <summary>
/// The coupling network of RealNVP (Dinh et al. 2016, section 3.7; pre-activation residual blocks, He et al. 2016):
/// <code>
/// h0 = conv3×3(x)
/// h_b+1 = h_b + conv3×3(relu(norm(conv3×3(relu(norm(h_b))))))      for every block b
/// h = conv1×1(relu(norm(h_B)))
/// </code>
/// with bias in every convolution and gain and bias behind every normalisation. Kept for backward are the h_b and
/// what stands between a block's convolutions; the normalised ones are made again.
/// </summary>
internal sealed class ResidualNetwork : IDisposable
{
    private readonly Device device;
    private readonly IBackend backend;
    private readonly ConvolutionLayer input, output;
    private readonly Block[] blocks;
    private readonly NormLayer norm;

    private sealed record Block(NormLayer Norm1, ConvolutionLayer Conv1, NormLayer Norm2, ConvolutionLayer Conv2);

    /// <summary>What a recorded forward keeps: h_0 … h_B, and per block what its first convolution gave.</summary>
    public sealed record Kept(View[] Stream, View[] Middle);

    /// <summary>A network whose parameters' names begin with <paramref name="name"/>.</summary>
    public ResidualNetwork(Device device, string name, ResidualShape shape, ParameterSet parameters)
    {
        this.device = device;
        backend = device.Backend;
        ConvolutionShape hidden = Hidden(shape);
        input = new ConvolutionLayer(device, $"{name}.in", Input(shape), parameters);
        blocks =
        [
            .. Enumerable.Range(0, shape.Blocks).Select(b => new Block(
                new NormLayer(device, $"{name}.blocks.{b}.norm1", shape.Width, parameters),
                new ConvolutionLayer(device, $"{name}.blocks.{b}.conv1", hidden, parameters),
                new NormLayer(device, $"{name}.blocks.{b}.norm2", shape.Width, parameters),
                new ConvolutionLayer(device, $"{name}.blocks.{b}.conv2", hidden, parameters))),
        ];
        norm = new NormLayer(device, $"{name}.norm", shape.Width, parameters);
        output = new ConvolutionLayer(device, $"{name}.out", Output(shape), parameters);
    }

    private IEnumerable<NormLayer> Norms => [.. blocks.SelectMany(static b => new[] { b.Norm1, b.Norm2 }), norm];

    private IEnumerable<ConvolutionLayer> Convolutions => [input,
        .. blocks.SelectMany(static b => new[] { b.Conv1, b.Conv2 }), output];

    /// <summary>Names and shapes of the parameters.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Layout(string name, ResidualShape shape) =>
    [
        .. ConvolutionLayer.Layout($"{name}.in", Input(shape)),
        .. Enumerable.Range(0, shape.Blocks).SelectMany(b => (IEnumerable<(string, int[])>)
        [
            .. NormLayer.Layout($"{name}.blocks.{b}.norm1", shape.Width),
            .. ConvolutionLayer.Layout($"{name}.blocks.{b}.conv1", Hidden(shape)),
            .. NormLayer.Layout($"{name}.blocks.{b}.norm2", shape.Width),
            .. ConvolutionLayer.Layout($"{name}.blocks.{b}.conv2", Hidden(shape)),
        ]),
        .. NormLayer.Layout($"{name}.norm", shape.Width),
        .. ConvolutionLayer.Layout($"{name}.out", Output(shape)),
    ];

    /// <summary>Multiply-adds of the convolutions for one pixel.</summary>
    public static long MultiplyAdds(ResidualShape shape) =>
        (long)shape.Width * (9 * shape.In + 18L * shape.Blocks * shape.Width + shape.Out);

    /// <summary>Brings the packed weights up to date.</summary>
    public void Prepare()
    {
        foreach (ConvolutionLayer layer in Convolutions) layer.Prepare();
    }

    /// <summary>h <c>[P,Out]</c>, rented; of a recorded pass also what backward needs.</summary>
    public (View H, Kept? Kept) Forward(Pixels pixels, View x, FlowPass pass) =>
        Run(pixels, x, (layer, value) => layer.Forward(value, pass), pass.Recording);

    /// <summary>Starts every running statistic at that of the batch that x belongs to.</summary>
    public void Initialize(Pixels pixels, View x, FlowPass pass)
    {
        (View h, _) = Run(pixels, x, (layer, value) =>
        {
            layer.Statistics.Initialize(value);
            return layer.Forward(value, pass);
        }, keep: false);
        device.Arena.Return(h);
    }

    /// <summary>Adds to dx, fills the parameters' gradients and returns what was kept.</summary>
    public void Backward(Pixels pixels, View x, Kept kept, View dh, View dx)
    {
        int p = pixels.Count, width = input.Shape.Out;
        View dstream = Zeros(p, width);
        BackwardThrough(output, norm, pixels, kept.Stream[^1], dh, dstream);
        for (int b = blocks.Length - 1; b >= 0; b--)
        {
            (NormLayer norm1, ConvolutionLayer conv1, NormLayer norm2, ConvolutionLayer conv2) = blocks[b];
            View dmiddle = Zeros(p, width);
            BackwardThrough(conv2, norm2, pixels, kept.Middle[b], dstream, dmiddle);
            // The stream's own gradient stays as it is: the block adds to it.
            BackwardThrough(conv1, norm1, pixels, kept.Stream[b], dmiddle, dstream);
            device.Arena.Return(dmiddle);
        }
        input.Backward(pixels, x, View.None, dstream, dx);
        device.Arena.Return(dstream);
        foreach (View view in kept.Stream.Concat(kept.Middle)) device.Arena.Return(view);
    }

    /// <summary>Moves every running statistic towards the batch's.</summary>
    public void AcceptStatistics(View scale)
    {
        foreach (NormLayer layer in Norms) layer.Statistics.Accept(scale);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (NormLayer layer in Norms) layer.Dispose();
        foreach (ConvolutionLayer layer in Convolutions) layer.Dispose();
    }

    private static ConvolutionShape Input(ResidualShape shape) => new(3, shape.In, shape.Width, Relu: false);

    private static ConvolutionShape Hidden(ResidualShape shape) => new(3, shape.Width, shape.Width, Relu: false);

    private static ConvolutionShape Output(ResidualShape shape) => new(1, shape.Width, shape.Out, Relu: false);

    private (View H, Kept? Kept) Run(Pixels pixels, View x, Func<NormLayer, View, View> normalize, bool keep)
    {
        View[] stream = new View[blocks.Length + 1], middle = new View[blocks.Length];
        stream[0] = input.Forward(pixels, x);
        for (int b = 0; b < blocks.Length; b++)
        {
            middle[b] = Through(blocks[b].Norm1, blocks[b].Conv1, stream[b]);
            stream[b + 1] = Through(blocks[b].Norm2, blocks[b].Conv2, middle[b]);
            backend.Couple.Forward(CouplingKind.Additive, pixels, stream[b + 1], stream[b], View.None);
            if (keep) continue;
            device.Arena.Return(middle[b]);
            device.Arena.Return(stream[b]);
        }
        View h = Through(norm, output, stream[^1]);
        if (keep) return (h, new Kept(stream, middle));
        device.Arena.Return(stream[^1]);
        return (h, null);

        View Through(NormLayer before, ConvolutionLayer convolution, View value)
        {
            View a = normalize(before, value);
            View y = convolution.Forward(pixels, a);
            device.Arena.Return(a);
            return y;
        }
    }

    /// <summary>
    /// Adds to dx, the gradient of what a normalisation reads, given dy behind the convolution that follows it.
    /// </summary>
    private void BackwardThrough(ConvolutionLayer convolution, NormLayer before, Pixels pixels,
        View x, View dy, View dx)
    {
        View a = before.Again(x), da = Zeros(x.Rows, x.Cols);
        convolution.Backward(pixels, a, View.None, dy, da);
        before.Backward(x, da, dx);
        device.Arena.Return(da);
        device.Arena.Return(a);
    }

    private View Zeros(int rows, int cols)
    {
        View view = device.Arena.Rent(rows, cols);
        backend.Fill(view, 0);
        return view;
    }
}
