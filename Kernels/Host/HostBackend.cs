namespace GlowGpu.Kernels.Host;

/// <summary>Placeholder, to be dropped at merge.</summary>
public sealed class HostBackend : IBackend
{
    public HostBackend(int? threads = null) => Name = $"cpu ({threads})";
    public string Name { get; }
    public IChannelAffine ChannelAffine => throw new NotImplementedException();
    public IChannelMap ChannelMap => throw new NotImplementedException();
    public ICouplingNet CouplingNet => throw new NotImplementedException();
    public ICouple Couple => throw new NotImplementedException();
    public IGaussianScore GaussianScore => throw new NotImplementedException();
    public IZeroConv ZeroConv => throw new NotImplementedException();
    public IPrior Prior => throw new NotImplementedException();
    public ISqueeze Squeeze => throw new NotImplementedException();
    public IChannelStats ChannelStats => throw new NotImplementedException();
    public IClassHead ClassHead => throw new NotImplementedException();
    public IDequantize Dequantize => throw new NotImplementedException();
    public IOptimizerStep OptimizerStep => throw new NotImplementedException();
    public IBuffer Allocate(long length) => new HostBuffer(length);
    public void Synchronize() { }
    public void Fill(View target, float value) => throw new NotImplementedException();
    public void Copy(View source, View target) => throw new NotImplementedException();
    public void Dispose() { }
}
