using GlowGpu.Engine;
using ScottPlot;

namespace GlowGpu.App.Plots;

/// <summary>Plots as files that are either whole or not there.</summary>
internal static class PlotFile
{
    /// <summary>Writes a PNG.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void Save(Plot plot, string path, int width, int height) =>
        AtomicFile.Write(path, stream => stream.Write(plot.GetImageBytes(width, height, ImageFormat.Png)));
}
