using GlowGpu.Engine;
using GlowGpu.Model;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Families;

/// <summary>Configs of every family as JSON, and what is said of values that do not fit.</summary>
[TestFixture]
public sealed class FlowConfigTests
{
    [Test]
    public void EveryFamilyComesBackFromItsJson()
    {
        foreach (FlowConfig config in new FlowConfig[]
        {
            new GlowConfig { Coupling = "additive", Classes = 3, NBits = 5, EdgeBias = false },
            new RealNvpConfig { Blocks = 2, Levels = 3 },
            new NiceConfig { Hidden = 2, Prior = "gaussian" },
        })
        {
            FlowConfig again = FlowConfig.FromJson(config.ToJson());
            Assert.That(again.GetType(), Is.EqualTo(config.GetType()));
            Assert.That(again.ToJson(), Is.EqualTo(config.ToJson()));
            Assert.That(config.ToJson(),
                Does.StartWith($"{{\"family\":\"{config.Family}\",\"image_size\":[32,32],\"channels\":3,"));
        }
    }

    [Test]
    public void WithoutFamilyItIsAGlow()
    {
        FlowConfig config = FlowConfig.FromJson("""{"image_size":[8,8],"levels":2,"depth":1,"width":4,"classes":3,"n_bits":5}""");
        Assert.That(config, Is.InstanceOf<GlowConfig>().With.Property("Classes").EqualTo(3).And.Property("NBits")
            .EqualTo(5));
    }

    [TestCase("""{"family":"vae"}""", "config: family is 'vae'; it must be one of glow, realnvp, nice")]
    [TestCase("""{"family":"realnvp","levels":3,"image_size":[6,8]}""",
        "config: images of 6×8 cannot be squeezed 2 times; height and width must be multiples of 4")]
    [TestCase("""{"family":"realnvp","blocks":-1}""", "config: blocks is -1; it must not be negative")]
    [TestCase("""{"family":"nice","levels":2}""", "config: levels is 2; a nice model has one level, so it must be 1")]
    [TestCase("""{"family":"nice","hidden":0}""", "config: hidden is 0; it must be at least 1")]
    [TestCase("""{"family":"nice","prior":"cauchy"}""", "config: prior is 'cauchy'; it must be one of logistic, gaussian")]
    [TestCase("""{"family":"nice","image_size":[3,5]}""", "config: images of 3×5×3 have 45 values; nice needs an even number to halve")]
    public void ValuesThatDoNotFitAreNamed(string json, string expected) =>
        Assert.That(() => FlowConfig.FromJson(json), Throws.TypeOf<GlowException>().With.Message.EqualTo(expected));

    [Test]
    public void PublishedSizesAreTheDefaults()
    {
        RealNvpConfig nvp = new();
        Assert.That((nvp.Levels, nvp.Depth, nvp.Width, nvp.Blocks), Is.EqualTo((2, 3, 64, 8)));
        Assert.That(Enumerable.Range(0, 2).Select(l => nvp.Couplings(l).Count(static c => c.Checkerboard)),
            Is.EqualTo(new[] { 3, 4 }));
        Assert.That(Enumerable.Range(0, 2).Select(l => nvp.Couplings(l).Count(static c => !c.Checkerboard)),
            Is.EqualTo(new[] { 3, 0 }));
        NiceConfig nice = new();
        Assert.That((nice.Depth, nice.Width, nice.Hidden, nice.Prior), Is.EqualTo((4, 1000, 5, "logistic")));
    }
}
