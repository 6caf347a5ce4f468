using GlowGpu.Engine;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Model;

/// <summary>
/// Draws a fresh model: random rotations for the invertible convolutions, N(0, 0.05²) for the hidden convolutions,
/// zero for everything else (DESIGN of openai/glow). Actnorms get their values from data later.
/// </summary>
internal static class GlowInitializer
{
    private const double HiddenDeviation = 0.05;

    /// <summary>
    /// Fills parameters and fixed tensors; each tensor has a stream of its own, so that options do not shift each
    /// other's draws.
    /// </summary>
    public static void Draw(GlowConfig config, ParameterSet parameters, Dictionary<string, Array> constants, ulong seed)
    {
        foreach (Parameter p in parameters.All)
        {
            if (p.Name.EndsWith("conv1.weight", StringComparison.Ordinal) || p.Name.EndsWith("conv2.weight",
                StringComparison.Ordinal))
            {
                float[] values = new float[p.Count];
                new CounterRandom(seed, p.Name).Normal(values, HiddenDeviation);
                parameters.Value(p.Name).Write(values);
            }
        }
        for (int level = 0; level < config.Levels; level++)
        {
            int c = config.LevelChannels(level);
            for (int k = 0; k < config.Depth; k++)
            {
                string step = GlowParameters.Step(level, k);
                CounterRandom random = new(seed, step + ".mixing");
                if (config.Permutation == "shuffle") constants[$"{step}.permutation"] = random.Permutation(c);
                else if (config.Permutation == "invconv") DrawRotation(config, parameters, constants, step, c, random);
            }
        }
        parameters.Touch();
    }

    private static void DrawRotation(GlowConfig config, ParameterSet parameters, Dictionary<string, Array> constants,
        string step, int c, CounterRandom random)
    {
        float[] draws = new float[c * c];
        random.Normal(draws);
        int next = 0;
        double[] w = SmallMatrix.RandomRotation(c, () => draws[next++]);
        if (config.Invconv == "dense")
        {
            parameters.Value($"{step}.invconv.weight").Write(Array.ConvertAll(w, static v => (float)v));
            return;
        }
        int[] rows = new int[c];
        SmallMatrix.Factor(c, w, rows);
        float[] lower = new float[c * c], upper = new float[c * c], logS = new float[c], sign = new float[c];
        for (int i = 0; i < c; i++)
        {
            for (int j = 0; j < c; j++)
            {
                if (j < i) lower[i * c + j] = (float)w[i * c + j];
                else if (j > i) upper[i * c + j] = (float)w[i * c + j];
            }
            logS[i] = (float)Math.Log(Math.Abs(w[i * c + i]));
            sign[i] = Math.Sign(w[i * c + i]);
        }
        parameters.Value($"{step}.invconv.lower").Write(lower);
        parameters.Value($"{step}.invconv.upper").Write(upper);
        parameters.Value($"{step}.invconv.log_s").Write(logS);
        constants[$"{step}.invconv.p"] = rows;
        constants[$"{step}.invconv.sign_s"] = sign;
    }
}
