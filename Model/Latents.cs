namespace GlowGpu.Model;

/// <summary>
/// All latents of a batch: <c>Eps[l]</c> is <c>[N,h,w,c]</c> of level l, row-major. One object, so that no level is
/// ever lost between encode and decode.
/// </summary>
public sealed record Latents(int Count, float[][] Eps);
