using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

internal sealed class HostChannelAffine : IChannelAffine
{
    public HostChannelAffine(Workers workers) => ArgumentNullException.ThrowIfNull(workers);

    public void Apply(View x, View w, View b, View y) => throw new NotImplementedException();

    public void Backward(View dy, View x, View w, View dx, View dw, View db) => throw new NotImplementedException();
}

internal sealed class HostCouplingNet : ICouplingNet
{
    public HostCouplingNet(Workers workers) => ArgumentNullException.ThrowIfNull(workers);

    public long PackedLength(CouplingNetShape shape) => throw new NotImplementedException();

    public long SavedLength(CouplingNetShape shape, int pixels) => throw new NotImplementedException();

    public void Pack(CouplingNetShape shape, CouplingNetParameters parameters, View packed) => throw new NotImplementedException();

    public void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved) =>
        throw new NotImplementedException();

    public void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients) => throw new NotImplementedException();

    public void Initialize(CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters) =>
        throw new NotImplementedException();
}

internal sealed class HostZeroConv : IZeroConv
{
    public HostZeroConv(Workers workers) => ArgumentNullException.ThrowIfNull(workers);

    public long PackedLength(ZeroConvShape shape) => throw new NotImplementedException();

    public void Pack(ZeroConvShape shape, ZeroConvParameters parameters, View packed) => throw new NotImplementedException();

    public void Forward(ZeroConvShape shape, Pixels pixels, View x, View packed, View h) => throw new NotImplementedException();

    public void Backward(ZeroConvShape shape, Pixels pixels, View x, View h, View packed, ZeroConvParameters parameters,
        View dh, View dx, ZeroConvParameters gradients) => throw new NotImplementedException();
}
