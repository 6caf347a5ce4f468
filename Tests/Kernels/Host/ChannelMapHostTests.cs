using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// Gradients of the channel maps against central differences of an independent forward in double, where a step of 1e-5
/// leaves about 1e-10 of error; what remains is the float32 rounding of inputs (W', V) and results.
/// </summary>
[TestFixture]
public sealed class ChannelMapHostTests
{
    private const int PixelsPerImage = 12;
    private const double GLogDet = -0.37;

    [Test]
    public void Gradients_agree_with_differences([Values] ChannelMixing mixing, [Values(1, 2, 5, 12, 40)] int channels)
    {
        using HostViews views = new(100 * channels + (int)mixing);
        ChannelMapStep step = Step(views, mixing, channels);
        using Workers workers = new(1);
        HostChannelMap map = new(workers);
        Prepare(map, [step], views, views.Zeros(1, 1));
        map.Backward([step], (float)GLogDet);

        double[] dw = Doubles(step.Maps.DW), db = Doubles(step.Maps.DB);
        Model model = Model.Of(step);
        foreach ((string name, double[] values, View gradient) in model.Parameters(step.Gradients))
        {
            float[] computed = gradient.ToArray();
            double[] expected = new double[values.Length];
            for (int i = 0; i < values.Length; i++)
            {
                const double H = 1e-5;
                double kept = values[i];
                values[i] = kept + H;
                double up = model.Loss(dw, db);
                values[i] = kept - H;
                double down = model.Loss(dw, db);
                values[i] = kept;
                expected[i] = (up - down) / (2 * H);
            }
            Nearly.Equal(name, computed, expected, 1e-6 * Math.Sqrt(channels) * Math.Max(1, expected.Max(Math.Abs)));
        }
    }

    [Test]
    public void Maps_follow_their_definition([Values] ChannelMixing mixing, [Values(1, 3, 12, 48)] int channels)
    {
        using HostViews views = new(7 * channels + (int)mixing);
        ChannelMapStep step = Step(views, mixing, channels);
        View logDet = views.Zeros(1, 1);
        using Workers workers = new(1);
        Prepare(new HostChannelMap(workers), [step], views, logDet);

        Model model = Model.Of(step);
        (double[] w, double[] b) = model.Maps();
        float[] gotW = step.Maps.W.ToArray(), gotB = step.Maps.B.ToArray();
        double[] v = Doubles(step.Maps.V);
        float[] c = step.Maps.C.ToArray(), bias = step.Parameters.Bias.ToArray();
        Assert.That(logDet.ToArray()[0], Is.EqualTo(model.LogDet()).Within(1e-6 * (1 + Math.Abs(model.LogDet()))));
        // One rounding to float32 of values this large.
        Nearly.Equal("W'", gotW, w, 6e-8 * w.Max(Math.Abs));
        Nearly.Equal("b'", gotB, b, 6e-8 * b.Max(Math.Abs));
        Assert.That(c, Is.EqualTo(bias.Select(static x => -x)));
        // Forward then inverse is the identity.
        double[] product = new double[channels * channels];
        for (int i = 0; i < channels; i++)
            for (int j = 0; j < channels; j++)
                for (int k = 0; k < channels; k++) product[i * channels + j] += w[i * channels + k]
                    * v[k * channels + j];
        Nearly.Equal("W'·V", product, Nearly.Identity(channels), 6e-8 * channels * w.Max(Math.Abs) * v.Max(Math.Abs));
    }

    [Test]
    public void A_negative_determinant_is_as_good_as_a_positive_one()
    {
        using HostViews views = new(3);
        ChannelMapStep step = Step(views, ChannelMixing.Dense, 2);
        step.Parameters.Weight.Write([0, 3, 2, 0]);
        step.Parameters.Logs.Write([0, 0]);
        View logDet = views.Zeros(1, 1);
        using Workers workers = new(1);
        Prepare(new HostChannelMap(workers), [step], views, logDet);
        Assert.That(logDet.ToArray()[0], Is.EqualTo(PixelsPerImage * Math.Log(6)).Within(1e-5));
        Assert.That(step.Maps.V.ToArray(), Is.EqualTo(new[] { 0, 0.5f, 1 / 3f, 0 }));
    }

    [Test]
    public void Singular_matrices_name_the_first_such_step_whatever_the_threads([Values(1, 3)] int threads)
    {
        using HostViews views = new(4);
        ChannelMapStep[] steps = [.. Enumerable.Range(0, 5).Select(k => Step(views, ChannelMixing.Dense, 3,
            $"levels.0.steps.{k}"))];
        steps[3].Parameters.Weight.Write([1, 2, 3, 2, 4, 6, 0, 1, 0]);
        steps[4].Parameters.Weight.Write(new float[9]);
        using Workers workers = new(threads);
        HostChannelMap map = new(workers);
        Assert.That(() => Prepare(map, steps, views, views.Zeros(1, 1)),
            Throws.InstanceOf<ArithmeticException>().With.Message.EqualTo(
            "levels.0.steps.3: the channel mixing matrix is singular (pivot 3 of 3 is 0e+0 of its column); go back "
                + "to an earlier checkpoint and train on with a lower learning rate, or use the plu "
                + "parameterisation, which stays invertible"));

        // The failure is not remembered.
        steps[3].Parameters.Weight.Write([1, 0, 0, 0, 1, 0, 0, 0, 1]);
        steps[4].Parameters.Weight.Write([1, 0, 0, 0, 1, 0, 0, 0, 1]);
        Assert.That(() => Prepare(map, steps, views, views.Zeros(1, 1)), Throws.Nothing);
    }

    [Test]
    public void Matrices_that_are_not_finite_name_the_step()
    {
        using HostViews views = new(5);
        using Workers workers = new(1);
        HostChannelMap map = new(workers);
        ChannelMapStep dense = Step(views, ChannelMixing.Dense, 2, "levels.1.steps.0");
        dense.Parameters.Weight.Write([1, float.NaN, 0, 1]);
        Assert.That(() => Prepare(map, [dense], views, views.Zeros(1, 1)),
            Throws.InstanceOf<ArithmeticException>().With.Message.EqualTo(
            "levels.1.steps.0: the channel mixing matrix is not finite (NaN at row 0, column 1); go back to an "
                + "earlier checkpoint and train on with a lower learning rate"));
        ChannelMapStep plu = Step(views, ChannelMixing.Plu, 2, "levels.1.steps.1");
        plu.Parameters.LogS.Write([0, float.PositiveInfinity]);
        Assert.That(() => Prepare(map, [plu], views, views.Zeros(1, 1)),
            Throws.InstanceOf<ArithmeticException>()
                .With.Message.StartsWith("levels.1.steps.1: the channel mixing matrix is not finite"));
        plu.Parameters.LogS.Write([0, float.NegativeInfinity]);
        Assert.That(() => Prepare(map, [plu], views, views.Zeros(1, 1)),
            Throws.InstanceOf<ArithmeticException>()
                .With.Message.StartsWith("levels.1.steps.1: the channel mixing matrix is singular (pivot 2 of 2"));
    }

    [Test]
    public void Arguments_that_do_not_fit_are_named()
    {
        using HostViews views = new(6);
        using Workers workers = new(1);
        HostChannelMap map = new(workers);
        ChannelMapStep step = Step(views, ChannelMixing.Permutation, 3, "levels.0.steps.1");
        Assert.That(() => Prepare(map, [step with { Permutation = [0, 2, 2] }], views, views.Zeros(1, 1)),
            Throws.ArgumentException.With.Message.EqualTo(
                "levels.0.steps.1: the permutation names channel 2 twice or outside of its 3; it must name each "
                    + "from 0 to 2 once"));
        Assert.That(() => Prepare(map, [step with { Parameters = step.Parameters with { Logs = views.Zeros(1, 4) } }],
            views, views.Zeros(1, 1)),
            Throws.ArgumentException.With.Message.EqualTo(
                "levels.0.steps.1: actnorm logs holds 4 values; it must hold 3"));
        ChannelMapStep plu = Step(views, ChannelMixing.Plu, 2, "levels.0.steps.2");
        Assert.That(() => Prepare(map, [plu with { Sign = [1, 0] }], views, views.Zeros(1, 1)),
            Throws.ArgumentException.With.Message.EqualTo(
                "levels.0.steps.2: sign_s holds 0; every entry must be 1 or -1"));
        Assert.That(() => map.Backward([plu with { Gradients = plu.Gradients with { LogS = View.None } }], 0),
            Throws.ArgumentException.With.Message.EqualTo(
                "levels.0.steps.2: gradient of invconv log_s is missing; it must hold 2 values"));
    }

    private static void Prepare(HostChannelMap map, ChannelMapStep[] steps, HostViews views, View logDet)
    {
        View status = views.Zeros(1, ChannelMapStatus.Length);
        map.Prepare(steps, logDet, status);
        ChannelMapStatus.ThrowIfFailed(steps, status);
    }

    internal static ChannelMapStep Step(HostViews views, ChannelMixing mixing, int c, string name = "step")
    {
        int[] permutation = [.. Enumerable.Range(0, c)];
        new Random(c).Shuffle(permutation);
        float[] sign = [.. Enumerable.Range(0, c).Select(static i => i % 3 == 1 ? -1f : 1f)];
        bool dense = mixing == ChannelMixing.Dense, plu = mixing == ChannelMixing.Plu;
        ChannelMapParameters Blank(double spread) => new(
            views.Normal(1, c, spread),
            views.Normal(1, c, 0.1 * spread),
            dense ? views.Normal(1, c * c, spread * 0.3 / Math.Sqrt(c)) : View.None,
            plu ? views.Normal(1, c * c, spread * 0.5 / Math.Sqrt(c)) : View.None,
            plu ? views.Normal(1, c * c, spread * 0.5 / Math.Sqrt(c)) : View.None,
            plu ? views.Normal(1, c, 0.2 * spread) : View.None);
        ChannelMapParameters parameters = Blank(1);
        if (dense)
        {
            float[] w = parameters.Weight.ToArray();
            for (int i = 0; i < c; i++) w[i * c + permutation[i]] += 1;
            parameters.Weight.Write(w);
        }
        return new ChannelMapStep(c, mixing, PixelsPerImage, permutation, sign, parameters, Blank(9), new ChannelMaps(
            views.Zeros(c, c), views.Zeros(1, c), views.Zeros(c, c), views.Zeros(1, c), views.Normal(c, c),
                views.Normal(1, c)))
        { Name = name };
    }

    private static double[] Doubles(View view) => view.IsNone ? [] : Array.ConvertAll(view.ToArray(),
        static v => (double)v);

    /// <summary>The definitions of <see cref="IChannelMap"/>, naively, in double.</summary>
    private sealed class Model(ChannelMapStep step)
    {
        private readonly int c = step.Channels;
        private readonly double[] bias = Doubles(step.Parameters.Bias), logs = Doubles(step.Parameters.Logs);
        private readonly double[] weight = Doubles(step.Parameters.Weight), logS = Doubles(step.Parameters.LogS);
        private readonly double[] lower = Doubles(step.Parameters.Lower), upper = Doubles(step.Parameters.Upper);

        public static Model Of(ChannelMapStep step) => new(step);

        public IEnumerable<(string Name, double[] Values, View Gradient)> Parameters(ChannelMapParameters gradients)
        {
            yield return ("bias", bias, gradients.Bias);
            yield return ("logs", logs, gradients.Logs);
            if (step.Mixing == ChannelMixing.Dense) yield return ("weight", weight, gradients.Weight);
            if (step.Mixing != ChannelMixing.Plu) yield break;
            yield return ("lower", lower, gradients.Lower);
            yield return ("upper", upper, gradients.Upper);
            yield return ("log_s", logS, gradients.LogS);
        }

        /// <summary>⟨DW', W'⟩ + ⟨DB', b'⟩ + g·logdet, whose gradients Backward must give.</summary>
        public double Loss(double[] dw, double[] db)
        {
            (double[] w, double[] b) = Maps();
            double loss = GLogDet * LogDet();
            for (int i = 0; i < w.Length; i++) loss += dw[i] * w[i];
            for (int j = 0; j < c; j++) loss += db[j] * b[j];
            return loss;
        }

        public double LogDet() => PixelsPerImage * (3 * logs.Sum() + LogAbsDet(Mix()));

        public (double[] W, double[] B) Maps()
        {
            double[] w = Mix(), b = new double[c];
            for (int i = 0; i < c; i++)
            {
                for (int j = 0; j < c; j++)
                {
                    w[i * c + j] *= Math.Exp(3 * logs[i]);
                    b[j] += bias[i] * w[i * c + j];
                }
            }
            return (w, b);
        }

        private double[] Mix()
        {
            if (step.Mixing == ChannelMixing.Dense) return [.. weight];
            double[] w = new double[c * c];
            for (int r = 0; r < c; r++)
            {
                if (step.Mixing == ChannelMixing.Permutation)
                {
                    w[step.Permutation[r] * c + r] = 1;
                    continue;
                }
                for (int k = 0; k <= r; k++)
                    for (int j = k; j < c; j++)
                        w[step.Permutation[r] * c + j] += (k == r ? 1 : lower[r * c + k])
                            * (j == k ? step.Sign[k] * Math.Exp(logS[k]) : upper[k * c + j]);
            }
            return w;
        }

        /// <summary>Gaussian elimination with complete pivoting, independent of the product's.</summary>
        private double LogAbsDet(double[] w)
        {
            double sum = 0;
            List<int> rows = [.. Enumerable.Range(0, c)], cols = [.. Enumerable.Range(0, c)];
            while (rows.Count > 0)
            {
                (int r, int k) = (rows[0], cols[0]);
                foreach (int i in rows)
                    foreach (int j in cols)
                        if (Math.Abs(w[i * c + j]) > Math.Abs(w[r * c + k])) (r, k) = (i, j);
                sum += Math.Log(Math.Abs(w[r * c + k]));
                rows.Remove(r);
                cols.Remove(k);
                foreach (int i in rows)
                {
                    double factor = w[i * c + k] / w[r * c + k];
                    foreach (int j in cols) w[i * c + j] -= factor * w[r * c + j];
                }
            }
            return sum;
        }
    }
}
