using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// A plain convolution with its parameters <c>NAME.weight</c> and <c>NAME.bias</c> (<see cref="IConvolution"/>).
/// </summary>
internal sealed class ConvolutionLayer(Device device, string name, ConvolutionShape shape, ParameterSet parameters)
    : IDisposable
{
    private readonly IConvolution operation = device.Backend.Convolution;
    private readonly IBuffer packed = device.Backend.Allocate(device.Backend.Convolution.PackedLength(shape));
    private readonly ConvolutionParameters values = Of(parameters.Value, name);
    private readonly ConvolutionParameters gradients = Of(parameters.Gradient, name);

    /// <summary>Sizes.</summary>
    public ConvolutionShape Shape => shape;

    private View Packed => View.Dense(packed, 0, 1, checked((int)packed.Length));

    /// <summary>Names and shapes of the parameters.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Layout(string name, ConvolutionShape shape) =>
    [
        ($"{name}.weight", [shape.Size, shape.Size, shape.In, shape.Out]),
        ($"{name}.bias", [shape.Out]),
    ];

    /// <summary>Brings the packed weights up to date.</summary>
    public void Prepare() => operation.Pack(shape, values, Packed);

    /// <summary>y <c>[P,Out]</c>, rented from the arena.</summary>
    public View Forward(Pixels pixels, View x)
    {
        View y = device.Arena.Rent(pixels.Count, shape.Out);
        operation.Forward(shape, pixels, x, Packed, y);
        return y;
    }

    /// <summary>Adds to dx and fills the parameters' gradients; y is needed where a ReLU follows.</summary>
    public void Backward(Pixels pixels, View x, View y, View dy, View dx) =>
        operation.Backward(shape, pixels, x, y, Packed, dy, dx, gradients);

    /// <inheritdoc/>
    public void Dispose() => packed.Dispose();

    private static ConvolutionParameters Of(Func<string, View> view, string name) => new(view($"{name}.weight"),
        view($"{name}.bias"));
}
