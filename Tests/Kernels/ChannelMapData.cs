using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

/// <summary>One step's size.</summary>
public readonly record struct StepShape(int Channels, ChannelMixing Mixing, int PixelsPerImage);

/// <summary>Steps that are prepared together.</summary>
public sealed record ChannelMapCase(StepShape[] Steps) : ITestShape
{
    /// <inheritdoc/>
    public bool Tiny => Steps.All(static s => s.Channels <= 48);

    /// <inheritdoc/>
    public override string ToString() => string.Join(" + ", Steps.Select(static s => $"{s.Mixing} {s.Channels}"));
}

/// <summary>A step's parameters and the gradients of its maps, with the reference's view of them.</summary>
public sealed record ChannelMapData(int Channels, ChannelMixing Mixing, int PixelsPerImage)
{
    private Dictionary<string, double[]> wide = [];

    /// <summary>Draws everything.</summary>
    public static ChannelMapData Make(StepShape shape, int seed)
    {
        int c = shape.Channels;
        Draw draw = new(seed + 131 * c);
        ChannelMapData data = new(c, shape.Mixing, shape.PixelsPerImage)
        {
            Bias = draw.Normal(c),
            Logs = draw.Normal(c, 0.1),
            Weight = draw.Mixing(c),
            // The unused triangles hold numbers too: a checkpoint may have anything there.
            Lower = draw.Normal(c * c, 0.5 / Math.Sqrt(c)),
            Upper = draw.Normal(c * c, 0.5 / Math.Sqrt(c)),
            LogS = draw.Normal(c, 0.2),
            Sign = [.. draw.Integers(c, 2).Select(static v => 2 * v - 1)],
            Order = draw.Permutation(c),
            DW = draw.Normal(c * c),
            DB = draw.Normal(c),
        };
        data.wide = new Dictionary<string, double[]>
        {
            ["bias"] = data.Bias.Wide(),
            ["logs"] = data.Logs.Wide(),
            ["weight"] = data.Weight.Wide(),
            ["lower"] = data.Lower.Wide(),
            ["upper"] = data.Upper.Wide(),
            ["log_s"] = data.LogS.Wide(),
        };
        return data;
    }

    public float[] Bias { get; private init; } = [];
    public float[] Logs { get; private init; } = [];
    public float[] Weight { get; private init; } = [];
    public float[] Lower { get; private init; } = [];
    public float[] Upper { get; private init; } = [];
    public float[] LogS { get; private init; } = [];
    public float[] Sign { get; private init; } = [];
    public int[] Order { get; private init; } = [];
    public float[] DW { get; private init; } = [];
    public float[] DB { get; private init; } = [];

    /// <summary>The same with one parameter replaced, for the reference only.</summary>
    public ChannelMapData With(string name, double[] values)
    {
        Dictionary<string, double[]> changed = new(wide) { [name] = values };
        return this with { wide = changed };
    }

    /// <summary>diag(exp(3·logs))·W.</summary>
    public double[] FoldedWeight()
    {
        double[] w = PlainWeight();
        for (int i = 0; i < w.Length; i++) w[i] *= Math.Exp(3 * wide["logs"][i / Channels]);
        return w;
    }

    /// <summary>H·W·(Σ 3·logs + ln|det W|).</summary>
    public double LogDet() => PixelsPerImage * (3 * wide["logs"].Sum() + Matrix.LogAbsDeterminant(PlainWeight(),
        Channels));

    /// <summary>A loss whose gradients by W', b' and the log-determinant are DW, DB and g.</summary>
    public double Loss(double g)
    {
        double[] w = FoldedWeight();
        double loss = g * LogDet();
        for (int i = 0; i < w.Length; i++) loss += w[i] * (DW[i] + wide["bias"][i / Channels] * DB[i % Channels]);
        return loss;
    }

    private double[] PlainWeight() => Mixing switch
    {
        ChannelMixing.Dense => [.. wide["weight"]],
        ChannelMixing.Permutation => ChannelMixReference.Permutation(Order),
        _ => ChannelMixReference.Plu(Order, wide["lower"], wide["upper"], wide["log_s"], Sign.Wide()),
    };
}

/// <summary>Steps on a device.</summary>
public sealed class ChannelMapMemory : IDisposable
{
    private readonly IBackend backend;
    private readonly Guarded memory;
    private readonly View logDet, status;
    private readonly View[] weights;

    /// <summary>Uploads every step's parameters; outputs hold garbage.</summary>
    public ChannelMapMemory(IBackend backend, ChannelMapCase shape)
    {
        this.backend = backend;
        memory = new Guarded(backend);
        Data = [.. shape.Steps.Select(static (s, i) => ChannelMapData.Make(s, i))];
        logDet = memory.Output("logdet", 1, 1);
        status = memory.Output("status", 1, ChannelMapStatus.Length);
        weights = new View[Data.Length];
        Steps = new ChannelMapStep[Data.Length];
        for (int i = 0; i < Data.Length; i++) Steps[i] = Upload(Data[i], i);
    }

    /// <summary>What the steps hold.</summary>
    public ChannelMapData[] Data { get; }

    /// <summary>The steps as the operation takes them.</summary>
    public ChannelMapStep[] Steps { get; }

    /// <summary>Runs Prepare and throws what its status says.</summary>
    public void Prepare()
    {
        backend.ChannelMap.Prepare(Steps, logDet, status);
        float[] found = memory.Read(status);
        if (ChannelMapStatus.HasFailed(found)) Assert.That(LogDet(), Is.NaN,
            "the log-determinant of a failed preparation");
        ChannelMapStatus.ThrowIfFailed(Steps, found);
        Assert.That(found, Is.All.Zero);
    }

    /// <summary>Runs Backward; afterwards every output has been written, so guards are checked.</summary>
    public void Backward(float gLogDet)
    {
        backend.ChannelMap.Backward(Steps, gLogDet);
        memory.Check();
    }

    /// <summary>The scalar that Prepare wrote.</summary>
    public float LogDet() => memory.Read(logDet)[0];

    /// <summary>Maps of a step.</summary>
    public (float[] W, float[] B, float[] V, float[] C) Map(int step)
    {
        ChannelMaps maps = Steps[step].Maps;
        return (memory.Read(maps.W), memory.Read(maps.B), memory.Read(maps.V), memory.Read(maps.C));
    }

    /// <summary>Gradient of a parameter.</summary>
    public float[] Gradient(int step, string name) => memory.Read(View(Steps[step].Gradients, name));

    /// <summary>Name, value and gradient of every parameter of a step.</summary>
    public IEnumerable<(string Name, float[] Value, float[] Gradient)> Trainable(int step) =>
        Names(Data[step].Mixing).Select(name => (name, memory.Read(View(Steps[step].Parameters, name)),
            Gradient(step, name)));

    /// <summary>Overwrites W of a dense step.</summary>
    public void WriteWeight(int step, float[] w) => weights[step].Write(w);

    /// <summary>Overwrites log_s of a plu step.</summary>
    public void WriteLogS(int step, float[] logS) => Steps[step].Parameters.LogS.Write(logS);

    /// <summary>Everything that Prepare and Backward wrote.</summary>
    public Results All()
    {
        Results all = new() { ["logdet"] = memory.Read(logDet) };
        for (int i = 0; i < Steps.Length; i++)
        {
            (float[] w, float[] b, float[] v, float[] c) = Map(i);
            (all[$"W {i}"], all[$"B {i}"], all[$"V {i}"], all[$"C {i}"]) = (w, b, v, c);
            foreach (string name in Names(Data[i].Mixing)) all[$"{name} gradient {i}"] = Gradient(i, name);
        }
        return all;
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();

    private static string[] Names(ChannelMixing mixing) => mixing switch
    {
        ChannelMixing.Dense => ["bias", "logs", "weight"],
        ChannelMixing.Plu => ["bias", "logs", "lower", "upper", "log_s"],
        _ => ["bias", "logs"],
    };

    private static View View(ChannelMapParameters p, string name) => name switch
    {
        "bias" => p.Bias,
        "logs" => p.Logs,
        "weight" => p.Weight,
        "lower" => p.Lower,
        "upper" => p.Upper,
        _ => p.LogS,
    };

    private ChannelMapStep Upload(ChannelMapData data, int index)
    {
        int c = data.Channels;
        bool dense = data.Mixing == ChannelMixing.Dense, plu = data.Mixing == ChannelMixing.Plu;
        View In(string name, float[] values, int rows) => memory.Input($"{name} {index}", values, rows,
            values.Length / rows);
        View Out(string name, int rows) => memory.Output($"{name} {index}", rows, c);
        View none = GlowGpu.Kernels.View.None;
        // Rewritten by some tests between two runs, so not declared an input.
        View weight = dense ? memory.InOut($"weight {index}", data.Weight, c, c) : none;
        weights[index] = weight;
        return new ChannelMapStep(c, data.Mixing, data.PixelsPerImage,
            data.Mixing == ChannelMixing.Dense ? [] : data.Order, plu ? data.Sign : [],
            new ChannelMapParameters(In("bias", data.Bias, 1), In("logs", data.Logs, 1), weight,
                plu ? In("lower", data.Lower, c) : none, plu ? In("upper", data.Upper, c) : none,
                    plu ? In("log_s", data.LogS, 1) : none),
            new ChannelMapParameters(Out("dbias", 1), Out("dlogs", 1), dense ? Out("dweight", c) : none,
                plu ? Out("dlower", c) : none, plu ? Out("dupper", c) : none, plu ? Out("dlog_s", 1) : none),
            new ChannelMaps(Out("W", c), Out("B", 1), Out("V", c), Out("C", 1), In("DW", data.DW, c),
                In("DB", data.DB, 1)))
        {
            Name = $"levels.0.steps.{index}",
        };
    }
}
