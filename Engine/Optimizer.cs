using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>What Adam and Adamax share: two moment buffers, an optional average, one pass per update.</summary>
public abstract class Optimizer : IOptimizer
{
    private readonly ParameterSet parameters;
    private readonly IBuffer first;
    private readonly IBuffer second;
    private readonly float beta1;
    private readonly float beta2;
    private readonly float epsilon;
    private readonly List<(string Name, View View)> state;

    /// <summary>Zeroed moments for a parameter set.</summary>
    /// <param name="name">as in <see cref="IOptimizer.Name"/></param>
    /// <param name="backend">where the parameters live</param>
    /// <param name="parameters">what to update</param>
    /// <param name="beta1">decay of the first moment, [0, 1)</param>
    /// <param name="beta2">decay of the second moment, [0, 1)</param>
    /// <param name="epsilon">keeps the division finite</param>
    /// <param name="averageDecay">Polyak decay, [0, 1); null: no average</param>
    /// <exception cref="ArgumentOutOfRangeException">A decay lies outside [0, 1).</exception>
    protected Optimizer(string name, IBackend backend, ParameterSet parameters, double beta1,
        double beta2, double epsilon,
        double? averageDecay)
    {
        Name = name;
        Backend = backend;
        this.parameters = parameters;
        this.beta1 = Decay(beta1, nameof(beta1));
        this.beta2 = Decay(beta2, nameof(beta2));
        this.epsilon = (float)epsilon;
        first = backend.Allocate(parameters.Length);
        second = backend.Allocate(parameters.Length);
        FirstMoment = View.Dense(first, 0, 1, parameters.Length);
        SecondMoment = View.Dense(second, 0, 1, parameters.Length);
        state = [("m", FirstMoment), ("v", SecondMoment)];
        if (averageDecay is not double decay) return;
        Average = new PolyakAverage(backend, parameters, Decay(decay, nameof(averageDecay)));
        state.Add(("average", Average.View));
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Updates { get; private set; }

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, View View)> State => state;

    /// <inheritdoc/>
    public PolyakAverage? Average { get; }

    /// <summary>Where the parameters live.</summary>
    protected IBackend Backend { get; }

    /// <summary>m <c>[1,n]</c>.</summary>
    protected View FirstMoment { get; }

    /// <summary>v (Adamax: u) <c>[1,n]</c>.</summary>
    protected View SecondMoment { get; }

    /// <inheritdoc/>
    public void Step(double rate, double gradientScale)
    {
        Apply(parameters.Values, parameters.Gradients, Average?.View ?? View.None,
            Settings(rate) with { GradientScale = (float)gradientScale }, default);
        Accept();
    }

    /// <inheritdoc/>
    public void SetDials(double rate, Span<float> dials) => OptimizerControl.SetDials(dials, Settings(rate));

    /// <inheritdoc/>
    public void Queue(OptimizerControl control) =>
        Apply(parameters.Values, parameters.Gradients, Average?.View ?? View.None, Settings(0), control);

    /// <inheritdoc/>
    public void Accept()
    {
        Updates++;
        if (Average is not null) Average.Updates = Updates;
        parameters.Touch();
    }

    /// <inheritdoc/>
    public void Resume(long updates)
    {
        Updates = updates;
        if (Average is not null) Average.Updates = updates;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        first.Dispose();
        second.Dispose();
        Average?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The pass over all parameters.</summary>
    protected abstract void Apply(View values, View gradients, View average, OptimizerSettings settings,
        OptimizerControl control);

    /// <summary>Those of the next update.</summary>
    private OptimizerSettings Settings(double rate) =>
        new((float)rate, beta1, beta2, epsilon, Updates + 1, 1, Average?.DecayOf(Updates + 1) ?? 0);

    private static float Decay(double value, string name)
    {
        // The backends compute in float32, where a decay close to 1 may round to it: bias correction would divide by
        // zero.
        float decay = (float)value;
        if (!(decay >= 0 && decay < 1))
            throw new ArgumentOutOfRangeException(name, value, "optimizer: a decay must lie in [0, 1) as a float32");
        return decay;
    }
}
