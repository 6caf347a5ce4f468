using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// A library of NVIDIA's that is measured against: loaded from the file that an environment variable names, from
/// wherever the system looks, or from a Python installation, whose packages bring their own.
/// </summary>
internal sealed class PeerLibrary
{
    private readonly nint handle;

    private PeerLibrary(string title, string path, nint handle)
    {
        (Title, Path) = (title, path);
        this.handle = handle;
    }

    /// <summary>Name for people.</summary>
    public string Title { get; }

    /// <summary>Where it was found.</summary>
    public string Path { get; }

    /// <summary>Loads a library.</summary>
    /// <param name="title">name for people</param>
    /// <param name="variable">environment variable that names the file</param>
    /// <param name="names">file names, the best first</param>
    /// <param name="companions">files of the same folder that the library loads by name while it runs, in the order
    /// they need each other</param>
    /// <param name="folders">folders to look in after the system's own; those of Python unless given</param>
    /// <exception cref="GlowException">There is none; the sentence says where it was looked for.</exception>
    public static PeerLibrary Load(string title, string variable, string[] names, string[] companions,
        IEnumerable<string>? folders = null)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given)
        {
            LoadCompanions(System.IO.Path.GetDirectoryName(given), companions);
            return NativeLibrary.TryLoad(given, out nint own)
                ? new PeerLibrary(title, given, own)
                : throw new GlowException(
                $"{title}: {variable} names '{given}', which cannot be loaded; it must be the path of {names[0]}");
        }
        foreach (string name in names)
            if (NativeLibrary.TryLoad(name, out nint system)) return new PeerLibrary(title, name, system);
        foreach (string folder in folders ?? PythonFolders())
        {
            foreach (string path in names.Select(name => System.IO.Path.Combine(folder, name)).Where(File.Exists))
            {
                LoadCompanions(folder, companions);
                if (NativeLibrary.TryLoad(path, out nint found)) return new PeerLibrary(title, path, found);
            }
        }
        throw new GlowException($"{title} was not found: no {string.Join(" or ", names)} where the system looks or "
            + $"in a Python installation; {variable} may name the file");
    }

    /// <summary>The address of a function.</summary>
    /// <exception cref="GlowException">The library has none of that name.</exception>
    public nint Function(string name) => NativeLibrary.TryGetExport(handle, name, out nint address)
        ? address
        : throw new GlowException($"{Title}: {Path} has no function {name}; another version of the library is needed");

    /// <summary>
    /// Folders of the Python installations of this machine that NVIDIA's packages and PyTorch put libraries into.
    /// </summary>
    public static IReadOnlyList<string> PythonFolders()
    {
        const string Ask = "import site,sys; print('\\n'.join(dict.fromkeys(site.getsitepackages() + "
            + "[site.getusersitepackages()] + sys.path)))";
        List<string> folders = [];
        foreach (string python in TorchPeer.Candidates)
        {
            try
            {
                ProcessStartInfo info = new(python,
                    ["-c", Ask])
                { RedirectStandardOutput = true, RedirectStandardError = true };
                using Process process = Process.Start(info)!;
                Task<string> ignored = process.StandardError.ReadToEndAsync();
                string[] sites = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
                process.WaitForExit();
                folders.AddRange(sites.SelectMany(Below));
            }
            catch (Win32Exception)
            {
                // No such program: the next one may be there.
            }
        }
        return [.. folders.Distinct()];
    }

    private static IEnumerable<string> Below(string site)
    {
        string nvidia = System.IO.Path.Combine(site, "nvidia"), torch = System.IO.Path.Combine(site, "torch", "lib");
        // A folder for each package (nvidia/cudnn/lib), or for each major version of CUDA (nvidia/cu13/lib).
        IEnumerable<string> packages = Directory.Exists(nvidia)
            ? Directory.EnumerateDirectories(nvidia).Select(static p => System.IO.Path.Combine(p, "lib"))
            .Where(Directory.Exists).Order(StringComparer.Ordinal)
            : [];
        return Directory.Exists(torch) ? packages.Append(torch) : packages;
    }

    // A library that is loaded already is found by its name, wherever it lies. One that is missing may not be needed.
    private static void LoadCompanions(string? folder, string[] companions)
    {
        foreach (string companion in companions)
            NativeLibrary.TryLoad(System.IO.Path.Combine(folder ?? "", companion), out _);
    }
}
