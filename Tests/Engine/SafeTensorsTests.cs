using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

/// <summary>Round trips, and the published layout byte by byte.</summary>
public sealed class SafeTensorsTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    [Test]
    public void Everything_written_is_read_back_bit_for_bit()
    {
        float[] floats = [0f, -0f, 1.5f, float.NaN, float.PositiveInfinity, float.Epsilon];
        double[] doubles = [Math.PI, -1e300];
        int[] ints = [int.MinValue, 0, int.MaxValue];
        byte[] bytes = [0, 127, 255];
        SafeTensorsWriter writer = new();
        writer.Metadata["config"] = "{\"a\": \"ä\\n\"}";
        writer.Add("z.bytes", [3], bytes);
        writer.Add("a.floats", [2, 3], floats);
        writer.Add("m.doubles", [2, 1], doubles);
        writer.Add("b.ints", [3], ints);
        writer.Add("empty", [0, 5], Array.Empty<float>());
        writer.Add("scalar", [], new float[] { 7 });
        writer.Save(folder.File("x.safetensors"));

        using SafeTensorsReader reader = SafeTensorsReader.Open(folder.File("x.safetensors"));
        Assert.Multiple(() =>
        {
            Assert.That(reader.Metadata,
                Is.EqualTo(new Dictionary<string, string> { ["config"] = "{\"a\": \"ä\\n\"}" }));
            Assert.That(reader.ReadFloats("a.floats").Select(BitConverter.SingleToInt32Bits),
                Is.EqualTo(floats.Select(BitConverter.SingleToInt32Bits)));
            Assert.That(reader.ReadDoubles("m.doubles"), Is.EqualTo(doubles));
            Assert.That(reader.ReadInts("b.ints"), Is.EqualTo(ints));
            Assert.That(reader.ReadInts("z.bytes"), Is.EqualTo(new[] { 0, 127, 255 }));
            Assert.That(reader.ReadFloats("empty"), Is.Empty);
            Assert.That(reader.ReadFloats("scalar"), Is.EqualTo(new[] { 7f }));
            Assert.That(reader.Find("a.floats")!.HasShape([2, 3]));
            Assert.That(reader.Find("a.floats")!.HasShape([3, 2]), Is.False);
            Assert.That(reader.Find("nothing"), Is.Null);
        });
    }

    [Test]
    public void The_file_has_the_published_layout()
    {
        SafeTensorsWriter writer = new();
        writer.Add("b", [3], new byte[] { 1, 2, 3 });
        writer.Add("a", [1, 2], new[] { 1f, -2f });
        writer.Metadata["k"] = "v";
        using MemoryStream stream = new();
        writer.WriteTo(stream);
        byte[] file = stream.ToArray();

        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        string header = Encoding.UTF8.GetString(file, 8, length);
        const string expected =
            "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}";
        Assert.Multiple(() =>
        {
            Assert.That(header.TrimEnd(' '), Is.EqualTo(expected));
            Assert.That(length % 8, Is.Zero, "the tensors begin at a multiple of 8");
            Assert.That(file[(8 + length)..], Is.EqualTo(new byte[] { 0, 0, 128, 63, 0, 0, 0, 192, 1, 2, 3 }));
        });
    }

    [Test]
    public void The_same_contents_give_the_same_bytes_in_any_order_of_adding()
    {
        static byte[] Write(params string[] names)
        {
            SafeTensorsWriter writer = new();
            foreach (string name in names)
            {
                writer.Metadata[name] = name;
                writer.Add(name, [1], new[] { (float)name[0] });
            }
            using MemoryStream stream = new();
            writer.WriteTo(stream);
            return stream.ToArray();
        }

        Assert.That(Write("x", "a", "m"), Is.EqualTo(Write("m", "x", "a")));
    }

    [TestCase("F64", "000000000000F83F", 1.5f)]
    [TestCase("F32", "0000C03F", 1.5f)]
    [TestCase("F16", "003E", 1.5f)]
    [TestCase("BF16", "C03F", 1.5f)]
    [TestCase("I64", "FEFFFFFFFFFFFFFF", -2f)]
    [TestCase("U64", "0200000000000000", 2f)]
    [TestCase("I32", "FEFFFFFF", -2f)]
    [TestCase("U32", "02000000", 2f)]
    [TestCase("I16", "FEFF", -2f)]
    [TestCase("U16", "FFFF", 65535f)]
    [TestCase("I8", "FE", -2f)]
    [TestCase("U8", "FE", 254f)]
    [TestCase("BOOL", "01", 1f)]
    public void Every_type_reads_as_float(string type, string hex, float expected)
    {
        byte[] element = Convert.FromHexString(hex);
        string path = RawFile.Write(folder.File("t.safetensors"),
            $"{{\"t\":{{\"dtype\":\"{type}\",\"shape\":[2],\"data_offsets\":[0,{2 * element.Length}]}}}}",
                [.. element, .. element]);
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        Assert.That(reader.ReadFloats("t"), Is.EqualTo(new[] { expected, expected }));
        Assert.That(reader.ReadDoubles("t"), Is.EqualTo(new double[] { expected, expected }));
    }

    [Test]
    public void A_part_of_a_tensor_longer_than_one_chunk_is_read_alone()
    {
        // 100,001 elements of 8 bytes: several conversion chunks and a tail.
        double[] values = [.. Enumerable.Range(0, 100_001).Select(static i => (double)i)];
        SafeTensorsWriter writer = new();
        writer.Add("before", [1], new double[] { -1 });
        writer.Add("values", [values.Length], values);
        writer.Save(folder.File("x.safetensors"));
        using SafeTensorsReader reader = SafeTensorsReader.Open(folder.File("x.safetensors"));
        float[] part = new float[90_000];
        reader.ReadFloats("values", 10_001, part);
        Assert.That(part, Is.EqualTo(Enumerable.Range(10_001, 90_000).Select(static i => (float)i)));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.ReadFloats("values", 10_002, part));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.ReadFloats("values", -1, part));
    }

    [Test]
    public void A_view_of_a_buffer_is_written_without_its_surroundings()
    {
        using HostBuffer buffer = new(2_500_000);
        float[] values = [.. Enumerable.Range(0, 2_500_000).Select(static i => i * 0.5f)];
        buffer.Write(0, values);
        SafeTensorsWriter writer = new();
        writer.Add("v", [2, 1_200_000], View.Dense(buffer, 50_000, 2, 1_200_000));
        writer.Save(folder.File("v.safetensors"));
        using SafeTensorsReader reader = SafeTensorsReader.Open(folder.File("v.safetensors"));
        Assert.That(reader.ReadFloats("v").AsSpan().SequenceEqual(values.AsSpan(50_000, 2_400_000)));
        Assert.Throws<ArgumentException>(() => writer.Add("w", [2, 3], View.Dense(buffer, 0, 2, 6).Columns(0, 3)));
    }

    [Test]
    public void Reads_may_run_side_by_side()
    {
        byte[] bytes = new byte[100_000];
        new Random(1).NextBytes(bytes);
        SafeTensorsWriter writer = new();
        writer.Add("images", [1000, 100], bytes);
        writer.Save(folder.File("x.safetensors"));
        using SafeTensorsReader reader = SafeTensorsReader.Open(folder.File("x.safetensors"));
        int wrong = 0;
        Parallel.For(0, 1000, i =>
        {
            byte[] image = new byte[100];
            reader.ReadBytes("images", i * 100L, image);
            if (!image.AsSpan().SequenceEqual(bytes.AsSpan(i * 100, 100))) Interlocked.Increment(ref wrong);
        });
        Assert.That(wrong, Is.Zero);
    }

    [Test]
    public void Misuse_of_the_writer_is_refused()
    {
        SafeTensorsWriter writer = new();
        writer.Add("a", [2], new float[2]);
        Assert.Multiple(() =>
        {
            Assert.That(() => writer.Add("a", [2], new float[2]),
                Throws.ArgumentException.With.Message.EqualTo("safetensors: there are two tensors 'a'"));
            Assert.That(() => writer.Add("b", [2, 2], new float[3]),
                Throws.ArgumentException.With.Message.EqualTo("safetensors: 3 values do not fill 'b' [2,2]"));
            Assert.That(() => writer.Add("__metadata__", [1], new float[1]), Throws.ArgumentException);
        });
    }

    [Test]
    public void A_fixture_of_another_implementation_is_read()
    {
        string path = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "grey-3levels.safetensors");
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        Assert.Multiple(() =>
        {
            Assert.That(JsonDocument.Parse(reader.Metadata["config"]).RootElement.GetProperty("width").GetInt32(),
                Is.EqualTo(12));
            Assert.That(reader.Find("eps2")!.Shape, Is.EqualTo(new long[] { 2, 2, 2, 16 }));
            Assert.That(reader.ReadDoubles("f64.adam.losses"), Has.Length.EqualTo(6).And.All.InRange(0.0, 20.0));
        });
    }
}
