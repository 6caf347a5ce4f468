using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>
/// The layers of a RealNVP in order: per level couplings on checkerboards → squeeze → couplings on halves of the
/// channels →
/// factor out, each coupling with a batch normalisation behind it; at the last level checkerboards only.
/// </summary>
internal sealed class RealNvpFlow : IFlow
{
    private readonly Device device;
    private readonly FactorOut factorOut;
    private readonly Level[] levels;
    private readonly RealNvpConfig config;
    private long prepared = -1;

    private sealed record Level(Step[] Checkerboard, SqueezeLayer Squeeze, Step[] Channel, string Split);

    private sealed record Step(MaskedCoupling Coupling, FlowNorm Norm);

    public RealNvpFlow(RealNvpConfig config, Device device, ParameterSet parameters)
    {
        this.config = config;
        this.device = device;
        factorOut = new FactorOut(device);
        levels =
        [
            .. Enumerable.Range(0, config.Levels).Select(level =>
            {
                ILookup<bool, Step> steps = config.Couplings(level).ToLookup(static c => c.Checkerboard, c => new Step(
                    new MaskedCoupling(device, c, c.NetworkShape(config), parameters),
                    new FlowNorm(device, $"{c.Name}.norm", c.Channels, parameters)));
                return new Level([.. steps[true]], new SqueezeLayer(device, $"levels.{level}.squeeze"),
                    [.. steps[false]], $"levels.{level}.split");
            }),
        ];
    }

    private IEnumerable<Step> Steps => levels.SelectMany(static l => l.Checkerboard.Concat(l.Channel));

    /// <inheritdoc/>
    public void Prepare(long version)
    {
        if (prepared == version) return;
        foreach (Step step in Steps) step.Coupling.Prepare();
        prepared = version;
    }

    /// <inheritdoc/>
    public void Invalidate() => prepared = -1;

    /// <inheritdoc/>
    public void Initialize(Tensor x, FlowPass pass, long version)
    {
        Prepare(version);
        Walk(x, pass, null, step: (z, step) =>
        {
            step.Coupling.Initialize(z);
            z = step.Coupling.Forward(z, pass);
            step.Norm.Initialize(z);
            return step.Norm.Forward(z, pass);
        }, split: static (_, _) => { }).ReleaseData();
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass, View[]? eps, Action<string, View>? inspect = null) =>
        Walk(x, pass, eps, step: (z, step) =>
        {
            z = step.Coupling.Forward(z, pass);
            inspect?.Invoke(step.Coupling.Name, z.Data);
            z = step.Norm.Forward(z, pass);
            inspect?.Invoke(step.Norm.Name, z.Data);
            return z;
        }, split: (name, view) => inspect?.Invoke(name, view));

    /// <inheritdoc/>
    public void ScoreTop(Tensor z, View labels, FlowPass pass, View eps) => factorOut.Top(z, pass, eps);

    /// <inheritdoc/>
    public Tensor Inverse(int count, View labels, View[] eps, FlowPass pass)
    {
        (int h, int w, int c) = config.LatentShape(config.Levels - 1);
        Tensor z = new Tensor(device, new Pixels(count, h, w), c).Allocate();
        device.Backend.Copy(eps[^1], z.Data);
        for (int l = levels.Length - 1; l >= 0; l--)
        {
            if (l < levels.Length - 1)
            {
                z = Undo(levels[l].Channel, factorOut.Join(z, eps[l]), pass);
                z = levels[l].Squeeze.Inverse(z, pass);
            }
            z = Undo(levels[l].Checkerboard, z, pass);
        }
        return z;
    }

    /// <inheritdoc/>
    public void AcceptStatistics(View scale)
    {
        foreach (Step step in Steps)
        {
            step.Coupling.AcceptStatistics(scale);
            step.Norm.AcceptStatistics(scale);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Step step in Steps)
        {
            step.Coupling.Dispose();
            step.Norm.Dispose();
        }
    }

    private Tensor Walk(Tensor z, FlowPass pass, View[]? eps, Func<Tensor, Step, Tensor> step,
        Action<string, View> split)
    {
        for (int l = 0; l < levels.Length; l++)
        {
            foreach (Step s in levels[l].Checkerboard) z = step(z, s);
            if (l == levels.Length - 1) break;
            z = levels[l].Squeeze.Forward(z, pass);
            foreach (Step s in levels[l].Channel) z = step(z, s);
            z = factorOut.Split(z, pass, eps is null ? View.None : eps[l]);
            split(levels[l].Split, pass.LogLikelihood);
        }
        return z;
    }

    private static Tensor Undo(Step[] steps, Tensor z, FlowPass pass)
    {
        for (int k = steps.Length - 1; k >= 0; k--) z = steps[k].Coupling.Inverse(steps[k].Norm.Inverse(z, pass), pass);
        return z;
    }
}
