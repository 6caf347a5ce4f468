using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>
/// The layers of a Glow and the order they are walked in: per level squeeze → K × (actnorm and permutation →
/// coupling) →
/// split, and the prior on top.
/// </summary>
internal sealed class GlowFlow : IFlow
{
    private readonly GlowConfig config;
    private readonly Device device;
    private readonly TopPrior prior;
    private readonly List<Level> levels = [];
    private readonly List<ChannelMapStep> maps = [];
    private readonly MapNode mapNode;
    private readonly IBuffer mapMemory;
    private readonly IBuffer shared;
    private long prepared = -1;

    private sealed record Level(SqueezeLayer Squeeze, IFlowLayer[] Steps, Split? Split);

    public GlowFlow(GlowConfig config, Device device, ParameterSet parameters,
        IReadOnlyDictionary<string, Array> constants)
    {
        this.config = config;
        this.device = device;
        mapNode = new MapNode(device.Backend, maps);
        long mapLength = 0;
        for (int l = 0; l < config.Levels; l++)
        {
            long c = config.LevelChannels(l);
            mapLength += config.Depth * (3 * Align(c * c) + 3 * Align(c));
        }
        mapMemory = device.Backend.Allocate(mapLength);
        shared = device.Backend.Allocate(1 + ChannelMapStatus.Length);
        long offset = 0;
        Coupling? before = null;
        for (int l = 0; l < config.Levels; l++)
        {
            List<IFlowLayer> steps = [];
            (int height, int width, _) = config.LevelShape(l);
            for (int k = 0; k < config.Depth; k++)
            {
                ChannelMapStep map = MapStep(config, parameters, constants, l, k, ref offset);
                maps.Add(map);
                steps.Add(new ChannelMixer(device, map, LogDet, Status));
                string name = $"{map.Name}.coupling";
                Coupling coupling = new(device, name, config.Coupling == "affine" ? CouplingKind.Affine
                    : CouplingKind.Additive,
                    GlowParameters.Network(config, l), new Pixels(1, height, width),
                    NetParameters(name, parameters.Value), NetParameters(name, parameters.Gradient))
                {
                    InvertedNext = before,
                };
                steps.Add(coupling);
                before = coupling;
            }
            Split? split = null;
            if (l < config.Levels - 1)
            {
                string name = $"levels.{l}.split";
                split = new Split(device, name, GlowParameters.Split(config, l),
                    ConvParameters($"{name}.conv", parameters.Value),
                        ConvParameters($"{name}.conv", parameters.Gradient));
            }
            levels.Add(new Level(new SqueezeLayer(device, $"levels.{l}.squeeze"), [.. steps], split));
        }
        prior = new TopPrior(device, config.EdgeBias, PriorParameters(config, parameters.Value),
            PriorParameters(config, parameters.Gradient));
        if (config.Classes > 0)
        {
            Classifier = new Classifier(device, config.Classes, HeadParameters(parameters.Value),
                HeadParameters(parameters.Gradient));
        }
    }

    /// <inheritdoc/>
    public Classifier? Classifier { get; }

    /// <summary>
    /// What actnorms and permutations add to every image's log-likelihood, and how their preparation went.
    /// </summary>
    public View Shared => View.Dense(shared, 0, 1, 1 + ChannelMapStatus.Length);

    private View LogDet => Shared.Columns(0, 1);

    private View Status => Shared.Columns(1, ChannelMapStatus.Length);

    /// <inheritdoc/>
    public void Prepare(long version)
    {
        if (prepared == version) return;
        device.Backend.ChannelMap.Prepare(maps, LogDet, Status);
        foreach (Level level in levels)
        {
            foreach (IFlowLayer layer in level.Steps) layer.Prepare();
            level.Split?.Prepare();
        }
        prepared = version;
    }

    /// <inheritdoc/>
    public void Invalidate() => prepared = -1;

    /// <inheritdoc/>
    public void ThrowIfFailed(ReadOnlySpan<float> shared) => ChannelMapStatus.ThrowIfFailed(maps, shared[1..]);

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass, View[]? eps, Action<string, View>? inspect = null)
    {
        mapNode.Gradient = pass.Gradient * x.Pixels.N;
        pass.Tape?.Record(mapNode);
        for (int l = 0; l < levels.Count; l++)
        {
            x = levels[l].Squeeze.Forward(x, pass);
            foreach (IFlowLayer layer in levels[l].Steps)
            {
                x = layer.Forward(x, pass);
                inspect?.Invoke(layer.Name, x.Data);
            }
            if (levels[l].Split is not { } split) continue;
            x = split.Forward(x, pass, eps is null ? View.None : eps[l]);
            inspect?.Invoke(split.Name, pass.LogLikelihood);
        }
        return x;
    }

    /// <inheritdoc/>
    public void Initialize(Tensor x, FlowPass pass, long version)
    {
        Prepare(version);
        ChannelMapStatus.ThrowIfFailed(maps, Status);
        foreach (Level level in levels)
        {
            x = level.Squeeze.Forward(x, pass);
            foreach (IFlowLayer layer in level.Steps)
            {
                layer.Initialize(x);
                x = layer.Forward(x, pass);
            }
            if (level.Split is not null) x = level.Split.Forward(x, pass, View.None);
        }
        x.ReleaseData();
    }

    /// <inheritdoc/>
    public void ScoreTop(Tensor z, View labels, FlowPass pass, View eps) => prior.Forward(z, labels, pass, eps);

    /// <inheritdoc/>
    public Tensor Inverse(int count, View labels, View[] eps, FlowPass pass)
    {
        (int h, int w, int c) = config.LatentShape(config.Levels - 1);
        Tensor z = new Tensor(device, new Pixels(count, h, w), c).Allocate();
        prior.Inverse(z, labels, eps[^1], pass);
        for (int l = levels.Count - 1; l >= 0; l--)
        {
            if (levels[l].Split is { } split)
            {
                Pixels p = z.Pixels;
                Tensor whole = new Tensor(device, new Pixels(p.N, p.H * 2, p.W * 2), z.Channels / 2).Allocate();
                SqueezeLayer.InverseInto(z, whole.Window(0, z.Channels / 4), pass);
                split.Inverse(whole, eps[l], pass);
                z = whole;
            }
            else if (l < levels.Count - 1)
            {
                z = levels[l + 1].Squeeze.Inverse(z, pass);
            }
            for (int k = levels[l].Steps.Length - 1; k >= 0; k--) z = levels[l].Steps[k].Inverse(z, pass);
        }
        return levels[0].Squeeze.Inverse(z, pass);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Level level in levels)
        {
            foreach (IDisposable layer in level.Steps.OfType<IDisposable>()) layer.Dispose();
            level.Split?.Dispose();
        }
        mapMemory.Dispose();
        shared.Dispose();
    }

    private static long Align(long count) => (count + 15) / 16 * 16;

    private ChannelMapStep MapStep(GlowConfig config, ParameterSet parameters,
        IReadOnlyDictionary<string, Array> constants,
        int level, int k, ref long offset)
    {
        int c = config.LevelChannels(level);
        string name = GlowParameters.Step(level, k);
        ChannelMixing mixing = GlowParameters.Mixing(config);
        int[] order = (mixing, config.Permutation) switch
        {
            (ChannelMixing.Plu, _) => (int[])constants[$"{name}.invconv.p"],
            (ChannelMixing.Permutation, "shuffle") => (int[])constants[$"{name}.permutation"],
            (ChannelMixing.Permutation, _) => [.. Enumerable.Range(0, c).Reverse()],
            _ => [],
        };
        float[] sign = mixing == ChannelMixing.Plu ? (float[])constants[$"{name}.invconv.sign_s"] : [];
        ChannelMaps views = new(Map(c, c, ref offset), Map(1, c, ref offset), Map(c, c, ref offset),
            Map(1, c, ref offset),
            Map(c, c, ref offset), Map(1, c, ref offset));
        return new ChannelMapStep(c, mixing, (config.Height >> (level + 1)) * (config.ImageWidth >> (level + 1)),
            order, sign,
            MapParameters(name, mixing, c, parameters.Value), MapParameters(name, mixing, c, parameters.Gradient),
                views)
        {
            Name = name,
        };
    }

    private View Map(int rows, int cols, ref long offset)
    {
        View view = View.Dense(mapMemory, offset, rows, cols);
        offset += Align(view.Count);
        return view;
    }

    private static ChannelMapParameters MapParameters(string step, ChannelMixing mixing, int c,
        Func<string, View> view) => new(
        view($"{step}.actnorm.bias"),
        view($"{step}.actnorm.logs"),
        mixing == ChannelMixing.Dense ? view($"{step}.invconv.weight").Reshape(c, c) : View.None,
        mixing == ChannelMixing.Plu ? view($"{step}.invconv.lower").Reshape(c, c) : View.None,
        mixing == ChannelMixing.Plu ? view($"{step}.invconv.upper").Reshape(c, c) : View.None,
        mixing == ChannelMixing.Plu ? view($"{step}.invconv.log_s") : View.None);

    private static CouplingNetParameters NetParameters(string name, Func<string, View> view) => new(
        view($"{name}.conv1.weight"), view($"{name}.conv1.actnorm.bias"), view($"{name}.conv1.actnorm.logs"),
        view($"{name}.conv2.weight"), view($"{name}.conv2.actnorm.bias"), view($"{name}.conv2.actnorm.logs"),
        view($"{name}.conv3.weight"), view($"{name}.conv3.bias"), view($"{name}.conv3.logs"));

    private static ZeroConvParameters ConvParameters(string name, Func<string, View> view) =>
        new(view($"{name}.weight"), view($"{name}.bias"), view($"{name}.logs"));

    private static PriorParameters PriorParameters(GlowConfig config, Func<string, View> view)
    {
        int top = config.LevelChannels(config.Levels - 1);
        return new PriorParameters(
            config.LearnTop ? ConvParameters("prior.conv", view) : default,
            config.Classes > 0 ? view("prior.class.weight").Reshape(config.Classes, 2 * top) : View.None,
            config.Classes > 0 ? view("prior.class.bias") : View.None,
            config.Classes > 0 ? view("prior.class.logs") : View.None);
    }

    private static ClassHeadParameters HeadParameters(Func<string, View> view) =>
        new(view("classifier.weight"), view("classifier.bias"), view("classifier.logs"));

    private sealed class MapNode(IBackend backend, IReadOnlyList<ChannelMapStep> maps) : ITapeNode
    {
        public float Gradient { get; set; }

        public void Backward() => backend.ChannelMap.Backward(maps, Gradient);
    }
}
