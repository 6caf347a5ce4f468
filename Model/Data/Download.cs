using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// Fetches published data sets. Everything is downloaded, checked and unpacked in a folder of its own beside the
/// target, which is then renamed:
/// the target is whole or not there.
/// </summary>
internal sealed class Download
{
    private const string PartMark = ".part-";
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly PublishedSet set;
    private readonly string target;
    private readonly Action<string, long, long?>? progress;
    private readonly TimeSpan patience;

    private Download(PublishedSet set, string cache, Action<string, long, long?>? progress, TimeSpan patience) =>
        (this.set, target, this.progress, this.patience) = (set, Path.Combine(cache, set.Name), progress, patience);

    /// <summary>Downloads a set to <paramref name="cache"/> and returns its folder there.</summary>
    /// <param name="set">what, and from where</param>
    /// <param name="cache">folder that data sets are kept in</param>
    /// <param name="progress">hears the file's name, the bytes done and, if known, in all</param>
    /// <param name="patience">how long the server may send nothing; null: one minute</param>
    /// <exception cref="GlowException">The server cannot be reached, answers with an error, sends too little or
    /// something else than was published, or the disk cannot be written; nothing is left behind.</exception>
    public static string Fetch(PublishedSet set, string cache, Action<string, long, long?>? progress = null,
        TimeSpan? patience = null) =>
        new Download(set, cache, progress, patience ?? TimeSpan.FromMinutes(1)).Run();

    private string Run()
    {
        string work = $"{target}{PartMark}{Guid.NewGuid():N}";
        try
        {
            string ready = Directory.CreateDirectory(Path.Combine(work, "set")).FullName;
            RemoveAbandoned();
            // A proxy is for the network: it cannot reach this machine's own servers.
            using SocketsHttpHandler handler = new() { ConnectTimeout = patience, UseProxy = !set.Location.IsLoopback };
            using HttpClient client = new(handler) { Timeout = Timeout.InfiniteTimeSpan };
            foreach (PublishedFile file in set.Files)
            {
                string path = Path.Combine(set.Unpacks ? work : ready, file.Name);
                FetchAsync(client, file, path).GetAwaiter().GetResult();
                if (set.Unpacks) Unpack(path, ready);
            }
            if (set.Members.FirstOrDefault(m => !File.Exists(Path.Combine(ready, m))) is { } missing)
                throw new GlowException(
                    $"{set.Name}: {new Uri(set.Location, set.Files[0].Name)} holds no {missing}; nothing was kept");
            Publish(ready);
            return target;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{set.Name}: cannot be kept in {target} ({e.Message.TrimEnd('.')})", e);
        }
        finally
        {
            Remove(work);
        }
    }

    private async Task FetchAsync(HttpClient client, PublishedFile file, string path)
    {
        Uri url = new(set.Location, file.Name);
        using CancellationTokenSource stalled = new();
        try
        {
            stalled.CancelAfter(patience);
            using HttpResponseMessage response = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead,
                stalled.Token).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new GlowException($"{set.Name}: {url} answered {(int)response.StatusCode} "
                    + $"({response.ReasonPhrase}); {ByHand(file)}");
            await SaveAsync(response.Content, url, file, path, stalled).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw new GlowException($"{set.Name}: cannot reach {url} ({e.Message.TrimEnd('.')}); {ByHand(file)}", e);
        }
        catch (OperationCanceledException e)
        {
            throw new GlowException(
                $"{set.Name}: {url} sent nothing for {patience.TotalSeconds} seconds; try again, or {ByHand(file)}",
                e);
        }
    }

    private async Task SaveAsync(HttpContent content, Uri url, PublishedFile file, string path,
        CancellationTokenSource stalled)
    {
        long? all = content.Headers.ContentLength;
        long done = 0;
        var buffer = new byte[1 << 16];
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        using Stream body = await content.ReadAsStreamAsync(stalled.Token).ConfigureAwait(false);
        using FileStream disk = new(path, FileMode.CreateNew);
        while (true)
        {
            stalled.CancelAfter(patience);
            int read;
            try
            {
                read = await body.ReadAsync(buffer, stalled.Token).ConfigureAwait(false);
            }
            catch (IOException e)
            {
                throw new GlowException(EndedEarly(url, done, all), e);
            }
            if (read == 0) break;
            md5.AppendData(buffer, 0, read);
            disk.Write(buffer, 0, read);
            done += read;
            progress?.Invoke(file.Name, done, all);
        }
        disk.Flush(flushToDisk: true);
        if (done < all) throw new GlowException(EndedEarly(url, done, all));
        string hash = Convert.ToHexStringLower(md5.GetHashAndReset());
        if (hash != file.Md5)
            throw new GlowException($"{set.Name}: {url} has the MD5 {hash} where {file.Md5} was published, so it is "
                + "damaged or was changed; nothing was kept");
    }

    private string EndedEarly(Uri url, long done, long? all) =>
        $"{set.Name}: {url} broke off after {done} of {all?.ToString() ?? "an unknown number of"} bytes; nothing "
            + "was kept, try again";

    private string ByHand(PublishedFile file) =>
        $"get {file.Name} some other way and {(set.Unpacks ? "unpack" : "put")} it into {target}";

    private void Unpack(string archive, string folder)
    {
        try
        {
            using FileStream packed = File.OpenRead(archive);
            using GZipStream unpacked = new(packed, CompressionMode.Decompress);
            using TarReader tar = new(unpacked);
            while (tar.GetNextEntry() is { } entry)
            {
                // Only files of the set, by their bare names: nothing in an archive can write elsewhere.
                string name = Path.GetFileName(entry.Name);
                if (entry.DataStream is null || !(set.Members.Contains(name) || set.Extras.Contains(name))) continue;
                progress?.Invoke($"unpacking {name}", 0, entry.Length);
                using FileStream disk = new(Path.Combine(folder, name), FileMode.CreateNew);
                entry.DataStream.CopyTo(disk);
                disk.Flush(flushToDisk: true);
                progress?.Invoke($"unpacking {name}", entry.Length, entry.Length);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new GlowException(
                $"{set.Name}: {Path.GetFileName(archive)} is no readable .tar.gz archive; nothing was kept", e);
        }
    }

    private void Publish(string ready)
    {
        // An empty folder may lie there; and another process may have been faster, with the same files.
        if (Directory.Exists(target) && !Directory.EnumerateFileSystemEntries(target).Any()) Directory.Delete(target);
        try
        {
            Directory.Move(ready, target);
        }
        catch (IOException) when (set.Members.All(m => File.Exists(Path.Combine(target, m))))
        {
        }
    }

    // What a killed process left; its download would otherwise lie there for ever.
    private void RemoveAbandoned()
    {
        foreach (string folder in Directory.GetDirectories(Path.GetDirectoryName(target)!, $"{set.Name}{PartMark}*"))
            if (DateTime.UtcNow - Directory.GetLastWriteTimeUtc(folder) > Abandoned) Remove(folder);
    }

    private static void Remove(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The reason why the download failed matters more than litter beside the cache.
        }
    }
}
