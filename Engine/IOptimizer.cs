using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>Updates a parameter set from its gradients and owns what that needs to remember.</summary>
public interface IOptimizer : IDisposable
{
    /// <summary><c>adam</c> or <c>adamax</c>.</summary>
    string Name { get; }

    /// <summary>Number of updates so far.</summary>
    long Updates { get; }

    /// <summary>
    /// Everything it remembers, by name; each view <c>[1,n]</c> has the layout of <see cref="ParameterSet.Values"/>.
    /// </summary>
    IReadOnlyList<(string Name, View View)> State { get; }

    /// <summary>Running average of the parameters, or null when none is kept.</summary>
    PolyakAverage? Average { get; }

    /// <summary>
    /// One update with the gradients times <paramref name="gradientScale"/>; touches the parameters and moves the
    /// average.
    /// </summary>
    void Step(double rate, double gradientScale);

    /// <summary>
    /// Values of the next update that change from one to the next, for <see cref="OptimizerControl.Dials"/>.
    /// </summary>
    void SetDials(double rate, Span<float> dials);

    /// <summary>
    /// Queues the next update as the control's memory will say when it runs. Whether it took place the device decides:
    /// <see cref="Accept"/> is called once that is known.
    /// </summary>
    void Queue(OptimizerControl control);

    /// <summary>The update queued last took place: touches the parameters and counts it.</summary>
    void Accept();

    /// <summary>Continues after so many updates, once <see cref="State"/> has been filled.</summary>
    void Resume(long updates);
}
