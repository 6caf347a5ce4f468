using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// Where latents leave RealNVP: all of the last variable, or the second half of a level's channels, under a standard
/// normal (Dinh et al. 2016, section 3.6), which is a Gaussian whose mean and logs are 0
/// (<see cref="IGaussianScore"/>).
/// </summary>
internal sealed class FactorOut(Device device)
{
    private readonly IBackend backend = device.Backend;

    /// <summary>
    /// Scores the second half of the channels, writes it to <paramref name="eps"/> unless None and returns the first.
    /// </summary>
    public Tensor Split(Tensor z, FlowPass pass, View eps)
    {
        int half = z.Channels / 2;
        Tensor rest = new Tensor(device, z.Pixels, half).Allocate();
        backend.Copy(z.Data.Columns(0, half), rest.Data);
        Score(z.Pixels, z.Data.Columns(half, half), pass, eps);
        if (pass.Recording) pass.Tape!.Record(new SplitNode(this, z, rest, pass.Gradient));
        else z.ReleaseData();
        return rest;
    }

    /// <summary>
    /// The variable in front of a split, from the first half of its channels and the latent of the second.
    /// </summary>
    public Tensor Join(Tensor rest, View eps)
    {
        int half = rest.Channels;
        Tensor z = new Tensor(device, rest.Pixels, 2 * half).Allocate();
        backend.Copy(rest.Data, z.Data.Columns(0, half));
        backend.Copy(eps, z.Data.Columns(half, half));
        rest.ReleaseData();
        return z;
    }

    /// <summary>Scores all of the last variable and writes it to <paramref name="eps"/> unless None.</summary>
    public void Top(Tensor z, FlowPass pass, View eps)
    {
        Score(z.Pixels, z.Data, pass, eps);
        pass.Tape?.Record(new TopNode(this, z, pass.Gradient));
    }

    private void Score(Pixels pixels, View z, FlowPass pass, View eps)
    {
        View zeros = Zeros(z);
        backend.GaussianScore.Forward(pixels, StatsLayout.Halves, z, zeros, pass.LogLikelihood, eps);
        device.Arena.Return(zeros);
    }

    private void Backward(Pixels pixels, View z, View dz, float gradient)
    {
        View zeros = Zeros(z), unused = device.Arena.Rent(z.Rows, 2 * z.Cols);
        backend.GaussianScore.Backward(pixels, StatsLayout.Halves, z, zeros, gradient, dz, unused);
        device.Arena.Return(unused);
        device.Arena.Return(zeros);
    }

    private View Zeros(View z)
    {
        View zeros = device.Arena.Rent(z.Rows, 2 * z.Cols);
        backend.Fill(zeros, 0);
        return zeros;
    }

    private sealed class SplitNode(FactorOut layer, Tensor z, Tensor rest, float gradient) : ITapeNode
    {
        public void Backward()
        {
            int half = rest.Channels;
            layer.backend.Copy(rest.Gradient, z.Gradient.Columns(0, half));
            layer.Backward(z.Pixels, z.Data.Columns(half, half), z.Gradient.Columns(half, half), gradient);
            rest.Release();
        }
    }

    private sealed class TopNode(FactorOut layer, Tensor z, float gradient) : ITapeNode
    {
        public void Backward() => layer.Backward(z.Pixels, z.Data, z.Gradient, gradient);
    }
}
