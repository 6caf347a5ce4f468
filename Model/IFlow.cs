using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>The layers of a model and the order they are walked in: what differs between families.</summary>
internal interface IFlow : IDisposable
{
    /// <summary>
    /// What every image's log-likelihood has in common, nats, as of the last <see cref="Prepare"/>, and behind it the
    /// status of the channel maps: <c>[1,5]</c> on the device; none for a family that has neither.
    /// </summary>
    View Shared => View.None;

    /// <summary>The class term, when conditional.</summary>
    Classifier? Classifier => null;

    /// <summary>Brings everything derived from parameters up to date with that version of them.</summary>
    void Prepare(long version);

    /// <summary>Has the next <see cref="Prepare"/> do its work whatever the version.</summary>
    void Invalidate();

    /// <summary>Throws what the values of <see cref="Shared"/> say is wrong with the parameters.</summary>
    /// <exception cref="ArithmeticException">A channel mixing matrix is singular or not finite; the message begins
    /// with its step.</exception>
    void ThrowIfFailed(ReadOnlySpan<float> shared) { }

    /// <summary>
    /// Data-dependent initialisation: layer by layer, each from what the ones before it make of the batch.
    /// </summary>
    void Initialize(Tensor x, FlowPass pass, long version);

    /// <summary>
    /// Image → last latent. <paramref name="eps"/> holds a view (or None) per level for the latents that leave on the
    /// way;
    /// <paramref name="inspect"/> sees every layer's name and what it made: its output, of a split the
    /// log-likelihoods so far.
    /// </summary>
    Tensor Forward(Tensor x, FlowPass pass, View[]? eps, Action<string, View>? inspect = null);

    /// <summary>
    /// Adds the log-density of the last latent to the pass and writes it to <paramref name="eps"/> unless None.
    /// </summary>
    void ScoreTop(Tensor z, View labels, FlowPass pass, View eps);

    /// <summary>All latents of so many images → image.</summary>
    Tensor Inverse(int count, View labels, View[] eps, FlowPass pass);

    /// <summary>
    /// The last recorded pass led to an update: what it measured of its batch may enter the running statistics, unless
    /// <paramref name="scale"/> is given and is NaN (<see cref="IOptimizerStep.Judge"/>).
    /// </summary>
    void AcceptStatistics(View scale) { }
}
