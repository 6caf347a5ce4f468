namespace GlowGpu.Kernels;

/// <summary>W <c>[C,classes]</c>, Bias, Logs <c>[classes]</c> (or their gradients), each one dense row.</summary>
public readonly record struct ClassHeadParameters(View W, View Bias, View Logs);

/// <summary>
/// The classification term on the top latent (openai/glow's <c>weight_y</c>):
/// <code>
/// mean[n,c]   = mean over the pixels of image n of z[·,c]
/// logits[n,k] = (Σ_c mean[n,c]·W[c,k] + Bias_k)·exp(3·Logs_k)
/// loss[n]     = −log2 softmax(logits[n])[label_n]                (bits)
/// </code>
/// </summary>
public interface IClassHead
{
    /// <summary>
    /// Writes mean <c>[N,C]</c>, logits <c>[N,classes]</c>, loss <c>[1,N]</c>. labels <c>[1,N]</c>: class indices as
    /// floats.
    /// </summary>
    void Forward(Pixels pixels, View z, ClassHeadParameters parameters, View labels, View mean, View logits, View loss);

    /// <summary>
    /// <b>Adds</b> to dz <c>[P,C]</c> and overwrites the gradients, given the derivative
    /// <paramref name="gLoss"/> of the loss by every loss[n].
    /// </summary>
    void Backward(Pixels pixels, ClassHeadParameters parameters, View labels, View mean, View logits, float gLoss,
        View dz, ClassHeadParameters gradients);
}
