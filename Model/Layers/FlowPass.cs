using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// One trip of a batch through the flow: where it runs, whether it is recorded, and where log-likelihoods add up.
/// </summary>
/// <param name="Device">where it runs</param>
/// <param name="Tape">records nodes for backward; null when only values are wanted</param>
/// <param name="LogLikelihood">log-determinants and log-densities of every image, <c>[1,N]</c>, nats; None when not
/// wanted</param>
/// <param name="Gradient">
/// derivative of the loss by every image's log-likelihood; one number, since the objective is a mean over images
/// </param>
public readonly record struct FlowPass(Device Device, Tape? Tape, View LogLikelihood, float Gradient)
{
    /// <summary>The operation set.</summary>
    public IBackend Backend => Device.Backend;

    /// <summary>True when a tape keeps what backward needs.</summary>
    public bool Recording => Tape is not null;

    /// <summary>
    /// Whether parameters change before another pass comes, as in training and initialization: weights packed for it
    /// are not worth keeping.
    /// </summary>
    public bool IsOnly { get => field || Recording; init; }

    /// <summary>True when activations are kept, not rebuilt.</summary>
    public bool Storing => Tape?.Mode == MemoryMode.Stored;

    /// <summary>Rents <c>[rows, cols]</c> from the arena.</summary>
    public View Rent(int rows, int cols) => Device.Arena.Rent(rows, cols);

    /// <summary>Returns a rented view.</summary>
    public void Return(View view) => Device.Arena.Return(view);
}
