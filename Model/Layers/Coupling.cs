using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// Affine or additive coupling, in place: the first half of the channels conditions the second through the coupling
/// network. The maths of both halves of the work is in <see cref="ICouplingNet"/> and <see cref="ICouple"/>.
/// </summary>
public sealed class Coupling : IFlowLayer, IDisposable
{
    private readonly Device device;
    private readonly IBackend backend;
    private readonly CouplingKind kind;
    private readonly CouplingNetShape shape;
    private readonly Pixels image;
    private readonly CouplingNetParameters parameters, gradients;
    private readonly int packedLength;
    private readonly Node node;

    // Weights packed for more than one pass; made when such a pass comes.
    private IBuffer? packed;
    private bool isPacked;

    /// <summary>A coupling over images of that size whose network has that shape.</summary>
    public Coupling(Device device, string name, CouplingKind kind, CouplingNetShape shape, Pixels image,
        CouplingNetParameters parameters, CouplingNetParameters gradients)
    {
        (this.device, Name, this.kind, this.shape, this.image) = (device, name, kind, shape, image);
        (this.parameters, this.gradients) = (parameters, gradients);
        backend = device.Backend;
        packedLength = checked((int)backend.CouplingNet.PackedLength(shape, image));
        if (KeepsPacked) packed = backend.Allocate(packedLength);
        node = new Node(this);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>
    /// The coupling that comes next when images are decoded, if there is one and it is known: its weights are then
    /// fetched in time.
    /// </summary>
    public Coupling? InvertedNext { get; init; }

    private bool KeepsPacked => backend.CouplingNet.BackwardReadsPacked;

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass)
    {
        (View h, View saved) = Network(x, keep: pass.Storing, pass.IsOnly);
        backend.Couple.Forward(kind, x.Pixels, Second(x.Data), h, pass.LogLikelihood);
        if (pass.Storing)
        {
            pass.Tape!.Record(node.Of(x, h, saved, pass.Gradient));
        }
        else
        {
            pass.Return(h);
            pass.Tape?.Record(node.Of(x, View.None, View.None, pass.Gradient));
        }
        return x;
    }

    /// <inheritdoc/>
    public Tensor Inverse(Tensor y, FlowPass pass)
    {
        (View h, _) = Network(y, keep: false, only: false, InvertedNext?.Known ?? View.None);
        backend.Couple.Inverse(kind, y.Pixels, Second(y.Data), h, pass.LogLikelihood);
        pass.Return(h);
        return y;
    }

    /// <inheritdoc/>
    public void Initialize(Tensor x)
    {
        backend.CouplingNet.Initialize(shape, x.Pixels, First(x.Data), parameters);
        Prepare();
    }

    /// <inheritdoc/>
    public void Prepare()
    {
        isPacked = false;
        if (KeepsPacked) Kept();
    }

    /// <inheritdoc/>
    public void Dispose() => packed?.Dispose();

    private View First(View z) => z.Columns(0, shape.In);

    private View Second(View z) => z.Columns(shape.In, z.Cols - shape.In);

    private (View H, View Saved) Network(Tensor x, bool keep, bool only, View following = default)
    {
        View h = device.Arena.Rent(x.Pixels.Count, shape.Out);
        View saved = keep ? device.Arena.Rent(1, checked((int)backend.CouplingNet.SavedLength(shape, x.Pixels)))
            : View.None;
        bool passing = only && !KeepsPacked;
        View weights = passing ? PackedInPassing(x.Pixels) : Kept();
        backend.CouplingNet.Forward(shape, x.Pixels, First(x.Data), weights, h, saved, following);
        if (passing) device.Arena.Return(weights);
        return (h, saved);
    }

    /// <summary>The packed weights if they are there, else none.</summary>
    private View Known => isPacked ? View.Dense(packed!, 0, 1, packedLength) : View.None;

    /// <summary>The weights packed, and kept until they change.</summary>
    private View Kept()
    {
        packed ??= backend.Allocate(packedLength);
        View weights = View.Dense(packed, 0, 1, packedLength);
        if (!isPacked) backend.CouplingNet.Pack(shape, image, parameters, weights);
        isPacked = true;
        return weights;
    }

    /// <summary>
    /// The weights packed for this pass only, as they change with every step; what was kept for others goes.
    /// </summary>
    private View PackedInPassing(Pixels pixels)
    {
        packed?.Dispose();
        packed = null;
        isPacked = false;
        View weights = device.Arena.Rent(1, packedLength);
        backend.CouplingNet.Pack(shape, pixels, parameters, weights);
        return weights;
    }

    private void Backward(Tensor z, View h, View saved, float gradient)
    {
        View dh = device.Arena.Rent(z.Pixels.Count, shape.Out);
        backend.Couple.Backward(kind, z.Pixels, Second(z.Data), h, Second(z.Gradient), dh, gradient);
        backend.CouplingNet.Backward(shape, z.Pixels, First(z.Data), h, saved, KeepsPacked ? Kept() : View.None,
            parameters, dh,
            First(z.Gradient), gradients);
        device.Arena.Return(dh);
    }

    private void Undo(Tensor z, View h) => backend.Couple.Inverse(kind, z.Pixels, Second(z.Data), h, View.None);

    private void Return(View h, View saved)
    {
        device.Arena.Return(h);
        device.Arena.Return(saved);
    }

    private sealed class Node(Coupling layer) : IReversibleNode
    {
        private Tensor z = null!;
        private View h, saved;
        private float gradient;

        public Node Of(Tensor variable, View output, View activations, float derivative)
        {
            (z, h, saved, gradient) = (variable, output, activations, derivative);
            return this;
        }

        public void Backward()
        {
            layer.Backward(z, h, saved, gradient);
            layer.Return(h, saved);
        }

        public void BackwardFromOutput()
        {
            // z1 is untouched by the coupling, so the same network output comes again, bit for bit.
            (h, saved) = layer.Network(z, keep: true, only: true);
            layer.Backward(z, h, saved, gradient);
            layer.Undo(z, h);
            layer.Return(h, saved);
        }
    }
}
