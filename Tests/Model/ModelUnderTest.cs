using System.Globalization;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Model;

/// <summary>A Glow on a shared test device, with an arena of its own.</summary>
internal sealed class ModelUnderTest : IDisposable
{
    private readonly Device device;

    /// <summary>A freshly drawn model.</summary>
    public ModelUnderTest(TestDevice on, GlowConfig config, ulong seed = 1)
    {
        // Not disposed: it would close the backend, which other tests share.
        device = new Device(on.Backend);
        Glow = new Glow(config, device, seed);
    }

    /// <summary>A model with given parameters and fixed tensors, by their checkpoint names.</summary>
    public ModelUnderTest(TestDevice on, GlowConfig config, IReadOnlyDictionary<string, double[]> parameters)
        : this(on, config)
    {
        foreach ((string name, double[] values) in parameters)
        {
            if (Glow.Parameters.Find(name) is not null)
            {
                Write(name, values);
                continue;
            }
            Assert.That(Glow.Constants.Keys, Has.Member(name), "a name of the checkpoint contract");
            bool isOrder = Glow.Constants[name] is int[];
            Glow.SetConstant(name, isOrder ? Array.ConvertAll(values, static v => (int)v) : values.Narrow());
        }
        Glow.Initialized = true;
    }

    /// <summary>The model.</summary>
    public Glow Glow { get; }

    /// <summary>Its memory for activations.</summary>
    public Arena Arena => device.Arena;

    /// <summary>The golden model of a fixture.</summary>
    public static ModelUnderTest Golden(TestDevice on, FixtureFile fixture) => new(on, fixture.Config,
        fixture.Parameters());

    /// <summary>Sets a parameter.</summary>
    public void Write(string name, double[] values)
    {
        Glow.Parameters.Value(name).Write(values.Narrow());
        Glow.Parameters.Touch();
    }

    /// <summary>All trainable parameters and fixed tensors as the reference takes them.</summary>
    public Dictionary<string, double[]> Parameters()
    {
        Dictionary<string, double[]> all = Glow.Parameters.All.ToDictionary(static p => p.Name,
            p => Glow.Parameters.Value(p.Name).ToArray().Wide());
        foreach ((string name, Array values) in Glow.Constants)
            all[name] = [.. values.Cast<object>().Select(static v => Convert.ToDouble(v,
                CultureInfo.InvariantCulture))];
        return all;
    }

    /// <summary>Gradients of all trainable parameters.</summary>
    public Dictionary<string, float[]> Gradients() =>
        Glow.Parameters.All.ToDictionary(static p => p.Name, p => Glow.Parameters.Gradient(p.Name).ToArray());

    /// <inheritdoc/>
    public void Dispose()
    {
        Glow.Dispose();
        device.Arena.Dispose();
    }
}
