using GlowGpu.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

public sealed class AtomicFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    [Test]
    public void A_file_is_written_and_replaced_without_litter()
    {
        string path = folder.File("deep/down/a.txt");
        AtomicFile.WriteText(path, "one");
        AtomicFile.WriteText(path, "two");
        Assert.That(File.ReadAllText(path), Is.EqualTo("two"));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(path)!), Is.EqualTo(new[] { path }));
    }

    [Test]
    public void A_writer_that_fails_leaves_the_old_file_and_no_litter()
    {
        string path = folder.File("a.txt");
        AtomicFile.WriteText(path, "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new InvalidOperationException();
        }));
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void The_old_file_is_whole_until_the_new_one_is_complete()
    {
        string path = folder.File("a.txt");
        AtomicFile.WriteText(path, "old");
        AtomicFile.Write(path, stream =>
        {
            stream.WriteByte((byte)'n');
            stream.Flush();
            Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        });
        Assert.That(File.ReadAllText(path), Is.EqualTo("n"));
    }

    [Test]
    public void Staged_contents_replace_the_file_only_when_committed_and_may_keep_the_old_one()
    {
        string path = folder.File("a.txt"), kept = folder.File("b.txt");
        AtomicFile.Stage(path, static s => s.Write("one"u8));
        Assert.That(File.Exists(path), Is.False);
        AtomicFile.Commit(path, kept);
        Assert.That(File.Exists(kept), Is.False, "there was nothing to keep");
        AtomicFile.Stage(path, static s => s.Write("two"u8));
        AtomicFile.Commit(path, kept);
        AtomicFile.Stage(path, static s => s.Write("three"u8));
        AtomicFile.Discard(path);
        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllText(path), Is.EqualTo("two"));
            Assert.That(File.ReadAllText(kept), Is.EqualTo("one"));
            Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(2));
        });
    }

    [Test]
    public void A_symbolic_link_stays_a_link()
    {
        string target = folder.File("target.txt"), link = folder.File("link.txt");
        File.WriteAllText(target, "old");
        File.CreateSymbolicLink(link, target);
        AtomicFile.WriteText(link, "new");
        Assert.That(File.ReadAllText(target), Is.EqualTo("new"));
        Assert.That(new FileInfo(link).LinkTarget, Is.EqualTo(target));
    }

    [Test]
    [Platform("Linux")]
    public void A_device_is_written_to_and_not_replaced()
    {
        // Every write to this device fails for lack of space: a write failure without filling a disk.
        GlowException e = Assert.Throws<GlowException>(() => AtomicFile.WriteText("/dev/full", "x"))!;
        Assert.That(e.Message, Does.StartWith("/dev/full: cannot be written (No space left on device"));
        Assert.That(File.Exists("/dev/full.tmp"), Is.False);
    }

    [Test]
    public void A_path_that_is_a_folder_is_one_sentence()
    {
        string path = folder.File("sub");
        Directory.CreateDirectory(path);
        GlowException e = Assert.Throws<GlowException>(() => AtomicFile.WriteText(path, "x"))!;
        Assert.That(e.Message, Does.StartWith($"{path}: cannot be written ("));
        string below = Path.Combine(folder.File("file"), "x");
        File.WriteAllText(folder.File("file"), "");
        e = Assert.Throws<GlowException>(() => AtomicFile.WriteText(below, "x"))!;
        Assert.That(e.Message, Does.StartWith($"{below}: cannot be written ("));
    }
}
