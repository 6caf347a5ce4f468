using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>
/// The layers of a NICE: even and odd values apart → couplings that change the odd and the even ones in turn →
/// scaling and prior of both (<see cref="IScaledPrior"/>).
/// </summary>
internal sealed class NiceFlow : IFlow
{
    /// <summary>
    /// Name of the logarithms of the scales <c>[2,D/2]</c>: those of the even places, then those of the odd ones.
    /// </summary>
    public const string LogsName = "levels.0.scale.logs";

    private readonly NiceConfig config;
    private readonly Device device;
    private readonly NiceCoupling[] couplings;
    private readonly View logs, logsGradient;
    private long prepared = -1;
    private (Tensor Even, Tensor Odd)? top;

    public NiceFlow(NiceConfig config, Device device, ParameterSet parameters)
    {
        this.config = config;
        this.device = device;
        couplings = [.. Enumerable.Range(0, config.Depth).Select(k => new NiceCoupling(device, config, k, parameters))];
        logs = parameters.Value(LogsName);
        logsGradient = parameters.Gradient(LogsName);
    }

    /// <inheritdoc/>
    public void Prepare(long version)
    {
        if (prepared == version) return;
        foreach (NiceCoupling coupling in couplings) coupling.Prepare();
        prepared = version;
    }

    /// <inheritdoc/>
    public void Invalidate() => prepared = -1;

    /// <summary>
    /// Starts the scales where they give the batch's values the spread of the prior: place by place, as if one more
    /// image had the spread of all values, since a pixel that is black in every image of the batch need not be so in
    /// those to come.
    /// </summary>
    public void Initialize(Tensor x, FlowPass pass, long version)
    {
        int n = x.Pixels.N;
        IBatchNorm norm = device.Backend.BatchNorm;
        View column = x.Data.Reshape(checked((int)x.Data.Count), 1), half = pass.Rent(n, config.Half);
        View mean = pass.Rent(1, config.Half), variance = pass.Rent(1, config.Half);
        norm.Measure(column, mean.Columns(0, 1), variance.Columns(0, 1));
        double all = Math.Max(variance.ToArray()[0], 1e-6);
        double spread = config.LatentDensity == PriorKind.Logistic ? Math.PI / Math.Sqrt(3) : 1;
        for (int side = 0; side < 2; side++)
        {
            CopyPlaces(x.Data, side, half, gather: true);
            norm.Measure(half, mean, variance);
            Part(logs, side).Write(Array.ConvertAll(variance.ToArray(),
                v => (float)Math.Log(spread / Math.Sqrt((n * v + all) / (n + 1)))));
        }
        foreach (View view in new[] { half, mean, variance }) pass.Return(view);
        x.ReleaseData();
    }

    /// <summary>Image → even values; the odd ones are remembered for <see cref="ScoreTop"/>.</summary>
    public Tensor Forward(Tensor x, FlowPass pass, View[]? eps, Action<string, View>? inspect = null)
    {
        int n = x.Pixels.N;
        Tensor even = Half(n), odd = Half(n);
        CopyPlaces(x.Data, 0, even.Data, gather: true);
        CopyPlaces(x.Data, 1, odd.Data, gather: true);
        x.ReleaseData();
        pass.Tape?.Record(new InputNode(even, odd));
        for (int k = 0; k < couplings.Length; k++)
        {
            if (k % 2 == 0) odd = couplings[k].Forward(even, odd, pass);
            else even = couplings[k].Forward(odd, even, pass);
            inspect?.Invoke(couplings[k].Name, (k % 2 == 0 ? odd : even).Data);
        }
        top = (even, odd);
        return even;
    }

    /// <inheritdoc/>
    public void ScoreTop(Tensor z, View labels, FlowPass pass, View eps)
    {
        (Tensor even, Tensor odd) = top!.Value;
        top = null;
        for (int half = 0; half < 2; half++)
        {
            Tensor values = half == 0 ? even : odd;
            View latent = eps.IsNone ? View.None : pass.Rent(values.Pixels.N, config.Half);
            device.Backend.ScaledPrior.Forward(config.LatentDensity, values.Data, Part(logs, half),
                pass.LogLikelihood, latent);
            if (eps.IsNone) continue;
            CopyPlaces(eps, half, latent, gather: false);
            pass.Return(latent);
        }
        if (pass.Recording) pass.Tape!.Record(new PriorNode(this, even, odd, pass.Gradient));
        else odd.ReleaseData();
    }

    /// <inheritdoc/>
    public Tensor Inverse(int count, View labels, View[] eps, FlowPass pass)
    {
        Tensor even = Half(count), odd = Half(count);
        View latent = pass.Rent(count, config.Half);
        for (int half = 0; half < 2; half++)
        {
            CopyPlaces(eps[0], half, latent, gather: true);
            device.Backend.ScaledPrior.Inverse(latent, Part(logs, half), (half == 0 ? even : odd).Data);
        }
        pass.Return(latent);
        for (int k = couplings.Length - 1; k >= 0; k--)
        {
            if (k % 2 == 0) couplings[k].Inverse(even, odd);
            else couplings[k].Inverse(odd, even);
        }
        Tensor x = new Tensor(device, new Pixels(count, config.Height, config.ImageWidth), config.Channels).Allocate();
        CopyPlaces(x.Data, 0, even.Data, gather: false);
        CopyPlaces(x.Data, 1, odd.Data, gather: false);
        even.ReleaseData();
        odd.ReleaseData();
        return x;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (NiceCoupling coupling in couplings) coupling.Dispose();
    }

    private Tensor Half(int count) => new Tensor(device, new Pixels(count, 1, 1), config.Half).Allocate();

    private View Part(View all, int half) => all.Columns(half * config.Half, config.Half);

    /// <summary>Between the even or odd places of all values and a half of its own.</summary>
    private void CopyPlaces(View values, int first, View half, bool gather)
    {
        int count = checked((int)half.Count);
        View places = values.Reshape(count, 2).Columns(first, 1), own = half.Reshape(count, 1);
        if (gather) device.Backend.Copy(places, own);
        else device.Backend.Copy(own, places);
    }

    private void Backward(Tensor even, Tensor odd, float gradient)
    {
        IScaledPrior prior = device.Backend.ScaledPrior;
        prior.Backward(config.LatentDensity, even.Data, Part(logs, 0), gradient, even.Gradient, Part(logsGradient, 0));
        prior.Backward(config.LatentDensity, odd.Data, Part(logs, 1), gradient, odd.Gradient, Part(logsGradient, 1));
    }

    // The image needs no gradient.
    private sealed class InputNode(Tensor even, Tensor odd) : ITapeNode
    {
        public void Backward()
        {
            even.Release();
            odd.Release();
        }
    }

    private sealed class PriorNode(NiceFlow flow, Tensor even, Tensor odd, float gradient) : ITapeNode
    {
        public void Backward() => flow.Backward(even, odd, gradient);
    }
}
