using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

[TestFixture]
public sealed class HostBackendTests
{
    [TestCase(1, "cpu (1 thread, ")]
    [TestCase(3, "cpu (3 threads, ")]
    public void Name_says_threads_and_vectors(int threads, string start)
    {
        using HostBackend backend = new(threads);
        Assert.That(backend.Name, Is.EqualTo(start + HostProcessor.Vectors + ")"));
        Assert.That(backend.Workers.Count, Is.EqualTo(threads));
    }

    [Test]
    public void By_default_every_physical_core_has_a_thread()
    {
        using HostBackend backend = new();
        Assert.That(backend.Workers.Count, Is.EqualTo(HostProcessor.PhysicalCores));
        Assert.That(backend.Workers.Count, Is.InRange(1, Environment.ProcessorCount));
    }

    [Test]
    public void No_threads_are_refused() => Assert.That(static () => new HostBackend(0),
        Throws.ArgumentException.With.Message.EqualTo("cpu: threads is 0; at least 1 is needed"));

    [Test]
    public void Dispose_twice_is_harmless()
    {
        HostBackend backend = new(2);
        backend.Dispose();
        Assert.That(backend.Dispose, Throws.Nothing);
    }

    [TestCase(1, 1, 1)]
    [TestCase(5, 3, 7)]
    [TestCase(3, 70, 71)]
    [TestCase(40000, 3, 5)]
    [TestCase(2, 100001, 100001)]
    [TestCase(0, 4, 4)]
    public void Fill_and_copy_reach_every_element_and_no_gap(int rows, int cols, int stride)
    {
        using HostBackend backend = new(2);
        using IBuffer from = backend.Allocate((long)rows * stride + 16),
            to = backend.Allocate((long)rows * stride + 16);
        using IBuffer packed = backend.Allocate((long)rows * cols);
        float[] start = new float[(long)rows * stride + 16], got = new float[start.Length],
            dense = new float[rows * cols];
        for (int i = 0; i < start.Length; i++) start[i] = i + 1;
        from.Write(0, start);
        to.Write(0, start);
        View source = new(from, 16, rows, cols, stride), target = new(to, 16, rows, cols, stride);
        View middle = View.Dense(packed, 0, rows, cols);

        backend.Copy(source, middle);
        packed.Read(0, dense);
        bool copied = true;
        for (int i = 0; i < dense.Length; i++) copied &= dense[i] == start[16 + i / cols * stride + i % cols];
        Assert.That(copied, "strided to dense");

        backend.Fill(target, -1);
        to.Read(0, got);
        Assert.That(Matches(got, i => Inside(i) ? -1 : start[i]), "fill");
        backend.Copy(middle, target);
        to.Read(0, got);
        Assert.That(Matches(got, i => start[i]), "dense to strided");
        backend.Fill(target, 0);
        backend.Copy(source, target);
        to.Read(0, got);
        Assert.That(Matches(got, i => start[i]), "strided to strided");

        bool Inside(int i) => i >= 16 && (i - 16) % stride < cols;
    }

    [Test]
    public void Copy_names_shapes_that_differ()
    {
        using HostBackend backend = new(1);
        using IBuffer buffer = backend.Allocate(12);
        Assert.That(() => backend.Copy(View.Dense(buffer, 0, 2, 3), View.Dense(buffer, 6, 3, 2)),
            Throws.ArgumentException
            .With.Message.EqualTo("copy: source is [2,3] and target [3,2]; they must have one shape"));
    }

    [Test]
    public void Shapes_that_do_not_fit_are_named()
    {
        using HostBackend backend = new(1);
        using IBuffer buffer = backend.Allocate(8 * 31 * 32 * 3);
        View Dense(int rows, int cols) => View.Dense(buffer, 0, rows, cols);
        AssertSays("squeeze: input [8,31,32,3] has odd height 31; height and width must be even",
            () => backend.Squeeze.Forward(new Pixels(8, 31, 32), Dense(8 * 31 * 32, 3), Dense(1, 1)));
        AssertSays("couple: h is [4,6]; it must be [4,12]",
            () => backend.Couple.Forward(CouplingKind.Affine, new Pixels(1, 2, 2), Dense(4, 6),
                Dense(4, 6), View.None));
        AssertSays("couple: h has rows of 6 that lie 12 apart; it must be dense",
            () => backend.Couple.Inverse(CouplingKind.Additive, new Pixels(1, 2, 2), Dense(4, 6),
                Dense(4, 12).Columns(0, 6), View.None));
        AssertSays("gaussian score: logp holds 3 values; it must hold 2",
            () => backend.GaussianScore.Forward(new Pixels(2, 1, 1), StatsLayout.Halves, Dense(2, 3), Dense(2, 6),
                Dense(1, 3), View.None));
        AssertSays("dequantize: bits is 9; it must be 1 to 8",
            () => backend.Dequantize.Forward(Dense(1, 4), 9, true, 0, 0, Dense(1, 4)));
        AssertSays("prior: pixels are [0,4,4]; images, height and width must be at least 1",
            () => backend.Prior.Forward(true, new Pixels(0, 4, 4), default, View.None, View.None));
        AssertSays("sum of squares: x is missing or has no columns; it must be given",
            () => backend.OptimizerStep.SumOfSquares(View.None, Dense(1, 1)));
    }

    [TestCase(10)]
    [TestCase(-1)]
    [TestCase(1.5f)]
    [TestCase(float.NaN)]
    public void Labels_that_are_no_class_are_named(float label)
    {
        using HostBackend backend = new(1);
        using HostViews v = new(1);
        Pixels pixels = new(2, 1, 1);
        AssertSays($"class head: label {label} of image 1 is not a class; labels must be whole numbers from 0 to 9",
            () => backend.ClassHead.Forward(pixels, v.Zeros(2, 3),
                new ClassHeadParameters(v.Zeros(3, 10), v.Zeros(1, 10), v.Zeros(1, 10)),
                v.Of(0, label), v.Zeros(2, 3), v.Zeros(2, 10), v.Zeros(1, 2)));
        AssertSays($"prior: label {label} of image 1 is not a class; labels must be whole numbers from 0 to 9",
            () => backend.Prior.Forward(true, pixels, new PriorParameters(default, v.Zeros(10, 4), v.Zeros(1, 4),
                v.Zeros(1, 4)),
                v.Of(0, label), v.Zeros(2, 4)));
    }

    private static void AssertSays(string sentence, Action action) =>
        Assert.That(action, Throws.ArgumentException.With.Message.EqualTo(sentence));

    private static bool Matches(float[] got, Func<int, float> expected)
    {
        for (int i = 0; i < got.Length; i++)
            if (got[i] != expected(i)) return false;
        return true;
    }
}
