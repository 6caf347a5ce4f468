using GlowGpu.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

/// <summary>Every way a file can lie ends in one sentence that names it, and never in a large allocation.</summary>
public sealed class MalformedSafeTensorsTests
{
    private TemporaryFolder folder = null!;
    private string path = "";

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        path = folder.File("x.safetensors");
    }

    [TearDown]
    public void End() => folder.Dispose();

    private static string Tensor(string name, string type, string shape, string offsets) =>
        $"\"{name}\":{{\"dtype\":\"{type}\",\"shape\":{shape},\"data_offsets\":{offsets}}}";

    public static IEnumerable<TestCaseData> WrongHeaders()
    {
        static TestCaseData Case(string name, string header, int bytes, string sentence) =>
            new TestCaseData(header, bytes, sentence).SetArgDisplayNames(name);

        yield return Case("not JSON", "hello", 0, "its header is not valid JSON");
        yield return Case("empty header", "", 0, "its header is not valid JSON");
        yield return Case("cut JSON", "{\"a\":", 0, "its header is not valid JSON");
        yield return Case("trailing JSON", "{}{}", 0, "its header is not valid JSON");
        yield return Case("deep JSON", new string('[', 1000), 0, "its header is not a JSON object");
        yield return Case("array", "[]", 0, "its header is not a JSON object");
        yield return Case("metadata array", "{\"__metadata__\":[]}", 0, "its __metadata__ is not a JSON object");
        yield return Case("metadata number", "{\"__metadata__\":{\"a\":1}}", 0, "its __metadata__.a is not a string");
        yield return Case("entry number", "{\"a\":1}", 0, "tensor 'a' is not described by a JSON object");
        yield return Case("twice", $"{{{Tensor("a", "U8", "[0]", "[0,0]")},{Tensor("a", "U8", "[0]", "[0,0]")}}}", 0,
            "its header names 'a' twice");
        yield return Case("no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "tensor 'a' lacks one of dtype, shape and data_offsets");
        yield return Case("unknown field", "{\"a\":{\"kind\":1}}", 4,
            "tensor 'a' has an unknown or ill-typed field 'kind'");
        yield return Case("unknown dtype", $"{{{Tensor("a", "F128", "[1]", "[0,16]")}}}", 16,
            "tensor 'a' has the unknown dtype 'F128'; F64, I64,");
        yield return Case("negative shape", $"{{{Tensor("a", "F32", "[-1]", "[0,4]")}}}", 4,
            "tensor 'a': shape holds something other than whole numbers");
        yield return Case("fractional shape", $"{{{Tensor("a", "F32", "[1.5]", "[0,6]")}}}", 6,
            "tensor 'a': shape holds something other than whole numbers");
        yield return Case("shape is a number", $"{{{Tensor("a", "F32", "1", "[0,4]")}}}", 4,
            "tensor 'a': shape is not an array");
        yield return Case("negative offset", $"{{{Tensor("a", "F32", "[1]", "[-4,0]")}}}", 4,
            "tensor 'a': data_offsets holds something other than whole numbers");
        yield return Case("reversed range", $"{{{Tensor("a", "F32", "[1]", "[4,0]")}}}", 4,
            "tensor 'a' has data_offsets [4,0]; a begin and an end not before it");
        yield return Case("one offset", $"{{{Tensor("a", "F32", "[1]", "[0]")}}}", 4,
            "tensor 'a' has data_offsets [0]; a begin and an end not before it");
        yield return Case("wrong product", $"{{{Tensor("a", "F32", "[2,3]", "[0,20]")}}}", 20,
            "tensor 'a' spans 20 bytes, but F32 [2,3] takes 24");
        yield return Case("overflowing product",
            $"{{{Tensor("a", "F32", "[4611686018427387904,4611686018427387904]", "[0,0]")}}}", 0,
            "tensor 'a' spans 0 bytes, but F32 [4611686018427387904,4611686018427387904] takes more than 2^63");
        yield return Case("product wraps to the range",
            $"{{{Tensor("a", "F32", "[4611686018427387905,1]", "[0,4]")}}}", 4, "tensor 'a' spans 4 bytes, but F32");
        yield return Case("claims 2^60 bytes",
            $"{{{Tensor("a", "U8", "[1152921504606846976]", "[0,1152921504606846976]")}}}", 16,
            "tensor 'a' ends at byte 1152921504606846976 of the tensor data, but the file holds only 16; it is "
                + "truncated or its header is wrong");
        yield return Case("outside", $"{{{Tensor("a", "F32", "[1]", "[4,8]")}}}", 4,
            "tensor 'a' ends at byte 8 of the tensor data, but the file holds only 4");
        yield return Case("overlapping",
            $"{{{Tensor("a", "F32", "[2]", "[0,8]")},{Tensor("b", "F32", "[2]", "[4,12]")}}}", 12,
            "tensor 'b' overlaps another one at byte 4");
        yield return Case("gap", $"{{{Tensor("a", "F32", "[1]", "[0,4]")},{Tensor("b", "F32", "[1]", "[8,12]")}}}",
            12, "no tensor owns the bytes 4 to 8 of the tensor data");
        yield return Case("rest", $"{{{Tensor("a", "F32", "[1]", "[0,4]")}}}", 7, "no tensor owns the last 3 bytes");
    }

    [TestCaseSource(nameof(WrongHeaders))]
    public void A_wrong_header_is_one_sentence(string header, int bytes, string sentence)
    {
        RawFile.Write(path, header, new byte[bytes]);
        AssertRefused(sentence);
    }

    [Test]
    public void A_header_that_is_not_utf8_is_one_sentence()
    {
        File.WriteAllBytes(path, [6, 0, 0, 0, 0, 0, 0, 0, .. "{\"a"u8, 0xFF, 0xFE, .. "\""u8]);
        AssertRefused("its header is not valid JSON");
    }

    [TestCase(1UL << 60)]
    [TestCase(ulong.MaxValue)]
    [TestCase(3UL)]
    public void A_claimed_header_longer_than_the_file_allocates_nothing(ulong claim)
    {
        RawFile.Write(path, "{}", [], claim);
        AssertRefused(
            $"claims a header of {claim} bytes, but only 2 are possible; it is truncated or not a safetensors file");
    }

    [TestCase(0)]
    [TestCase(7)]
    public void A_file_without_a_header_length_is_one_sentence(int length)
    {
        File.WriteAllBytes(path, new byte[length]);
        AssertRefused($"has only {length} bytes; a safetensors file begins with an 8-byte header length");
    }

    [Test]
    public void Every_truncation_of_a_good_file_is_one_sentence()
    {
        SafeTensorsWriter writer = new();
        writer.Metadata["step"] = "3";
        writer.Add("a", [3], new float[] { 1, 2, 3 });
        writer.Add("b", [2], new byte[] { 1, 2 });
        writer.Save(path);
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            GlowException e = Assert.Throws<GlowException>(() => SafeTensorsReader.Open(path).Dispose(),
                $"{length} bytes")!;
            Assert.That(e.Message, Does.StartWith(path));
        }
    }

    [Test]
    public void Every_flipped_header_byte_is_refused_or_read_without_a_crash()
    {
        SafeTensorsWriter writer = new();
        writer.Add("a", [3], new float[] { 1, 2, 3 });
        writer.Save(path);
        byte[] whole = File.ReadAllBytes(path);
        int header = whole.Length - 12;
        for (int i = 0; i < header; i++)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                byte[] flipped = [.. whole];
                flipped[i] ^= (byte)(1 << bit);
                File.WriteAllBytes(path, flipped);
                try
                {
                    using SafeTensorsReader reader = SafeTensorsReader.Open(path);
                    foreach (TensorEntry t in reader.Tensors) Assert.That(reader.ReadFloats(t.Name),
                        Has.Length.EqualTo(t.Count));
                }
                catch (GlowException e)
                {
                    Assert.That(e.Message, Does.StartWith(path));
                }
            }
        }
    }

    [Test]
    public void Refusing_a_huge_claim_allocates_next_to_nothing()
    {
        RawFile.Write(path, $"{{{Tensor("a", "F32", "[268435456]", "[0,1073741824]")}}}", new byte[64]);
        Assert.Throws<GlowException>(() => SafeTensorsReader.Open(path));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<GlowException>(() => SafeTensorsReader.Open(path));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(200_000));
    }

    [Test]
    public void Missing_files_folders_and_tensors_are_one_sentence()
    {
        Assert.That(() => SafeTensorsReader.Open(path),
            Throws.TypeOf<GlowException>().With.Message.EqualTo($"{path}: there is no such file"));
        Assert.That(() => SafeTensorsReader.Open(folder.Path),
            Throws.TypeOf<GlowException>()
                .With.Message.EqualTo($"{folder.Path}: is a folder; a safetensors file is needed"));
        SafeTensorsWriter writer = new();
        writer.Add("f", [1], new float[] { 1 });
        writer.Save(path);
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        Assert.Multiple(() =>
        {
            Assert.That(() => reader.ReadFloats("g"),
                Throws.TypeOf<GlowException>().With.Message.EqualTo($"{path}: holds no tensor 'g'"));
            Assert.That(() => reader.ReadInts("f"), Throws.TypeOf<GlowException>()
                .With.Message.EqualTo($"{path}: tensor 'f' is F32; integers are needed"));
            Assert.That(() => reader.ReadBytes("f", 0, new byte[1]),
                Throws.TypeOf<GlowException>().With.Message.EqualTo($"{path}: tensor 'f' is F32; U8 is needed"));
        });
    }

    [Test]
    public void An_integer_beyond_32_bits_is_one_sentence()
    {
        RawFile.Write(path, $"{{{Tensor("a", "I64", "[1]", "[0,8]")}}}", [0, 0, 0, 0, 1, 0, 0, 0]);
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        Assert.That(() => reader.ReadInts("a"),
            Throws.TypeOf<GlowException>()
                .With.Message.EqualTo($"{path}: tensor 'a' holds a number that does not fit 32 bits"));
        Assert.That(reader.ReadDoubles("a"), Is.EqualTo(new[] { 4294967296.0 }));
    }

    private void AssertRefused(string sentence)
    {
        GlowException e = Assert.Throws<GlowException>(() => SafeTensorsReader.Open(path).Dispose())!;
        Assert.That(e.Message, Does.StartWith($"{path}: {sentence}").And.Not.Contains("\n"));
    }
}
