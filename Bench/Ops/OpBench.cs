using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Ops;

/// <summary>A named piece of an operation with what it costs at least.</summary>
public sealed record OpRun(string Name, Action Action, Cost Cost, PeerWork Peer = PeerWork.None);

/// <summary>
/// An operation with operands of one shape. BenchmarkDotNet runs the methods marked as benchmarks (<c>bench ops</c>),
/// and the reports the same methods through <see cref="Runs"/> (<c>bench host</c>, <c>bench gpu</c>).
/// </summary>
public abstract class OpBench
{
    private readonly List<IBuffer> buffers = [];
    private readonly List<View> checkedViews = [];
    private Device? device;
    private bool shared;
    private ulong streams;

    /// <summary>One of each.</summary>
    public static IReadOnlyList<Func<OpBench>> All { get; } =
    [
        static () => new ChannelAffineBench(), static () => new CouplingNetBench(), static () => new CoupleBench(),
        static () => new GaussianScoreBench(), static () => new ZeroConvBench(), static () => new SqueezeBench(),
        static () => new OptimizerStepBench(),
    ];

    /// <summary>Shapes to measure at under BenchmarkDotNet.</summary>
    public static IEnumerable<OpShape> Shapes => BenchDevice.IsHost ? OpShape.All : OpShape.Gpu;

    /// <summary>Shape to measure at.</summary>
    [ParamsSource(nameof(Shapes))]
    public OpShape Shape { get; set; } = OpShape.All[0];

    /// <summary>The operation set.</summary>
    protected IBackend Backend => device!.Backend;

    /// <summary>Pixels of the shape.</summary>
    protected Pixels Pixels => Shape.Pixels;

    /// <summary>
    /// Operands that were filled and results, in an order that depends on the shape alone: two devices can be
    /// compared.
    /// </summary>
    public IReadOnlyList<View> Values => checkedViews;

    /// <summary>Opens the device and makes the operands.</summary>
    [GlobalSetup]
    public void Setup()
    {
        device = BenchDevice.Open();
        Prepare();
        Backend.Synchronize();
    }

    /// <summary>
    /// Makes the operands on a device that others use too; from now on a method returns once its work is queued.
    /// </summary>
    public void Setup(Device on)
    {
        (device, shared) = (on, true);
        Prepare();
        Backend.Synchronize();
    }

    /// <summary>Frees everything.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (IBuffer buffer in buffers) buffer.Dispose();
        buffers.Clear();
        checkedViews.Clear();
        streams = 0;
        if (!shared) device?.Dispose();
        (device, shared) = (null, false);
    }

    /// <summary>Whether the operation occurs at a shape.</summary>
    public virtual bool Applies(OpShape shape) => true;

    /// <summary>What to time.</summary>
    public abstract IEnumerable<OpRun> Runs();

    /// <summary>Throws unless every operand is finite and not all zero.</summary>
    public void CheckFinite()
    {
        View sum = View.Dense(Allocate(1), 0, 1, 1);
        foreach (View view in checkedViews)
        {
            Backend.OptimizerStep.SumOfSquares(view, sum);
            float squares = sum.ToArray()[0];
            if (!(float.IsFinite(squares) && squares > 0))
                throw new InvalidOperationException(
                    $"{GetType().Name}, {Shape}: an operand's sum of squares is {squares}");
        }
    }

    /// <summary>Makes the operands and runs everything once in an order that fills what the next one reads.</summary>
    protected abstract void Prepare();

    /// <summary>
    /// BenchmarkDotNet takes the time of a method, so that it must not return before its work is done.
    /// </summary>
    protected void Wait()
    {
        if (!shared) Backend.Synchronize();
    }

    /// <summary>Memory with values from N(mean, deviation²).</summary>
    protected View Fill(int rows, int cols, double deviation = 1, float mean = 0)
    {
        View view = Output(rows, cols);
        float[] values = new float[view.Count];
        new CounterRandom(++streams, "bench").Normal(values, deviation);
        for (int i = 0; i < values.Length; i++) values[i] += mean;
        view.Write(values);
        return view;
    }

    /// <summary>Memory for a result.</summary>
    protected View Output(int rows, int cols)
    {
        View view = View.Dense(Allocate((long)rows * cols), 0, rows, cols);
        checkedViews.Add(view);
        return view;
    }

    /// <summary>Memory of no shape that need not be filled.</summary>
    protected View Block(long length) => View.Dense(Allocate(length), 0, 1, checked((int)length));

    private IBuffer Allocate(long length)
    {
        IBuffer buffer = Backend.Allocate(length);
        buffers.Add(buffer);
        return buffer;
    }
}
