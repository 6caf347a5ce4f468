using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>
/// All that the host reads back of a pass, side by side on the device, so that one transfer and one wait bring it:
/// scale and squared norm of the gradient, what <see cref="IFlow.Shared"/> holds, and per image log-likelihood, class
/// bits and logits.
/// </summary>
internal sealed class PassReport(FlowConfig config, Device device)
{
    // Sections begin at multiples of this, as tensors elsewhere do; the gaps are zero.
    private const int Section = 16;
    private const int ScaleAt = 0, SquaresAt = 1, SharedAt = Section, PerImageAt = 2 * Section;

    private View memory;
    private float[] values = [];
    private bool classify;
    private int count;

    /// <summary>The block it lies in; none between passes.</summary>
    public View Memory => memory;

    /// <summary>[1,1] for <see cref="IOptimizerStep.Judge"/>.</summary>
    public View Scale => memory.Columns(ScaleAt, 1);

    /// <summary>Σ of the squared gradient [1,1].</summary>
    public View Squares => memory.Columns(SquaresAt, 1);

    /// <summary>nats of every image [1,N].</summary>
    public View LogLikelihood => memory.Columns(PerImageAt, count);

    /// <summary>Class cross-entropy in bits [1,N]; none when nothing is classified.</summary>
    public View ClassBits => classify ? memory.Columns(PerImageAt + Aligned(count), count) : View.None;

    /// <summary>[N,classes]; none when nothing is classified.</summary>
    public View Logits => classify ? memory.Columns(LogitsAt, count * config.Classes).Reshape(count, config.Classes)
        : View.None;

    /// <summary>Everything that makes a loss: finite when and only when the loss is.</summary>
    public View Loss => memory.Columns(SharedAt, LogitsAt - SharedAt);

    /// <summary>Norm of the gradient, once read.</summary>
    public double GradientNorm => Math.Sqrt(values[SquaresAt]);

    /// <summary>Whether the optimizer moved, once read.</summary>
    public bool Updated => !float.IsNaN(values[ScaleAt]);

    /// <summary>What <see cref="IFlow.Shared"/> held, once read.</summary>
    public ReadOnlySpan<float> Shared => values.AsSpan(SharedAt, Section);

    private int LogitsAt => PerImageAt + (classify ? 2 : 1) * Aligned(count);

    /// <summary>Takes memory for a pass of so many images.</summary>
    public void Rent(int images, bool withClasses)
    {
        (count, classify) = (images, withClasses);
        memory = device.Arena.Rent(1, LogitsAt + (classify ? count * config.Classes : 0));
    }

    /// <summary>Sets everything to 0 but the logits.</summary>
    public void Clear() => device.Backend.Fill(memory.Columns(0, LogitsAt), 0);

    /// <summary>Takes over what all images share.</summary>
    public void CopyShared(View shared)
    {
        if (!shared.IsNone) device.Backend.Copy(shared, memory.Columns(SharedAt, shared.Cols));
    }

    /// <summary>Reads everything, which waits for the device, and gives the memory back.</summary>
    public void Read()
    {
        if (values.Length != memory.Cols) values = new float[memory.Cols];
        memory.Read(values);
        device.Arena.Return(memory);
        memory = View.None;
    }

    /// <summary>
    /// The result, once read: <paramref name="nats"/> <c>[N]</c> takes the log-likelihoods, the −D·ln n_bins term
    /// included.
    /// </summary>
    public BatchResult Result(double sharedLogDet, float[]? labels, double classWeight, double[] nats)
    {
        double constant = sharedLogDet - config.Dimensions * Math.Log(config.Bins), sum = 0;
        ReadOnlySpan<float> own = values.AsSpan(PerImageAt, count);
        for (int i = 0; i < count; i++) sum += nats[i] = own[i] + constant;
        double bits = -sum / count / (config.Dimensions * Math.Log(2));
        double bitsOfClass = 0, errors = 0;
        if (classify)
        {
            foreach (float value in values.AsSpan(PerImageAt + Aligned(count), count)) bitsOfClass += value / count;
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<float> row = values.AsSpan(LogitsAt + i * config.Classes, config.Classes);
                int best = 0;
                for (int k = 1; k < row.Length; k++) if (row[k] > row[best]) best = k;
                if (best != (int)labels![i]) errors++;
            }
            errors /= count;
        }
        return new BatchResult(bits + classWeight * bitsOfClass, bits, bitsOfClass, errors, nats);
    }

    private static int Aligned(int length) => (length + Section - 1) / Section * Section;
}
