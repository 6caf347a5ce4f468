using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Families;

/// <summary>
/// RealNVP and NICE against golden values that PyTorch computed in double, gradients by its own differentiation.
/// </summary>
[TestFixture]
public sealed class FamilyGoldenTests
{
    private const double Forward = 4e-6, Latent = 4e-5, Gradient = 2e-4;

    private static IEnumerable<string> Names => ["realnvp/rgb", "realnvp/grey-one-level",
        "nice/logistic", "nice/gaussian-rgb"];

    private static IEnumerable<TestCaseData> Cases =>
        from name in Names
        from device in Devices.All
        where device.Kind != DeviceKind.Emulator || name.StartsWith("nice", StringComparison.Ordinal)
        select new TestCaseData(device, name).SetCategory(device.Category);

    [TestCaseSource(nameof(Cases))]
    public void LikelihoodsLatentsLossAndEveryGradient(TestDevice device, string name)
    {
        FixtureFile golden = FixtureFile.Open(name);
        using FamilyUnderTest model = new(device, golden.Model, golden.Parameters());
        Assert.That(model.Model.Parameters.All.Select(static p => p.Name), Is.EquivalentTo(golden.Under("param.")));
        float[] x = golden.Floats("x");
        int count = golden.Shape("x")[0];

        (Latents latents, BatchResult evaluated) = model.Model.Encode(x, count, null);
        Tolerance.Close("log_likelihood", evaluated.LogLikelihoods, golden.Doubles("log_likelihood"),
            device.Network(Forward));
        for (int l = 0; l < latents.Eps.Length; l++)
            Tolerance.Close($"eps{l}", latents.Eps[l], golden.Doubles($"eps{l}"), device.Network(Latent),
                golden.Shape($"eps{l}"));

        BatchResult trained = model.Model.LossAndGradients(x, count, null, MemoryMode.Stored, 0);
        Tolerance.Close("training log_likelihood", trained.LogLikelihoods, golden.Doubles("train.log_likelihood"),
            device.Network(Forward));
        Tolerance.Close("loss", trained.Loss, golden.Doubles("train.loss")[0], device.Network(Forward));
        foreach (Parameter p in model.Model.Parameters.All.Where(static p => !p.IsStatistic))
        {
            Assert.That(p.Shape, Is.EqualTo(golden.Shape("param." + p.Name)), p.Name);
            double[] expected = golden.Doubles("grad." + p.Name);
            // A bias in front of a batch normalisation cancels, and only rounding is left of its gradient.
            if (Tolerance.Rms(expected) < 1e-12)
                Assert.That(model.Model.Parameters.Gradient(p.Name).ToArray(), Is.All.InRange(-1e-5f, 1e-5f), p.Name);
            else
                Tolerance.Close($"gradient of {p.Name}", model.Model.Parameters.Gradient(p.Name).ToArray(), expected,
                    device.Network(Gradient), p.Shape);
        }
    }
}
