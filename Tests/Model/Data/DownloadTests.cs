using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

/// <summary>Downloads from a server on this machine, of an archive that the test makes.</summary>
public sealed class DownloadTests
{
    private const string ArchiveName = "cifar-10-binary.tar.gz";

    private TemporaryFolder folder = null!;
    private FileServer server = null!;
    private string cache = null!;

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        server = new FileServer();
        cache = folder.File("cache/glow/data");
    }

    [TearDown]
    public void End()
    {
        server.Dispose();
        folder.Dispose();
    }

    private static string Md5(byte[] bytes) => Convert.ToHexStringLower(MD5.HashData(bytes));

    private static byte[] Archive(params (string Name, byte[] Bytes)[] files)
    {
        using MemoryStream result = new();
        using (GZipStream packed = new(result, CompressionLevel.Fastest, leaveOpen: true))
        using (TarWriter tar = new(packed))
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "cifar-10-batches-bin"));
            foreach ((string name, byte[] bytes) in files)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile,
                    name)
                { DataStream = new MemoryStream(bytes) });
        }
        return result.ToArray();
    }

    private static (string Name, byte[] Bytes)[] CifarFiles() => Enumerable.Range(1,
        5).Select(i => ($"cifar-10-batches-bin/data_batch_{i}.bin", CifarBinaryTests.Records(1, (byte)i, 0)))
        .Append(("cifar-10-batches-bin/test_batch.bin", CifarBinaryTests.Records(1, 9)))
        .Append(("cifar-10-batches-bin/readme.html", [1, 2, 3]))
        .Append(("../../escaped.bin", [1]))
        .ToArray();

    /// <summary>CIFAR-10 as published here: on the server, with the MD5 of that body unless another is given.</summary>
    private PublishedSet Publish(byte[] archive, string? md5 = null)
    {
        server.Bodies[ArchiveName] = archive;
        return PublishedSet.Cifar10 with
        {
            Location = server.Address,
            Files = [new PublishedFile(ArchiveName, md5 ?? Md5(archive))]
        };
    }

    private void NothingIsLeft() => Assert.That(
        Directory.Exists(cache) ? Directory.GetFileSystemEntries(cache, "*", SearchOption.AllDirectories) : [],
            Is.Empty, "left in the cache");

    [TestCase(false)]
    [TestCase(true)]
    public void An_archive_is_downloaded_checked_unpacked_and_found_again(bool hideLength)
    {
        byte[] archive = Archive(CifarFiles());
        server.HideLength = hideLength;
        PublishedSet set = Publish(archive);
        List<(string What, long Done, long? All)> heard = [];
        string where = Download.Fetch(set, cache, (what, done, all) => heard.Add((what, done, all)));
        Assert.That(where, Is.EqualTo(Path.Combine(cache, "cifar10")));
        Assert.That(Directory.GetFileSystemEntries(cache, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(cache, f)).Order(),
            Is.EqualTo(new[] { "cifar10" }.Concat(Enumerable.Range(1, 5).Select(i => $"cifar10/data_batch_{i}.bin"))
                .Append("cifar10/test_batch.bin")));
        Assert.That(heard, Has.Member((ArchiveName, (long)archive.Length, hideLength ? null : (long?)archive.Length)));
        Assert.That(heard.Where(h => h.What == ArchiveName).Select(h => h.Done), Is.Ordered);
        Assert.That(set.Find([folder.File("elsewhere"), cache]), Is.EqualTo(where));
        (IImageSource train, IImageSource? test) = set.Open(where);
        Assert.That((train.Name, train.Count, test!.Name, test.Count),
            Is.EqualTo(("cifar10/train", 10, "cifar10/test", 1)));
        Assert.That(train.Labels(), Is.EqualTo(new[] { 1, 0, 2, 0, 3, 0, 4, 0, 5, 0 }));
    }

    [Test]
    public void Plain_files_are_kept_as_they_are()
    {
        PublishedSet set = PublishedSet.Mnist with
        {
            Location = server.Address,
            Files = PublishedSet.Mnist.Files.Select((f, i) => f with { Md5 = Md5([(byte)i]) }).ToArray()
        };
        for (int i = 0; i < 4; i++) server.Bodies[set.Files[i].Name] = [(byte)i];
        string where = Download.Fetch(set, cache);
        for (int i = 0; i < 4; i++) Assert.That(File.ReadAllBytes(Path.Combine(where, set.Files[i].Name)),
            Is.EqualTo(new[] { (byte)i }));
        Assert.That(Directory.GetDirectories(cache), Is.EqualTo(new[] { where }));
    }

    [Test]
    public void An_empty_folder_in_the_way_is_replaced()
    {
        Directory.CreateDirectory(Path.Combine(cache, "cifar10"));
        Assert.That(Directory.GetFiles(Download.Fetch(Publish(Archive(CifarFiles())), cache)), Has.Length.EqualTo(6));
    }

    [Test]
    public void Another_process_that_was_faster_is_no_failure()
    {
        PublishedSet set = Publish(Archive(CifarFiles()));
        string first = Download.Fetch(set, cache);
        Assert.That(Download.Fetch(set, cache), Is.EqualTo(first));
        Assert.That(Directory.GetDirectories(cache), Is.EqualTo(new[] { first }));
    }

    [Test]
    public void What_a_killed_download_left_is_cleared_after_a_day()
    {
        string old = Path.Combine(cache, "cifar10.part-old"), recent = Path.Combine(cache, "cifar10.part-recent"),
            other = Path.Combine(cache, "mine");
        foreach (string left in new[] { old, recent, other }) File.WriteAllText(
            Path.Combine(Directory.CreateDirectory(left).FullName, "x"), "");
        foreach (string left in new[] { old, other }) Directory.SetLastWriteTimeUtc(left, DateTime.UtcNow.AddDays(-2));
        string where = Download.Fetch(Publish(Archive(CifarFiles())), cache);
        Assert.That(Directory.GetDirectories(cache), Is.EquivalentTo(new[] { recent, other, where }));
    }

    [Test]
    public void Another_md5_than_published_keeps_nothing()
    {
        byte[] archive = Archive(CifarFiles());
        PublishedSet set = Publish(archive, PublishedSet.Cifar10.Files[0].Md5);
        Sentence.Of($"cifar10: {server.Address}{ArchiveName} has the MD5 {Md5(archive)} where "
            + "c32a1d4ab5d03f1284b67883e8d87530 was published, so it is damaged or was changed; nothing was kept",
            () => Download.Fetch(set, cache));
        NothingIsLeft();
    }

    [Test]
    public void An_http_error_is_reported_with_what_to_do()
    {
        PublishedSet set = Publish(Archive(CifarFiles()));
        server.Bodies.Clear();
        Sentence.Of($"cifar10: {server.Address}{ArchiveName} answered 404 (Not Found); get {ArchiveName} some other "
            + $"way and unpack it into {cache}/cifar10", () => Download.Fetch(set, cache));
        NothingIsLeft();
    }

    [TestCase(1000)]
    [TestCase(0)]
    public void A_body_that_breaks_off_keeps_nothing(int after)
    {
        byte[] archive = Archive(CifarFiles());
        PublishedSet set = Publish(archive);
        server.BreakOffAfter = after;
        Sentence.Of($"cifar10: {server.Address}{ArchiveName} broke off after {after} of {archive.Length} bytes; "
            + "nothing was kept, try again", () => Download.Fetch(set, cache));
        NothingIsLeft();
    }

    [Test]
    public void A_body_of_unknown_length_that_breaks_off_fails_its_check()
    {
        byte[] archive = Archive(CifarFiles());
        PublishedSet set = Publish(archive);
        (server.HideLength, server.BreakOffAfter) = (true, 1000);
        Sentence.Of($"cifar10: {server.Address}{ArchiveName} has the MD5 {Md5(archive[..1000])} where "
            + $"{Md5(archive)} was published, so it is damaged or was changed; nothing was kept",
            () => Download.Fetch(set, cache));
        NothingIsLeft();
    }

    [Test]
    public void A_server_that_falls_silent_is_given_up()
    {
        PublishedSet set = Publish(Archive(CifarFiles()));
        server.Stall = true;
        Sentence.Of($"cifar10: {server.Address}{ArchiveName} sent nothing for 0.2 seconds; try again, or get "
            + $"{ArchiveName} some other way and unpack it into {cache}/cifar10",
            () => Download.Fetch(set, cache, patience: TimeSpan.FromSeconds(0.2)));
        NothingIsLeft();
    }

    [Test]
    public void A_server_that_cannot_be_reached_is_reported_with_what_to_do()
    {
        PublishedSet set = Publish([]);
        Uri gone = server.Address;
        server.Dispose();
        Assert.That(() => Download.Fetch(set, cache), Throws.TypeOf<GlowException>().With.Message.Match(
            $@"^cifar10: cannot reach {gone}{ArchiveName} \([^()]*(\([^()]*\))?[^()]*\); get {ArchiveName} some other way and unpack it into {cache}/cifar10$"));
        NothingIsLeft();
        server = new FileServer();
    }

    [Test]
    public void An_archive_without_a_file_of_the_set_keeps_nothing()
    {
        PublishedSet set = Publish(
            Archive(CifarFiles().Where(f => !f.Name.Contains("batch_3", StringComparison.Ordinal)).ToArray()));
        Sentence.Of($"cifar10: {server.Address}{ArchiveName} holds no data_batch_3.bin; nothing was kept",
            () => Download.Fetch(set, cache));
        NothingIsLeft();
    }

    [Test]
    public void What_is_no_archive_keeps_nothing()
    {
        PublishedSet set = Publish("<html>not an archive</html>"u8.ToArray());
        Sentence.Of($"cifar10: {ArchiveName} is no readable .tar.gz archive; nothing was kept",
            () => Download.Fetch(set, cache));
        NothingIsLeft();
    }

    [Test]
    public void A_cache_that_cannot_be_written_is_named()
    {
        Directory.CreateDirectory(folder.File("cache"));
        File.WriteAllText(folder.File("cache/glow"), "a file where a folder is needed");
        PublishedSet set = Publish(Archive(CifarFiles()));
        Assert.That(() => Download.Fetch(set, cache), Throws.TypeOf<GlowException>()
            .With.Message.Match($@"^cifar10: cannot be kept in {cache}/cifar10 \(.+\)$"));
        Assert.That(server.Requests, Is.Zero);
    }

    [Test]
    public void A_disk_that_fills_up_leaves_nothing()
    {
        // A folder where the archive's first file should go stands for any failure of the disk after the download.
        PublishedSet set = Publish(Archive([("data_batch_1.bin", [1]), ("x/data_batch_1.bin", [1]), .. CifarFiles()]));
        Assert.That(() => Download.Fetch(set, cache), Throws.TypeOf<GlowException>()
            .With.Message.Match($@"^cifar10: cannot be kept in {cache}/cifar10 \(.+\)$"));
        NothingIsLeft();
    }
}
