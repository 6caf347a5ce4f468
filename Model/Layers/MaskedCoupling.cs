using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// RealNVP's affine coupling, in place: on a checkerboard, pixels of one colour change given those of the other
/// (<see cref="IMaskedCouple.Condition"/> hides them from the network); else one half of the channels changes given
/// the other.
/// </summary>
internal sealed class MaskedCoupling(Device device, RealNvpCoupling coupling, ResidualShape shape,
    ParameterSet parameters)
    : IFlowLayer, IDisposable
{
    private readonly IBackend backend = device.Backend;
    private readonly ResidualNetwork network = new(device, coupling.Network, shape, parameters);
    private readonly View factor = parameters.Value($"{coupling.Name}.factor");
    private readonly View factorGradient = parameters.Gradient($"{coupling.Name}.factor");
    private readonly PixelMask mask = !coupling.Checkerboard ? PixelMask.All : coupling.Second
        ? PixelMask.Odd : PixelMask.Even;

    /// <inheritdoc/>
    public string Name => coupling.Name;

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass)
    {
        View condition = Condition(x);
        (View h, ResidualNetwork.Kept? kept) = network.Forward(x.Pixels, condition, pass);
        ReturnCondition(condition);
        backend.MaskedCouple.Forward(mask, x.Pixels, Changed(x.Data), h, factor, pass.LogLikelihood);
        if (kept is not null) pass.Tape!.Record(new Node(this, x, h, kept, pass.Gradient));
        else pass.Return(h);
        return x;
    }

    /// <inheritdoc/>
    public Tensor Inverse(Tensor y, FlowPass pass)
    {
        View condition = Condition(y);
        (View h, _) = network.Forward(y.Pixels, condition, pass);
        ReturnCondition(condition);
        backend.MaskedCouple.Inverse(mask, y.Pixels, Changed(y.Data), h, factor, pass.LogLikelihood);
        pass.Return(h);
        return y;
    }

    /// <summary>Starts the running statistics of the network at those of the batch.</summary>
    public void Initialize(Tensor x)
    {
        View condition = Condition(x);
        network.Initialize(x.Pixels, condition, new FlowPass(device, null, View.None, 0));
        ReturnCondition(condition);
    }

    /// <inheritdoc/>
    public void Prepare() => network.Prepare();

    /// <summary>Moves the running statistics of the network towards the batch's.</summary>
    public void AcceptStatistics(View scale) => network.AcceptStatistics(scale);

    /// <inheritdoc/>
    public void Dispose() => network.Dispose();

    private View Changed(View z) => coupling.Checkerboard ? z : z.Columns(coupling.Second ? 0 : coupling.Changed,
        coupling.Changed);

    private View Kept(View z) => z.Columns(coupling.Second ? coupling.Changed : 0, coupling.Changed);

    private View Condition(Tensor z)
    {
        if (!coupling.Checkerboard) return Kept(z.Data);
        View condition = device.Arena.Rent(z.Pixels.Count, z.Channels);
        backend.MaskedCouple.Condition(mask, z.Pixels, z.Data, condition);
        return condition;
    }

    private void ReturnCondition(View condition)
    {
        if (coupling.Checkerboard) device.Arena.Return(condition);
    }

    private void Backward(Tensor z, View h, ResidualNetwork.Kept kept, float gradient)
    {
        Pixels pixels = z.Pixels;
        View dh = device.Arena.Rent(h.Rows, h.Cols);
        backend.MaskedCouple.Backward(mask, pixels, Changed(z.Data), h, factor, Changed(z.Gradient), dh,
            factorGradient, gradient);
        // What conditions the coupling is as it was, so the network reads the same again.
        View condition = Condition(z);
        if (coupling.Checkerboard)
        {
            View dcondition = device.Arena.Rent(condition.Rows, condition.Cols);
            backend.Fill(dcondition, 0);
            network.Backward(pixels, condition, kept, dh, dcondition);
            backend.MaskedCouple.AddCondition(mask, pixels, dcondition, z.Gradient);
            device.Arena.Return(dcondition);
        }
        else
        {
            network.Backward(pixels, condition, kept, dh, Kept(z.Gradient));
        }
        ReturnCondition(condition);
        device.Arena.Return(dh);
        device.Arena.Return(h);
    }

    private sealed class Node(MaskedCoupling layer, Tensor z, View h, ResidualNetwork.Kept kept, float gradient)
        : ITapeNode
    {
        public void Backward() => layer.Backward(z, h, kept, gradient);
    }
}
