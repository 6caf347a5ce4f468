using System.Globalization;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>How bytes become continuous values.</summary>
public enum Dequantization
{
    /// <summary>u ~ U[0,1).</summary>
    Uniform,

    /// <summary>u = ½ everywhere: deterministic.</summary>
    Center,
}

/// <summary>A batch as the model takes it.</summary>
/// <param name="Count">N</param>
/// <param name="Bytes"><c>[N,H,W,C]</c>, values 0…255 held as floats (at least N·H·W·C of them)</param>
/// <param name="Labels">class indices as floats <c>[N]</c>, or null</param>
public sealed record Batch(int Count, float[] Bytes, float[]? Labels);

/// <summary>Which noise dequantises a batch: Philox key and first block (<see cref="IDequantize"/>).</summary>
public readonly record struct Noise(Dequantization Mode, ulong Key, ulong Counter)
{
    /// <summary>No noise: u = ½.</summary>
    public static Noise Center => new(Dequantization.Center, 0, 0);
}

/// <summary>What one batch gave.</summary>
/// <param name="Loss">mean bits/dim + weight_y · mean class cross-entropy in bits</param>
/// <param name="BitsPerDim">mean bits/dim</param>
/// <param name="ClassBits">mean class cross-entropy in bits; 0 when unconditional</param>
/// <param name="ClassErrors">fraction of wrong class predictions; 0 when unconditional</param>
/// <param name="LogLikelihoods">
/// nats per image, the −D·ln n_bins term included; those of a training step are overwritten by the next one
/// </param>
public readonly record struct BatchResult(double Loss, double BitsPerDim, double ClassBits, double ClassErrors,
    double[] LogLikelihoods);

/// <summary>
/// A normalising flow of any family on one device: exact log-likelihoods, their gradients, latents and back. Not safe
/// for use by several threads at once.
/// </summary>
public abstract partial class FlowModel : IDisposable
{
    private readonly Dictionary<string, Array> constants = [];
    private readonly IFlow flow;
    private readonly Tape stored = new(MemoryMode.Stored), reversible = new(MemoryMode.Reversible);
    private readonly PassReport report;
    private Tensor? bytesTensor, inputTensor;
    private double[] trainingNats = [];
    private long checkedVersion = -1;
    private int lastCount;

    /// <summary>
    /// Builds a model: parameters as the config lays them out, filled by a draw, and the layers on top of them.
    /// </summary>
    /// <exception cref="GlowException">The config does not fit together.</exception>
    private protected FlowModel(FlowConfig config, Device device, Action<ParameterSet, Dictionary<string, Array>> draw,
        Func<ParameterSet, IReadOnlyDictionary<string, Array>, IFlow> build)
    {
        Config = config.Validate();
        Device = device;
        Parameters = new ParameterSet(device.Backend, config.Layout(), RunningStatistics.IsName);
        draw(Parameters, constants);
        flow = build(Parameters, constants);
        report = new PassReport(Config, device);
        training = new TrainingPass(this);
        decoding = new DecodingPass(this);
    }

    /// <summary>Shape of the model.</summary>
    public FlowConfig Config { get; }

    /// <summary>Where it lives.</summary>
    public Device Device { get; }

    /// <summary>Trainable parameters, values and gradients.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>
    /// Fixed tensors by name: <c>…permutation</c>, <c>…invconv.p</c> (int[]) and <c>…invconv.sign_s</c> (float[]).
    /// </summary>
    public IReadOnlyDictionary<string, Array> Constants => constants;

    /// <summary>Whether the data-dependent initialisation has run (or parameters were loaded).</summary>
    public bool Initialized { get; set; }

    /// <summary>Overwrites a fixed tensor.</summary>
    /// <exception cref="ArgumentException">No such tensor, or another type or length.</exception>
    public void SetConstant(string name, Array value)
    {
        if (!constants.TryGetValue(name, out Array? own) || own.GetType() != value.GetType()
            || own.Length != value.Length)
            throw new ArgumentException($"model: there is no fixed tensor '{name}' of {value.Length} "
                + $"{value.GetType().GetElementType()?.Name}");
        Array.Copy(value, own, own.Length);
        Parameters.Touch();
    }

    /// <summary>
    /// Data-dependent initialisation of every normalising layer from one batch; sets <see cref="Initialized"/>.
    /// </summary>
    public void Initialize(Batch batch, Noise noise)
    {
        Begin(batch.Count);
        flow.Initialize(Dequantize(batch, noise), new FlowPass(Device, null, View.None, 0) { IsOnly = true },
            Parameters.Version);
        Parameters.Touch();
        Initialized = true;
        Device.Arena.EndStep();
    }

    /// <summary>
    /// Lets the statistics of the last batch differentiated enter the running ones that evaluation uses; called when
    /// that batch leads to an update. Families without batch normalisation have none.
    /// </summary>
    public void AcceptStatistics()
    {
        flow.AcceptStatistics(View.None);
        Parameters.Touch();
    }

    /// <summary>Forward and backward: fills <see cref="ParameterSet.Gradients"/> with those of the loss.</summary>
    public BatchResult LossAndGradients(Batch batch, Noise noise, MemoryMode memory, double classWeight)
    {
        Begin(batch.Count);
        return Run(Dequantize(batch, noise), batch.Labels, TapeOf(memory), classWeight, null);
    }

    /// <summary>Forward only.</summary>
    public BatchResult Evaluate(Batch batch, Noise noise, double classWeight = 0)
    {
        Begin(batch.Count);
        return Run(Dequantize(batch, noise), batch.Labels, null, classWeight, null);
    }

    /// <summary>Latents and log-likelihoods.</summary>
    public (Latents Latents, BatchResult Result) Encode(Batch batch, Noise noise)
    {
        Begin(batch.Count);
        return Encode(Dequantize(batch, noise), batch.Labels);
    }

    /// <summary>
    /// A whole training step, with one wait for the device at its end: forward, backward, and, unless loss or
    /// gradient is not finite, the optimizer's update with the gradient clipped to <paramref name="clipNorm"/> (0:
    /// not clipped). From the third step of a kind on it is replayed where the device can.
    /// </summary>
    public TrainingResult Train(Batch batch, Noise noise, MemoryMode memory, double classWeight, IOptimizer optimizer,
        double rate, double clipNorm)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        return training.Run(batch, noise, TapeOf(memory), classWeight, optimizer, rate, clipNorm);
    }

    /// <summary>
    /// After a loss or gradient that was not finite: the first layer whose output is not finite on this batch, or
    /// null when every output is finite.
    /// </summary>
    public string? FirstNonFiniteLayer(Batch batch, Noise noise)
    {
        Begin(batch.Count);
        PrepareAndCheck();
        FlowPass pass = new(Device, null, Device.Arena.Rent(1, batch.Count), 0);
        Device.Backend.Fill(pass.LogLikelihood, 0);
        View sum = pass.Rent(1, 1), labels = RentLabels(batch.Labels, batch.Count);
        string? first = null;
        Tensor z = flow.Forward(Dequantize(batch, noise), pass, null, Inspect);
        flow.ScoreTop(z, labels, pass, View.None);
        Inspect("prior", pass.LogLikelihood);
        z.ReleaseData();
        pass.Return(labels);
        pass.Return(sum);
        pass.Return(pass.LogLikelihood);
        Device.Arena.EndStep();
        return first;

        void Inspect(string name, View output)
        {
            if (first is not null) return;
            Device.Backend.OptimizerStep.SumOfSquares(output, sum);
            if (!float.IsFinite(sum.ReadScalar())) first = name;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        training.Dispose();
        decoding.Dispose();
        flow.Dispose();
        Parameters.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// As <see cref="LossAndGradients(Batch, Noise, MemoryMode, double)"/> for continuous x <c>[N,H,W,C]</c>.
    /// </summary>
    internal BatchResult LossAndGradients(float[] x, int count, float[]? labels, MemoryMode memory, double classWeight)
    {
        Begin(count);
        return Run(Upload(x, count), labels, TapeOf(memory), classWeight, null);
    }

    /// <summary>As <see cref="Encode(Batch, Noise)"/> for continuous x <c>[N,H,W,C]</c>.</summary>
    internal (Latents Latents, BatchResult Result) Encode(float[] x, int count, float[]? labels)
    {
        Begin(count);
        return Encode(Upload(x, count), labels);
    }

    /// <summary>
    /// max|x| over what the layers of each level make of continuous x <c>[N,H,W,C]</c> on its way to the latents, NaN
    /// where a value is not finite: what a decode of those latents passes through in the other direction.
    /// </summary>
    internal double[] LevelMaxima(float[] x, int count, float[]? labels)
    {
        Begin(count);
        PrepareAndCheck();
        FlowPass pass = new(Device, null, Device.Arena.Rent(1, count), 0);
        Device.Backend.Fill(pass.LogLikelihood, 0);
        View labelView = RentLabels(labels, count);
        double[] maxima = new double[Config.Levels];
        Tensor z = flow.Forward(Upload(x, count), pass, null, Inspect);
        flow.ScoreTop(z, labelView, pass, View.None);
        z.ReleaseData();
        pass.Return(labelView);
        pass.Return(pass.LogLikelihood);
        Device.Arena.EndStep();
        return maxima;

        void Inspect(string name, View output)
        {
            string[] parts = name.Split('.');
            // A split shows log-likelihoods, not variables.
            if (parts[^1] == "split") return;
            int level = int.Parse(parts[1], CultureInfo.InvariantCulture);
            float[] values = new float[(long)(output.Rows - 1) * output.Stride + output.Cols];
            output.Buffer.Read(output.Offset, values);
            for (int row = 0; row < output.Rows; row++)
            {
                foreach (float v in values.AsSpan(row * output.Stride, output.Cols))
                    maxima[level] = float.IsFinite(v) ? Math.Max(maxima[level], Math.Abs(v)) : double.NaN;
            }
        }
    }

    private (Latents, BatchResult) Encode(Tensor x, float[]? labels)
    {
        int n = x.Pixels.N;
        View memory = RentLatents(n);
        View[] eps = LatentsOf(memory, n);
        try
        {
            BatchResult result = Run(x, labels, null, 0, eps);
            float[] all = memory.ToArray();
            return (new Latents(n, Array.ConvertAll(eps, view => all.AsSpan((int)(view.Offset - memory.Offset),
                (int)view.Count).ToArray())), result);
        }
        finally
        {
            Device.Arena.Return(memory);
            Device.Arena.EndStep();
        }
    }

    private BatchResult Run(Tensor x, float[]? labels, Tape? tape, double classWeight, View[]? eps)
    {
        int n = x.Pixels.N;
        View labelView = RentLabels(labels, n);
        report.Rent(n, Classifies(labels));
        Pass(x, labelView, tape, classWeight, eps);
        BatchResult result = ReadReport(labels, classWeight, tape is null ? new double[n] : Kept(ref trainingNats, n));
        Device.Arena.Return(labelView);
        Device.Arena.EndStep();
        flow.ThrowIfFailed(report.Shared);
        return result;
    }

    /// <summary>Queues forward, and backward with a tape; everything worth reading goes to the report.</summary>
    private void Pass(Tensor x, View labels, Tape? tape, double classWeight, View[]? eps)
    {
        int n = x.Pixels.N;
        double perImage = n * (double)Config.Dimensions * Math.Log(2);
        flow.Prepare(Parameters.Version);
        report.Clear();
        FlowPass pass = new(Device, tape, report.LogLikelihood, (float)(-1 / perImage));
        Tensor z = flow.Forward(x, pass, eps);
        if (!report.Logits.IsNone) flow.Classifier!.Forward(z, labels, pass, report.Logits, report.ClassBits,
            (float)(classWeight / n));
        flow.ScoreTop(z, labels, pass, eps is null ? View.None : eps[^1]);
        if (tape is null) z.ReleaseData();
        else tape.Backward();
        x.Release();
        report.CopyShared(flow.Shared);
    }

    private bool Classifies(float[]? labels) => flow.Classifier is not null && labels is not null;

    private BatchResult ReadReport(float[]? labels, double classWeight, double[] nats)
    {
        report.Read();
        return report.Result(report.Shared[0], labels, classWeight, nats);
    }

    /// <summary>For what does not read a report.</summary>
    private void PrepareAndCheck()
    {
        flow.Prepare(Parameters.Version);
        Check();
    }

    /// <summary>
    /// Whether the preparation of these parameters went well; waits for the device once per change of them.
    /// </summary>
    private void Check()
    {
        if (checkedVersion == Parameters.Version) return;
        if (!flow.Shared.IsNone) flow.ThrowIfFailed(flow.Shared.ToArray());
        checkedVersion = Parameters.Version;
    }

    private Tape TapeOf(MemoryMode memory)
    {
        if (memory == MemoryMode.Reversible && !Config.CanRebuild)
            throw new GlowException(
                $"memory is reversible, but the layers of a {Config.Family} model are not rebuilt from their "
                    + "outputs; it must be stored");
        Tape tape = memory == MemoryMode.Stored ? stored : reversible;
        // Of a step that an exception ended.
        tape.Clear();
        return tape;
    }

    private static T[] Kept<T>(ref T[] array, int length)
    {
        if (array.Length != length) array = new T[length];
        return array;
    }

    private void Begin(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        // Another batch size needs other block sizes; keeping both would double the memory.
        if (count != lastCount && lastCount != 0) Device.Arena.Trim();
        lastCount = count;
    }

    private Tensor Upload(ReadOnlySpan<float> x, int count)
    {
        Tensor tensor = Tensor.Reuse(ref bytesTensor, Device, new Pixels(count, Config.Height, Config.ImageWidth),
            Config.Channels).Allocate();
        tensor.Data.Write(x[..checked(count * Config.Dimensions)]);
        return tensor;
    }

    private Tensor Dequantize(Batch batch, Noise noise)
    {
        Tensor bytes = Upload(batch.Bytes, batch.Count), x = Dequantize(bytes, noise, View.None);
        bytes.ReleaseData();
        return x;
    }

    /// <summary>
    /// With <paramref name="drawn"/> the noise's key and counter are read from there when the work runs. The bytes
    /// stay.
    /// </summary>
    private Tensor Dequantize(Tensor bytes, Noise noise, View drawn)
    {
        Tensor x = Tensor.Reuse(ref inputTensor, Device, bytes.Pixels, bytes.Channels).Allocate();
        Device.Backend.Dequantize.Forward(bytes.Data, Config.NBits, noise.Mode == Dequantization.Center, noise.Key,
            noise.Counter, x.Data, drawn);
        return x;
    }

    /// <summary>
    /// One block for the latents of all levels, so that one transfer moves them; cut up by <see cref="LatentsOf"/>.
    /// </summary>
    private View RentLatents(int n)
    {
        long length = 0;
        for (int l = 0; l < Config.Levels; l++) length += LatentBlock(l, n);
        return Device.Arena.Rent(1, checked((int)length));
    }

    private View[] LatentsOf(View memory, int n)
    {
        View[] eps = new View[Config.Levels];
        int begin = 0;
        for (int l = 0; l < eps.Length; l++)
        {
            (int h, int w, int c) = Config.LatentShape(l);
            eps[l] = memory.Columns(begin, n * h * w * c).Reshape(n * h * w, c);
            begin += (int)LatentBlock(l, n);
        }
        return eps;
    }

    // Rounded up so that every level begins where vector accesses may.
    private long LatentBlock(int level, int n)
    {
        (int h, int w, int c) = Config.LatentShape(level);
        return ((long)n * h * w * c + 15) / 16 * 16;
    }

    private View RentLabels(float[]? labels, int n)
    {
        if (Config.Classes == 0) return View.None;
        if (labels is null || labels.Length < n)
            throw new ArgumentException(
                $"model: it is conditional on {Config.Classes} classes, so {n} labels are needed");
        for (int i = 0; i < n; i++)
        {
            if (!(labels[i] >= 0 && labels[i] < Config.Classes))
                throw new GlowException(
                    $"labels: image {i} has class {labels[i]}; the model knows classes 0 to {Config.Classes - 1}");
        }
        View view = Device.Arena.Rent(1, n);
        view.Write(labels.AsSpan(0, n));
        return view;
    }
}
