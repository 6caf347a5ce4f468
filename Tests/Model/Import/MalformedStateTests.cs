using GlowGpu.Engine;
using GlowGpu.Model.Import;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Import;

/// <summary>State dicts that are not what they should be: one sentence each.</summary>
public sealed class MalformedStateTests
{
    private const string Rosinality = "rosinality-one-level-grey", Chaiyujin = "chaiyujin-affine-lu-top-grey";

    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private string Path => folder.File("s.safetensors");

    [TestCase(Rosinality, "blocks.0.flows.1.coupling.net.2.bias", "[8]", "rosinality/glow-pytorch")]
    [TestCase(Rosinality, "blocks.0.flows.0.invconv.w_p", "[4,4]", "rosinality/glow-pytorch")]
    [TestCase(Rosinality, "blocks.0.prior.scale", "[1,8,1,1]", "rosinality/glow-pytorch")]
    [TestCase(Rosinality, "blocks.0.flows.1.actnorm.initialized", "[]", "rosinality/glow-pytorch")]
    [TestCase(Chaiyujin, "flow.layers.2.f.0.actnorm.logs", "[1,8,1,1]", "chaiyujin/glow-pytorch")]
    [TestCase(Chaiyujin, "learn_top.bias", "[16]", "chaiyujin/glow-pytorch")]
    [TestCase(Chaiyujin, "prior_h", "of 4 dimensions", "chaiyujin/glow-pytorch")]
    public void Missing_tensor(string fixture, string tensor, string shape, string program)
    {
        ImportFixture.Open(fixture).Rewrite(Path, tensor);
        Fails(fixture, $"{Path}: lacks the tensor '{tensor}' {shape} that a state dict of {program} has");
    }

    [Test]
    public void Missing_tensor_under_a_prefix()
    {
        ImportFixture.Open("rosinality-additive-dense-grey").Rewrite(Path, "module.blocks.1.prior.conv.bias");
        Fails("rosinality-additive-dense-grey", $"{Path}: lacks the tensor 'module.blocks.1.prior.conv.bias' [16] "
            + "that a state dict of rosinality/glow-pytorch has");
    }

    [TestCase(Rosinality, "blocks.0.flows.0.coupling.extra", "rosinality/glow-pytorch with 1 levels of 2 steps")]
    [TestCase(Rosinality, "optimizer.step", "rosinality/glow-pytorch with 1 levels of 2 steps")]
    [TestCase(Chaiyujin, "flow.layers.2.extra", "chaiyujin/glow-pytorch with 2 levels of 2 steps")]
    public void Extra_tensor(string fixture, string tensor, string program)
    {
        ImportFixture.Open(fixture).Rewrite(Path, null, w => w.Add(tensor, [1], new float[1]));
        Fails(fixture, $"{Path}: holds a tensor '{tensor}' that {program} does not have");
    }

    [Test]
    public void Wrong_shape()
    {
        Replace(Rosinality, "blocks.0.flows.1.actnorm.loc", [4], new float[4]);
        Fails(Rosinality, $"{Path}: tensor 'blocks.0.flows.1.actnorm.loc' is [4]; [1,4,1,1] is needed");
        Replace(Rosinality, "blocks.0.flows.0.actnorm.loc", [4], new float[4]);
        Fails(Rosinality,
            $"{Path}: tensor 'blocks.0.flows.0.actnorm.loc' is [4]; 4 dimensions of at least 1 are needed");
        Replace(Rosinality, "blocks.0.flows.0.actnorm.loc", [1, 6, 1, 1], new float[6]);
        Fails(Rosinality,
            $"{Path}: tensor 'blocks.0.flows.0.actnorm.loc' has 6 channels; a squeezed image has a multiple of 4");
        Replace(Rosinality, "blocks.0.flows.0.coupling.net.4.conv.weight", [3, 8, 3, 3], new float[216]);
        Fails(Rosinality, $"{Path}: tensor 'blocks.0.flows.0.coupling.net.4.conv.weight' has 3 outputs; 4 (affine) "
            + "or 2 (additive) are needed");
        Replace(Chaiyujin, "flow.layers.3.conv.logs", [4], new float[4]);
        Fails(Chaiyujin, $"{Path}: tensor 'flow.layers.3.conv.logs' is [4]; [4,1,1] is needed");
        ImportFixture.Open(Chaiyujin).Rewrite(Path, "flow.layers.3.conv.weight");
        Fails(Chaiyujin, $"{Path}: lacks the tensor 'flow.layers.3.actnorm.bias' [1,4,1,1] that a state dict of "
            + "chaiyujin/glow-pytorch has");
    }

    [Test]
    public void Wrong_type()
    {
        ImportFixture.Open(Rosinality).Rewrite(Path, "blocks.0.prior.conv.bias",
            static w => w.Add("blocks.0.prior.conv.bias", [8], new int[8]));
        Fails(Rosinality, $"{Path}: tensor 'blocks.0.prior.conv.bias' is I32; a floating-point type is needed");
    }

    [Test]
    public void Values_that_no_model_has()
    {
        Replace(Rosinality, "blocks.0.prior.conv.bias", [8], [0, 0, float.NaN, 0, 0, 0, 0, 0]);
        Fails(Rosinality, $"{Path}: tensor 'blocks.0.prior.conv.bias' holds NaN; every value must be finite");
        Replace(Rosinality, "blocks.0.flows.0.actnorm.scale", [1, 4, 1, 1], [1, 0, 1, 1]);
        Fails(Rosinality,
            $"{Path}: tensor 'blocks.0.flows.0.actnorm.scale' holds 0; an actnorm with it cannot be inverted");
        Replace(Rosinality, "blocks.0.flows.0.invconv.w_p", [4, 4], [1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        Fails(Rosinality,
            $"{Path}: tensor 'blocks.0.flows.0.invconv.w_p' is not a permutation matrix (row 2); it must be one");
        Replace(Rosinality, "blocks.0.flows.0.invconv.s_sign", [4], [1, 0, 1, 1]);
        Fails(Rosinality, $"{Path}: tensor 'blocks.0.flows.0.invconv.s_sign' holds 0; every sign must be 1 or -1");
        Replace(Rosinality, "blocks.0.flows.0.invconv.l_eye", [4, 4], new float[16]);
        Fails(Rosinality, $"{Path}: tensor 'blocks.0.flows.0.invconv.l_eye' is not the identity, as "
            + "rosinality/glow-pytorch builds it");
        Replace("rosinality-affine-dense-grey", "blocks.0.flows.0.invconv.weight", [4, 4, 1, 1], new float[16]);
        Fails("rosinality-affine-dense-grey",
            $"{Path}: the 1×1 convolution 'blocks.0.flows.0.invconv' is singular; it must be invertible");
        ImportFixture.Open(Rosinality).Rewrite(Path, "blocks.0.flows.1.actnorm.initialized",
            static w => w.Add("blocks.0.flows.1.actnorm.initialized", [], new byte[1]));
        Fails(Rosinality, $"{Path}: 'blocks.0.flows.1.actnorm.initialized' differs from that of the first actnorm; "
            + "all or none must be initialized");
    }

    [Test]
    public void Another_program()
    {
        Fails(Rosinality, $"{ImportFixture.Open(Chaiyujin).Path}: holds no tensor 'blocks.0.flows.0.actnorm.loc'; a "
            + "state dict of rosinality/glow-pytorch is needed",
            ImportFixture.Open(Chaiyujin).Path);
        Fails(Chaiyujin, $"{ImportFixture.Open(Rosinality).Path}: holds no tensor 'flow.layers.1.actnorm.bias'; a "
            + "state dict of chaiyujin/glow-pytorch is needed",
            ImportFixture.Open(Rosinality).Path);
    }

    [Test]
    public void Wrong_image_size()
    {
        string path = ImportFixture.Open(Rosinality).Path;
        Sentence(() => RosinalityImport.Read(path, [7, 8], 8),
            $"{path}: config: images of 7×8 cannot be squeezed 1 times; height and width must be multiples of 2");
        path = ImportFixture.Open(Chaiyujin).Path;
        Sentence(() => ChaiyujinImport.Read(path, [16, 16], false),
            $"{path}: is a model of images of 8×8 by its tensor 'prior_h'; --image-size can be left out or must say "
                + "so");
        Assert.That(ChaiyujinImport.Read(path, [8, 8], false).Config.ImageSize, Is.EqualTo(new[] { 8, 8 }));
    }

    [Test]
    public void Channel_orders_that_no_tensor_tells()
    {
        string path = ImportFixture.Open("chaiyujin-affine-reverse-grey").Path;
        Sentence(() => ChaiyujinImport.Read(path, null, false),
            $"{path}: has no invertible convolutions, and its tensors do not tell the order of its channels; "
                + "--permutation reverse says that it was trained with flow_permutation reverse");
        path = ImportFixture.Open(Chaiyujin).Path;
        Sentence(() => ChaiyujinImport.Read(path, null, true),
            $"{path}: has invertible convolutions; --permutation reverse does not fit it");
    }

    private void Replace(string fixture, string tensor, int[] shape, float[] values) =>
        ImportFixture.Open(fixture).Rewrite(Path, tensor, w => w.Add(tensor, shape, values));

    private void Fails(string fixture, string sentence, string? path = null) =>
        Sentence(() => ImportFixture.Open(fixture).Import(path ?? Path), sentence);

    private static void Sentence(Func<ModelWeights> import, string sentence) =>
        Assert.That(Assert.Throws<GlowException>(() => import())!.Message, Is.EqualTo(sentence));
}
