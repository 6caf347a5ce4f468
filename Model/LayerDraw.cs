using GlowGpu.Engine;

namespace GlowGpu.Model;

/// <summary>Random initial weights.</summary>
internal static class LayerDraw
{
    /// <summary>
    /// N(0, 2/fan-in) for weights <c>[…,in,out]</c> in front of a ReLU (He et al. 2015); each tensor has a stream of
    /// its own.
    /// </summary>
    public static void He(ParameterSet parameters, Parameter weight, ulong seed)
    {
        float[] values = new float[weight.Count];
        double fanIn = (double)weight.Count / weight.Shape[^1];
        new CounterRandom(seed, weight.Name).Normal(values, Math.Sqrt(2 / fanIn));
        parameters.Value(weight.Name).Write(values);
    }
}
