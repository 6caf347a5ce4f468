using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// Header of a <c>.npy</c> array (versions 1 to 3): the bytes 93 'NUMPY', the version, a length, and a Python
/// dictionary with
/// <c>descr</c>, <c>fortran_order</c> and <c>shape</c>.
/// </summary>
/// <param name="Descr">element type as NumPy spells it, e.g. <c>|u1</c></param>
/// <param name="FortranOrder">first index fastest</param>
/// <param name="Shape">dimensions</param>
/// <param name="Bytes">length of the header: where the elements begin</param>
internal sealed partial record NumpyHeader(string Descr, bool FortranOrder, long[] Shape, int Bytes)
{
    // NumPy itself refuses longer ones; real headers have about a hundred bytes.
    private const int MostBytes = 10_000;

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Shape as NumPy would write it.</summary>
    public string ShapeText => $"[{string.Join(",", Shape)}]";

    /// <summary>Reads a header from the stream's present position.</summary>
    /// <exception cref="GlowException">It is none; the sentence starts with <paramref name="what"/>.</exception>
    public static NumpyHeader Read(string what, Stream stream)
    {
        Span<byte> start = stackalloc byte[8], length = stackalloc byte[4];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (read == 0) throw new GlowException($"{what}: is empty; a .npy array starts with 93 'NUMPY'");
        if (read < start.Length || !start.StartsWith(Magic))
            throw new GlowException($"{what}: is no .npy array, which starts with 93 'NUMPY'");
        int major = start[6];
        if (major is < 1 or > 3)
            throw new GlowException(
            $"{what}: is a .npy array of version {major}.{start[7]}; versions 1 to 3 can be read");
        length = length[..(major == 1 ? 2 : 4)];
        if (stream.ReadAtLeast(length, length.Length, throwOnEndOfStream: false) < length.Length) throw EndsEarly(what);
        long size = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(length)
            : BinaryPrimitives.ReadUInt32LittleEndian(length);
        if (size > MostBytes)
            throw new GlowException(
            $"{what}: claims a header of {size} bytes; a .npy header has at most {MostBytes}");
        var text = new byte[size];
        if (stream.ReadAtLeast(text, text.Length, throwOnEndOfStream: false) < text.Length) throw EndsEarly(what);
        return Parse(what, (major == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(text),
            start.Length + length.Length + text.Length);
    }

    /// <summary>A version 1 header, padded so that the elements begin at a multiple of 64 bytes.</summary>
    public static byte[] Write(string descr, ReadOnlySpan<long> shape)
    {
        // A tuple of one needs its comma; NumPy writes one for every length but reads both.
        string sides = string.Join(", ", shape.ToArray()) + (shape.Length == 1 ? "," : "");
        string text = $"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sides}), }}";
        int total = (Magic.Length + 4 + text.Length + 1 + 63) / 64 * 64;
        var header = new byte[total];
        Magic.CopyTo(header);
        header[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)(total - 10));
        Encoding.ASCII.GetBytes(text.PadRight(total - 11) + "\n", header.AsSpan(10));
        return header;
    }

    private static NumpyHeader Parse(string what, string text, int bytes)
    {
        Match descr = DescrPattern().Match(text), order = OrderPattern().Match(text),
            shape = ShapePattern().Match(text);
        if (!order.Success || !shape.Success || !text.TrimStart().StartsWith('{'))
            throw new GlowException($"{what}: has a .npy header that names no fortran_order or shape: {Excerpt(text)}");
        if (!descr.Success)
            throw new GlowException($"{what}: holds records or a type that cannot be read: {Excerpt(text)}");
        string[] sides = shape.Groups[1].Value.Split(',',
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var dimensions = new long[sides.Length];
        for (int i = 0; i < sides.Length; i++)
        {
            // Python 2 wrote long integers with an L.
            if (!long.TryParse(sides[i].TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture,
                out dimensions[i]))
                throw new GlowException(
                    $"{what}: claims the shape ({shape.Groups[1].Value}), which is larger than can be read");
        }
        return new NumpyHeader(descr.Groups[1].Value, order.Groups[1].Value == "True", dimensions, bytes);
    }

    private static string Excerpt(string text) => text.Trim() is { Length: > 120 } longer ? longer[..120] + "…"
        : text.Trim();

    private static GlowException EndsEarly(string what) =>
        new($"{what}: ends inside its header; the file is truncated");

    [GeneratedRegex("""['"]descr['"]\s*:\s*['"]([^'"]*)['"]""")]
    private static partial Regex DescrPattern();

    [GeneratedRegex("""['"]fortran_order['"]\s*:\s*(True|False)""")]
    private static partial Regex OrderPattern();

    [GeneratedRegex("""['"]shape['"]\s*:\s*\(([0-9L,\s]*)\)""")]
    private static partial Regex ShapePattern();
}
