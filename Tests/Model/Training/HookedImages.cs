using GlowGpu.Model.Data;

namespace GlowGpu.Tests.Model.Training;

/// <summary>Another source, with something that happens whenever an image is read.</summary>
internal sealed class HookedImages(IImageSource inner, Action onRead) : IImageSource
{
    public string Name => inner.Name;

    public string Hash => inner.Hash;

    public int Count => inner.Count;

    public int Height => inner.Height;

    public int Width => inner.Width;

    public int Channels => inner.Channels;

    public IReadOnlyList<string> Classes => inner.Classes;

    public int Label(int index) => inner.Label(index);

    public void Read(int index, Span<byte> pixels)
    {
        onRead();
        inner.Read(index, pixels);
    }
}
