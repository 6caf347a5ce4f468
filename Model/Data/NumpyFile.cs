using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// NumPy arrays as image sets: a <c>.npy</c> of <c>uint8 [N,H,W,C]</c> or <c>[N,H,W]</c>, or a <c>.npz</c> with such
/// an array <c>images</c> and, if there, integer
/// <c>labels [N]</c>. A <c>.npy</c> is read from the file when asked for; a <c>.npz</c> is unpacked into memory.
/// </summary>
public static class NumpyFile
{
    private const string ImagesEntry = "images.npy", LabelsEntry = "labels.npy";

    /// <summary>Opens a <c>.npy</c> or <c>.npz</c> file.</summary>
    /// <exception cref="GlowException">The file is missing, broken or holds something else.</exception>
    public static IImageSource Open(string path, string? name = null)
    {
        name ??= Path.GetFileName(path);
        return path.EndsWith(".npz", StringComparison.OrdinalIgnoreCase) ? OpenArchive(path, name)
            : OpenArray(path, name);
    }

    /// <summary>Writes bytes as a <c>.npy</c> array of that shape, atomically.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void Write(string path, ReadOnlyMemory<byte> values, params long[] shape)
    {
        CheckCount(values.Length, shape);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(NumpyHeader.Write("|u1", shape));
            stream.Write(values.Span);
        });
    }

    /// <summary>Writes floats as a <c>.npy</c> array of that shape, atomically.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void Write(string path, ReadOnlyMemory<float> values, params long[] shape)
    {
        CheckCount(values.Length, shape);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(NumpyHeader.Write("<f4", shape));
            // In pieces, because a span of bytes cannot be longer than 2 GiB.
            const int piece = 1 << 20;
            for (int done = 0; done < values.Length; done += piece)
                stream.Write(MemoryMarshal.AsBytes(values.Span.Slice(done, Math.Min(piece, values.Length - done))));
        });
    }

    private static void CheckCount(int count, long[] shape)
    {
        if (shape.Aggregate(1L, (a, b) => a * b) != count)
            throw new ArgumentException($"{count} values do not fill [{string.Join(",", shape)}]", nameof(shape));
    }

    private static ImageArray OpenArray(string path, string name)
    {
        NumpyHeader header = InputFile.ReadStream(path, stream => NumpyHeader.Read(path, stream));
        ArrayShape shape = ImagesShape(path, header);
        var pixels = new FilePixels(path, header.Bytes, shape.Bytes);
        return new ImageArray(name, pixels, shape.Count, shape.Height, shape.Width, shape.Channels, null, []);
    }

    private static ImageArray OpenArchive(string path, string name) => InputFile.ReadStream(path, stream =>
    {
        try
        {
            using ZipArchive archive = new(stream, ZipArchiveMode.Read);
            ZipArchiveEntry images = archive.GetEntry(ImagesEntry) ?? throw new GlowException(
                $"{path}: holds no array 'images' (it holds {Names(archive)}); save it as numpy.savez(file, "
                    + "images=…, labels=…)");
            (ArrayShape shape, MemoryPixels pixels) = ReadImages($"{path}: images", images);
            int[]? labels = archive.GetEntry(LabelsEntry) is { } entry ? ReadLabels($"{path}: labels", entry,
                shape.Count) : null;
            return new ImageArray(name, pixels, shape.Count, shape.Height, shape.Width, shape.Channels, labels,
                ClassNames.Numbers(path, labels));
        }
        catch (InvalidDataException e)
        {
            throw new GlowException($"{path}: is no whole .npz archive; it is truncated or of another kind", e);
        }
    });

    private static string Names(ZipArchive archive) => archive.Entries.Count == 0 ? "nothing"
        : string.Join(", ", archive.Entries.Take(8).Select(e => Path.GetFileNameWithoutExtension(e.FullName)))
        + (archive.Entries.Count > 8 ? ", …" : "");

    private static (ArrayShape Shape, MemoryPixels Pixels) ReadImages(string what, ZipArchiveEntry entry)
    {
        using Stream stream = entry.Open();
        ArrayShape shape = ImagesShape(what, NumpyHeader.Read(what, stream));
        (MemoryPixels pixels, long have) = MemoryPixels.Load(stream, shape.Bytes);
        return have < shape.Bytes ? throw InputFile.EndsEarly(what, have, shape.Bytes) : (shape, pixels);
    }

    private static ArrayShape ImagesShape(string what, NumpyHeader header)
    {
        if (header.Descr is not ("|u1" or "u1" or "<u1" or ">u1" or "=u1"))
            throw new GlowException($"{what}: holds elements of type '{header.Descr}'; images must be uint8 ('|u1')");
        ArrayShape shape = ArrayShape.Of(what, header.Shape);
        return !header.FortranOrder ? shape
            : throw new GlowException($"{what}: is in Fortran order; save it as numpy.ascontiguousarray(images)");
    }

    private static int[] ReadLabels(string what, ZipArchiveEntry entry, int count)
    {
        using Stream stream = entry.Open();
        NumpyHeader header = NumpyHeader.Read(what, stream);
        string kind = header.Descr.TrimStart('<', '>', '|', '=');
        if (kind is not ("u1" or "u2" or "u4" or "u8" or "i1" or "i2" or "i4" or "i8"))
            throw new GlowException($"{what}: holds elements of type '{header.Descr}'; labels must be integers");
        // [N] or a column [N,1].
        if (header.Shape.Length is not (1 or 2) || header.Shape[0] != count || header.Shape.Length == 2
            && header.Shape[1] != 1)
            throw new GlowException(
                $"{what}: has shape {header.ShapeText}; there are {count} images, so labels need [{count}]");
        int size = kind[1] - '0';
        var bytes = new byte[(long)count * size];
        int have = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (have < bytes.Length) throw InputFile.EndsEarly(what, have, bytes.Length);
        var labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            Span<byte> element = bytes.AsSpan(i * size, size);
            if (header.Descr[0] == '>') element.Reverse();
            long label = kind switch
            {
                "u1" => element[0],
                "i1" => (sbyte)element[0],
                "u2" => BinaryPrimitives.ReadUInt16LittleEndian(element),
                "i2" => BinaryPrimitives.ReadInt16LittleEndian(element),
                "u4" => BinaryPrimitives.ReadUInt32LittleEndian(element),
                "i4" => BinaryPrimitives.ReadInt32LittleEndian(element),
                _ => BinaryPrimitives.ReadInt64LittleEndian(element),
            };
            // Whatever does not fit is out of range for a class in any case; the check of the range names it.
            labels[i] = (int)Math.Clamp(label, int.MinValue, int.MaxValue);
        }
        return labels;
    }
}
