using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>Space to depth, <c>[N,H,W,C] → [N,H/2,W/2,4C]</c>; a permutation without log-determinant.</summary>
public sealed class SqueezeLayer(Device device, string name) : IFlowLayer
{
    private readonly Node node = new(device.Backend);
    private Tensor? output;

    /// <inheritdoc/>
    public string Name { get; } = name;

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass)
    {
        Pixels p = x.Pixels;
        Tensor y = Tensor.Reuse(ref output, device, new Pixels(p.N, p.H / 2, p.W / 2), 4 * x.Channels).Allocate();
        pass.Backend.Squeeze.Forward(p, x.Data, y.Data);
        // A window is half of a split's input, which that split still needs for its own backward.
        if (!pass.Recording || !x.IsWindow) x.ReleaseData();
        pass.Tape?.Record(node.Of(x, y));
        return y;
    }

    /// <inheritdoc/>
    public Tensor Inverse(Tensor y, FlowPass pass)
    {
        Pixels p = y.Pixels;
        Tensor x = new Tensor(device, new Pixels(p.N, p.H * 2, p.W * 2), y.Channels / 4).Allocate();
        InverseInto(y, x, pass);
        return x;
    }

    /// <summary>The inverse into memory that exists, such as the first half of a split's input.</summary>
    public static void InverseInto(Tensor y, Tensor x, FlowPass pass)
    {
        pass.Backend.Squeeze.Inverse(x.Pixels, y.Data, x.Data);
        y.ReleaseData();
    }

    private sealed class Node(IBackend backend) : ITapeNode
    {
        private Tensor x = null!, y = null!;

        public Node Of(Tensor input, Tensor output)
        {
            (x, y) = (input, output);
            return this;
        }

        public void Backward()
        {
            backend.Squeeze.Inverse(x.Pixels, y.Gradient, x.Gradient);
            y.Release();
        }
    }
}
