using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Reference;

/// <summary>
/// The reference itself, against golden values of an independent implementation in double and against full
/// Jacobians: whatever is compared with it later rests on this.
/// </summary>
[TestFixture]
public sealed class ReferenceGlowTests
{
    // Latents, gradients and images of the fixtures are rounded to float32.
    private const double Float = 2 * Tolerance.Ulp;
    private const double Double = 1e-11;

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void LogLikelihoodsAndLatents(string name)
    {
        FixtureFile fixture = FixtureFile.Open(name);
        ReferenceGlow model = new(fixture.Config, fixture.Parameters());
        foreach ((string prefix, double[] u) in new[] { ("", fixture.Doubles("noise")), ("center.", Center(fixture)) })
        {
            ReferenceEncoding got = model.Encode(Dequantized(fixture, u), fixture.Count, fixture.Labels?.Wide());
            double[] expected = fixture.Doubles($"f64.{prefix}log_likelihood");
            Tolerance.Close($"{prefix}log_likelihood", got.LogLikelihoods, expected, Double);
            double nats = fixture.Config.Dimensions * Math.Log(2);
            Tolerance.Close($"{prefix}bits_per_dim", got.LogLikelihoods.Select(v => -v / nats).ToArray(),
                fixture.Doubles($"f64.{prefix}bits_per_dim"), Double);
            for (int l = 0; l < got.Eps.Length; l++)
                Tolerance.Close($"{prefix}eps{l}", got.Eps[l].Data, fixture.Doubles($"{prefix}eps{l}"), Float,
                    fixture.Shape($"{prefix}eps{l}"));
        }
    }

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void Loss(string name)
    {
        FixtureFile fixture = FixtureFile.Open(name);
        double loss = new ReferenceGlow(fixture.Config, fixture.Parameters()).Loss(
            Dequantized(fixture, fixture.Doubles("noise")), fixture.Count, fixture.Labels?.Wide(), fixture.ClassWeight);
        Tolerance.Close("loss", loss, fixture.Doubles("f64.loss")[0], Double);
    }

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void DecodesToTheGoldenImages(string name)
    {
        FixtureFile fixture = FixtureFile.Open(name);
        double[][] eps = [.. Enumerable.Range(0, fixture.Config.Levels).Select(l => fixture.Doubles($"decode.eps{l}"))];
        double[] x = new ReferenceGlow(fixture.Config, fixture.Parameters()).Decode(eps, fixture.Shape("decode.x")[0],
            fixture.Labels?.Wide());
        Tolerance.Close("decode.x", x, fixture.Doubles("decode.x"), Float, fixture.Shape("decode.x"));
    }

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void DecodeInvertsEncode(string name)
    {
        FixtureFile fixture = FixtureFile.Open(name);
        ReferenceGlow model = new(fixture.Config, fixture.Parameters());
        double[] x = Dequantized(fixture, fixture.Doubles("noise"));
        ReferenceEncoding encoding = model.Encode(x, fixture.Count, fixture.Labels?.Wide());
        double[] again = model.Decode([.. encoding.Eps.Select(static e => e.Data)], fixture.Count,
            fixture.Labels?.Wide());
        Tolerance.Close("x", again, x, 1e-10, fixture.Shape("images"));
    }

    [TestCaseSource(typeof(FixtureFile), nameof(FixtureFile.Names))]
    public void GoldenGradientsBelongToTheReferenceLoss(string name)
    {
        FixtureFile fixture = FixtureFile.Open(name);
        Dictionary<string, double[]> parameters = fixture.Parameters();
        double[] x = Dequantized(fixture, fixture.Doubles("noise"));
        string[] trainable = [.. parameters.Keys.Where(p => fixture.Has("grad." + p))];
        Assert.That(trainable, Is.Not.Empty);
        foreach (string parameter in trainable)
        {
            double[] value = parameters[parameter];
            GradientCheck.Check(parameter, p =>
            {
                parameters[parameter] = p;
                double loss = new ReferenceGlow(fixture.Config, parameters).Loss(x, fixture.Count,
                    fixture.Labels?.Wide(), fixture.ClassWeight);
                parameters[parameter] = value;
                return loss;
            }, value, fixture.Floats("grad." + parameter), 1e-6, Smoothness.Kinked);
        }
    }

    [TestCase("affine", "invconv", "dense")]
    [TestCase("affine", "invconv", "plu")]
    [TestCase("affine", "shuffle", "dense")]
    [TestCase("additive", "reverse", "dense")]
    public void LogLikelihoodIsThatOfTheFullJacobian(string coupling, string permutation, string invconv)
    {
        GlowConfig config = ReferenceModels.Tiny(coupling, permutation, invconv);
        Dictionary<string, double[]> parameters = ReferenceModels.Parameters(config, seed: 3);
        ReferenceGlow model = new(config, parameters);
        double[] x = new Draw(5).Uniform(config.Dimensions, -0.5, 0.5).Wide();
        ReferenceEncoding encoding = model.Encode(x, 1, null);
        double logDet = NumericJacobian.LogDeterminant(v => Flat(model.Encode(v, 1, null).Eps), x);
        // eps is standard normal under the model, whatever the priors' mean and logs are.
        double expected = logDet - config.Dimensions * Math.Log(config.Bins)
            - 0.5 * Flat(encoding.Eps).Sum(static e => e * e + Math.Log(2 * Math.PI));
        Tolerance.Close("log_likelihood", encoding.LogLikelihoods[0], expected, 1e-9);
    }

    private static double[] Flat(Nhwc[] eps) => [.. eps.SelectMany(static e => e.Data)];

    private static double[] Center(FixtureFile fixture)
    {
        double[] half = new double[fixture.Doubles("noise").Length];
        Array.Fill(half, 0.5);
        return half;
    }

    private static double[] Dequantized(FixtureFile fixture, double[] u) =>
        DequantizeReference.Forward(fixture.Doubles("images"), fixture.Config.NBits, u);
}
