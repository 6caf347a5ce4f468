using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// Exponential moving average of the parameters, started at zero: <c>a ← d_t·a + (1 − d_t)·p</c> after update t, with
/// <c>d_t = min(d, (1 + t)/(10 + t))</c>, so that a young run averages over about its last tenth and not over its
/// first, worst weights. What it stands for is <c>a / (1 − Π d_t)</c>: the zero it started from is divided out.
/// </summary>
public sealed class PolyakAverage : IDisposable
{
    private const int PieceElements = 1 << 20;

    private readonly ParameterSet parameters;
    private readonly IBuffer buffer;

    /// <summary>A zeroed average.</summary>
    public PolyakAverage(IBackend backend, ParameterSet parameters, float decay)
    {
        this.parameters = parameters;
        Decay = decay;
        buffer = backend.Allocate(parameters.Length);
        View = View.Dense(buffer, 0, 1, parameters.Length);
    }

    /// <summary>d, which d_t rises to.</summary>
    public float Decay { get; }

    /// <summary>d_t of update t = 1, 2, ….</summary>
    public float DecayOf(long update) => Math.Min(Decay, (1f + update) / (10f + update));

    /// <summary>t, the number of updates averaged over.</summary>
    public long Updates { get; internal set; }

    /// <summary>a <c>[1,n]</c>, still biased towards zero.</summary>
    public View View { get; }

    /// <summary>
    /// Puts the unbiased average in place of the parameters until the scope is disposed, which brings the parameters
    /// back bit for bit. Before the first update there is no average and the parameters stay.
    /// </summary>
    public IDisposable Use()
    {
        if (Updates == 0) return new Scope(parameters, null);
        float[] raw = parameters.Values.ToArray();
        double scale = 1 / (1 - WeightOfZero());
        float[] piece = new float[Math.Min(View.Count, PieceElements)];
        for (long done = 0; done < View.Count; done += piece.Length)
        {
            Span<float> part = piece.AsSpan(0, (int)Math.Min(piece.Length, View.Count - done));
            buffer.Read(done, part);
            for (int i = 0; i < part.Length; i++) part[i] = (float)(part[i] * scale);
            parameters.Values.Buffer.Write(parameters.Values.Offset + done, part);
        }
        parameters.Touch();
        return new Scope(parameters, raw);
    }

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();

    private double WeightOfZero()
    {
        double product = 1;
        for (long t = 1; t <= Updates && product > 0; t++) product *= DecayOf(t);
        return product;
    }

    private sealed class Scope(ParameterSet parameters, float[]? raw) : IDisposable
    {
        private bool done = raw is null;

        public void Dispose()
        {
            if (done) return;
            done = true;
            parameters.Values.Write(raw);
            parameters.Touch();
        }
    }
}
