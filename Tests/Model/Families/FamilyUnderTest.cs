using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Layers;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;

namespace GlowGpu.Tests.Model.Families;

/// <summary>A RealNVP or NICE on a shared test device, with an arena of its own, and its reference in double.</summary>
internal sealed class FamilyUnderTest : IDisposable
{
    private readonly Device device;

    /// <summary>A model with random parameters everywhere, those included that a fresh one has at 0 or 1.</summary>
    public FamilyUnderTest(TestDevice on, FlowConfig config, int? draw = 1)
    {
        // Not disposed: it would close the backend, which other tests share.
        device = new Device(on.Backend);
        Model = config.Create(device, 1);
        if (draw is not int seed) return;
        Draw random = new(seed);
        foreach (Parameter p in Model.Parameters.All) Write(p.Name, Values(random, p).Wide());
        Model.Initialized = true;
    }

    /// <summary>A model with given parameters, by their checkpoint names.</summary>
    public FamilyUnderTest(TestDevice on, FlowConfig config, IReadOnlyDictionary<string, double[]> parameters)
        : this(on, config, draw: null)
    {
        foreach ((string name, double[] values) in parameters) Write(name, values);
        Model.Initialized = true;
    }

    /// <summary>The model.</summary>
    public FlowModel Model { get; }

    /// <summary>Its memory for activations.</summary>
    public Arena Arena => device.Arena;

    /// <summary>Sets a parameter.</summary>
    public void Write(string name, double[] values)
    {
        Model.Parameters.Value(name).Write(values.Narrow());
        Model.Parameters.Touch();
    }

    /// <summary>All parameters as the reference takes them.</summary>
    public Dictionary<string, double[]> Parameters() =>
        Model.Parameters.All.ToDictionary(static p => p.Name, p => Model.Parameters.Value(p.Name).ToArray().Wide());

    /// <summary>
    /// The reference's log-likelihoods and latents; <paramref name="training"/>: by the statistics of the batch.
    /// </summary>
    public (double[] LogLikelihoods, Nhwc[] Eps) Encode(double[] x, int count, bool training,
        IReadOnlyDictionary<string, double[]>? parameters = null) =>
        Model.Config switch
        {
            RealNvpConfig nvp => new ReferenceRealNvp(nvp, parameters ?? Parameters()).Encode(x, count, training),
            NiceConfig nice => new ReferenceNice(nice, parameters ?? Parameters()).Encode(x, count),
            _ => throw new ArgumentException(Model.Config.Family),
        };

    /// <summary>The reference's images of latents.</summary>
    public double[] Decode(double[][] eps, int count) => Model.Config switch
    {
        RealNvpConfig nvp => new ReferenceRealNvp(nvp, Parameters()).Decode(eps, count),
        NiceConfig nice => new ReferenceNice(nice, Parameters()).Decode(eps[0], count),
        _ => throw new ArgumentException(Model.Config.Family),
    };

    /// <summary>The reference's loss of a training step.</summary>
    public double Loss(double[] x, int count, IReadOnlyDictionary<string, double[]> parameters) =>
        -Encode(x, count, training: true, parameters).LogLikelihoods.Average()
        / (Model.Config.Dimensions * Math.Log(2));

    /// <inheritdoc/>
    public void Dispose()
    {
        Model.Dispose();
        device.Arena.Dispose();
    }

    private static float[] Values(Draw random, Parameter p) => p.Name switch
    {
        _ when p.Name.EndsWith(RunningStatistics.Variance, StringComparison.Ordinal) => random.Uniform(p.Count, 0.5, 2),
        _ when p.Name.EndsWith(".weight", StringComparison.Ordinal) => random.Normal(p.Count,
            Math.Sqrt((double)p.Shape[^1] / p.Count)),
        _ when p.Name.EndsWith(".gain", StringComparison.Ordinal) || p.Name.EndsWith(".factor",
            StringComparison.Ordinal) => random.Normal(p.Count, 0.2, 0.9),
        _ => random.Normal(p.Count, 0.25),
    };
}
