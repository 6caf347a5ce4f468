using GlowGpu.Kernels;
using NUnit.Framework;
using NUnit.Framework.Internal;

namespace GlowGpu.Tests.Checks;

/// <summary>The checks themselves: each lets the right pass and finds what it is there to find.</summary>
[TestFixture]
public sealed class ChecksTests
{
    [Test]
    public void ToleranceScalesWithTheTensor()
    {
        Tolerance.Close("x", new float[] { 1000, 0.001f }, [1000, 0], 1e-5);
        Assert.That(Failure(() => Tolerance.Close("x", new float[] { 1, 0.001f }, [1, 0], 1e-5, 1, 2)),
            Does.Contain("first x[0,1]: expected 0, got 0.00100000005, tolerance 7.07106781E-06"));
    }

    [TestCase(double.NaN)]
    [TestCase(double.PositiveInfinity)]
    public void ToleranceNeverAcceptsWhatIsNotFinite(double value)
    {
        Assert.That(Failure(() => Tolerance.Close("x", new float[] { (float)value, 1 }, [1, 1], 0.5)),
            Does.StartWith("1 of 2 elements differ"));
        Assert.That(Failure(() => Tolerance.Close("x", value, 1, 0.5)), Does.StartWith("x: expected 1"));
    }

    [Test]
    public void ToleranceWantsEveryElement() =>
        Assert.That(Failure(() => Tolerance.Close("x", new float[] { 1 }, [1, 1], 1)),
            Does.Contain("number of elements"));

    [Test]
    public void BitsOfZerosDiffer() =>
        Assert.That(Failure(() => Tolerance.SameBits("x", [0f], [-0f])), Does.Contain("the bits must agree"));

    [Test]
    public void GuardsFindWritesOutside()
    {
        foreach (Layout layout in Enum.GetValues<Layout>())
            foreach (int offset in new[] { -1, 4 })
            {
                using Guarded memory = new(Devices.Host.Backend);
                View view = memory.InOut("x", new float[12], 3, 4, layout);
                memory.Check();
                view.Buffer.Write(view.Offset + (offset < 0 ? 0 : 2 * view.Stride) + offset, [7]);
                Assert.That(Failure(memory.Check), Does.StartWith("x 3×4: 7 was written outside"));
            }
    }

    [Test]
    public void GuardsFindWritesIntoGaps()
    {
        using Guarded memory = new(Devices.Host.Backend);
        View view = memory.InOut("x", new float[12], 3, 4, Layout.SecondHalf);
        view.Buffer.Write(view.Offset + 5, [7]);
        Assert.That(Failure(memory.Check), Does.StartWith("x 3×4: 7 was written outside"));
    }

    [Test]
    public void GuardsFindChangedInputsAndForgottenOutputs()
    {
        using Guarded memory = new(Devices.Host.Backend);
        View input = memory.Input("x", new float[12], 3, 4);
        input.Buffer.Write(input.Offset + 5, [7]);
        Assert.That(Failure(memory.Check), Is.EqualTo("x[1,1] is an input but changed from 0 to 7"));
        using Guarded outputs = new(Devices.Host.Backend);
        View output = outputs.Output("y", 2, 2);
        output.Buffer.Write(output.Offset, [1, 2, 3]);
        Assert.That(Failure(outputs.Check), Is.EqualTo("y[1,1] was never written"));
    }

    [Test]
    public void GradientCheckAcceptsTheGradient()
    {
        double[] x = new Draw(1).Normal(200).Wide();
        GradientCheck.Check("x", Loss, x, Gradient(x), 1e-6);
    }

    [Test]
    public void GradientCheckFindsOneWrongElement()
    {
        double[] x = new Draw(1).Normal(200).Wide();
        float[] gradient = Gradient(x);
        gradient[137] *= 1.01f;
        Assert.That(Failure(() => GradientCheck.Check("x", Loss, x, gradient, 1e-6)),
            Does.Contain("worst element x[137]"));
    }

    [Test]
    public void GradientCheckFindsAMissingFactor()
    {
        double[] x = new Draw(1).Normal(200).Wide();
        float[] gradient = [.. Gradient(x).Select(static g => 0.99f * g)];
        Assert.That(Failure(() => GradientCheck.Check("x", Loss, x, gradient, 1e-6)),
            Does.Contain("when h is halved; expected 4 or more"));
        Assert.That(Failure(() => GradientCheck.Check("x", Loss, x, gradient, 1e-6, Smoothness.Kinked)),
            Does.Contain("the gradient says"));
    }

    [Test]
    public void GradientCheckFindsNaN()
    {
        double[] x = new Draw(1).Normal(20).Wide();
        float[] gradient = Gradient(x);
        gradient[3] = float.NaN;
        Assert.That(Failure(() => GradientCheck.Check("x", Loss, x, gradient, 1e-6)),
            Is.EqualTo("x: gradient is not finite at [3]: NaN"));
    }

    [Test]
    public void NumericJacobianKnowsALinearMap()
    {
        // x → 2x, rotated: determinant 2⁶.
        double logDet = NumericJacobian.LogDeterminant(static x => [2 * x[1], -2 * x[0], 2 * x[2], 2 * x[5], 2 * x[3],
            2 * x[4]], new double[6]);
        Assert.That(logDet, Is.EqualTo(6 * Math.Log(2)).Within(1e-10));
    }

    [Test]
    public void NumericJacobianKnowsAnElementwiseMap()
    {
        double[] x = new Draw(2).Normal(30).Wide();
        double logDet = NumericJacobian.LogDeterminant(static v => [.. v.Select(Math.Sinh)], x);
        Assert.That(logDet, Is.EqualTo(x.Sum(static v => Math.Log(Math.Cosh(v)))).Within(1e-8));
    }

    // Σ sin(x_i)·x_{i+1}, smooth and without symmetry.
    private static double Loss(double[] x)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++) sum += Math.Sin(x[i]) * x[(i + 1) % x.Length];
        return sum;
    }

    private static float[] Gradient(double[] x)
    {
        double[] g = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int next = (i + 1) % x.Length;
            g[i] += Math.Cos(x[i]) * x[next];
            g[next] += Math.Sin(x[i]);
        }
        return g.Narrow();
    }

    // An assertion that fails inside would count against this test, hence the context of its own.
    private static string Failure(Action check)
    {
        using (new TestExecutionContext.IsolatedContext())
        {
            try
            {
                check();
            }
            catch (AssertionException failure)
            {
                string message = failure.Message;
                return message.Trim();
            }
        }
        throw new InvalidOperationException("the check passed");
    }
}
