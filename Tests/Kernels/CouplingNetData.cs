using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;

namespace GlowGpu.Tests.Kernels;

/// <summary>Input, parameters and output gradient of a coupling network.</summary>
public sealed class CouplingNetData
{
    private readonly Dictionary<string, float[]> parameters;

    /// <summary>Draws everything; hidden activations come out of size one, about half of them cut off.</summary>
    public CouplingNetData(NetworkShape shape)
    {
        Draw draw = new(shape.P + 31 * shape.Width + 7 * shape.In);
        CouplingNetShape s = shape.Coupling;
        Shape = shape;
        parameters = new Dictionary<string, float[]>
        {
            ["w1"] = draw.Normal(9 * s.In1 * s.Width, 1 / Math.Sqrt(9 * s.In1)),
            ["bias1"] = draw.Normal(s.Width, 0.3),
            ["logs1"] = draw.Normal(s.Width, 0.1),
            ["w2"] = draw.Normal(s.Width * s.Width, 1 / Math.Sqrt(s.Width)),
            ["bias2"] = draw.Normal(s.Width, 0.3),
            ["logs2"] = draw.Normal(s.Width, 0.1),
            ["w3"] = draw.Normal(9 * s.In3 * s.Out, 0.5 / Math.Sqrt(9 * s.In3)),
            ["bias3"] = draw.Normal(s.Out, 0.3),
            ["logs3"] = draw.Normal(s.Out, 0.1),
        };
        Z1 = draw.Normal(shape.P * shape.In);
        Dh = draw.Normal(shape.P * shape.Out);
        Dz1 = draw.Normal(shape.P * shape.In);
    }

    private CouplingNetData(CouplingNetData batch, NetworkShape one, int image)
    {
        Shape = one;
        parameters = batch.parameters;
        Z1 = Of(batch.Z1, one.P * one.In);
        Dh = Of(batch.Dh, one.P * one.Out);
        Dz1 = Of(batch.Dz1, one.P * one.In);
        float[] Of(float[] all, int count) => all[(image * count)..((image + 1) * count)];
    }

    public NetworkShape Shape { get; }
    public float[] Z1 { get; }
    public float[] Dh { get; }

    /// <summary>What dz1 holds before backward adds to it.</summary>
    public float[] Dz1 { get; }

    /// <summary>z1 as the reference takes it.</summary>
    public Nhwc Images => new(Z1.Wide(), Shape.N, Shape.H, Shape.W, Shape.In);

    /// <summary>A parameter by name: w1, bias1, logs1, w2, …</summary>
    public float[] this[string name] => parameters[name];

    /// <summary>One image of the batch, by default the first, under the same parameters.</summary>
    public CouplingNetData Image(int image = 0) => new(this, Shape with { N = 1 }, image);

    /// <summary>The parameters as the reference takes them.</summary>
    public CouplingNetWeights Wide() => new(
        this["w1"].Wide(), this["bias1"].Wide(), this["logs1"].Wide(), this["w2"].Wide(), this["bias2"].Wide(),
            this["logs2"].Wide(),
        this["w3"].Wide(), this["bias3"].Wide(), this["logs3"].Wide());

    /// <summary>Every parameter with its name.</summary>
    public static IEnumerable<(string Name, double[] Value)> Named(CouplingNetWeights w) =>
    [
        ("w1", w.W1), ("bias1", w.Bias1), ("logs1", w.Logs1), ("w2", w.W2), ("bias2", w.Bias2), ("logs2", w.Logs2),
        ("w3", w.W3), ("bias3", w.Bias3), ("logs3", w.Logs3),
    ];

    /// <summary>The same parameters but one.</summary>
    public static CouplingNetWeights With(CouplingNetWeights w, string name, double[] value) => name switch
    {
        "w1" => w with { W1 = value },
        "bias1" => w with { Bias1 = value },
        "logs1" => w with { Logs1 = value },
        "w2" => w with { W2 = value },
        "bias2" => w with { Bias2 = value },
        "logs2" => w with { Logs2 = value },
        "w3" => w with { W3 = value },
        "bias3" => w with { Bias3 = value },
        _ => w with { Logs3 = value },
    };
}

/// <summary>Runs the operation between guard bands.</summary>
public static class CouplingNetRun
{
    /// <summary>h, dz1 (added to what it held) and the gradient of every parameter by its name.</summary>
    public static Results Run(IBackend backend, CouplingNetData data)
    {
        NetworkShape shape = data.Shape;
        CouplingNetShape s = shape.Coupling;
        ICouplingNet net = backend.CouplingNet;
        using Guarded memory = new(backend);
        CouplingNetParameters parameters = Views(name => memory.Input(name, data[name]));
        CouplingNetParameters gradients = Views(name => memory.Output($"gradient of {name}", 1, data[name].Length));
        // How a backend fills these two is its own affair, so they need not be written in full.
        View packed = memory.InOut("packed", new float[net.PackedLength(s, shape.Pixels)], 1,
            checked((int)net.PackedLength(s, shape.Pixels)));
        View saved = memory.InOut("saved", new float[net.SavedLength(s, shape.Pixels)], 1,
            checked((int)net.SavedLength(s, shape.Pixels)));
        View z1 = memory.Input("z1", data.Z1, shape.P, shape.In, shape.Layout),
            dh = memory.Input("dh", data.Dh, shape.P, shape.Out);
        View h = memory.Output("h", shape.P, shape.Out), unsaved = memory.Output("h, nothing saved",
            shape.P, shape.Out);
        View followed = memory.Output("h, following known", shape.P, shape.Out);
        View dz1 = memory.InOut("dz1", data.Dz1, shape.P, shape.In, shape.Layout);
        net.Pack(s, shape.Pixels, parameters, packed);
        net.Forward(s, shape.Pixels, z1, packed, unsaved, View.None);
        net.Forward(s, shape.Pixels, z1, packed, followed, View.None, following: packed);
        net.Forward(s, shape.Pixels, z1, packed, h, saved);
        net.Backward(s, shape.Pixels, z1, h, saved, packed, parameters, dh, dz1, gradients);
        memory.Check();
        // Invertibility rests on this: the inverse evaluates without saving what the forward pass saved.
        Tolerance.SameBits("h, nothing saved", memory.Read(unsaved), memory.Read(h), shape.P, shape.Out);
        Tolerance.SameBits("h, following known", memory.Read(followed), memory.Read(h), shape.P, shape.Out);
        Results results = new() { ["h"] = memory.Read(h), ["dz1"] = memory.Read(dz1) };
        foreach ((string name, View view) in Named(gradients)) results[name] = memory.Read(view);
        return results;
    }

    /// <summary>The four actnorm parameters that data-dependent initialisation sets; garbage before.</summary>
    public static Results Initialize(IBackend backend, CouplingNetData data)
    {
        NetworkShape shape = data.Shape;
        using Guarded memory = new(backend);
        CouplingNetParameters parameters = Views(name => name is "bias1" or "logs1" or "bias2" or "logs2"
            ? memory.Output(name, 1, shape.Width)
            : memory.Input(name, data[name]));
        View z1 = memory.Input("z1", data.Z1, shape.P, shape.In, shape.Layout);
        backend.CouplingNet.Initialize(shape.Coupling, shape.Pixels, z1, parameters);
        memory.Check();
        Results results = [];
        foreach ((string name, View view) in Named(parameters)) results[name] = memory.Read(view);
        return results;
    }

    private static CouplingNetParameters Views(Func<string, View> view) => new(
        view("w1"), view("bias1"), view("logs1"), view("w2"), view("bias2"), view("logs2"), view("w3"),
            view("bias3"), view("logs3"));

    private static IEnumerable<(string Name, View View)> Named(CouplingNetParameters p) =>
    [
        ("w1", p.W1), ("bias1", p.Bias1), ("logs1", p.Logs1), ("w2", p.W2), ("bias2", p.Bias2), ("logs2", p.Logs2),
        ("w3", p.W3), ("bias3", p.Bias3), ("logs3", p.Logs3),
    ];
}
