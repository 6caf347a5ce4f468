using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Peers;

/// <summary>The Glow in PyTorch of <c>glow_torch.py</c>, a process of its own that does a step whenever it is told to.</summary>
public sealed class TorchPeer : IDisposable
{
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "Peers", "glow_torch.py");

    private readonly Process process;
    private readonly Task<string> errors;

    /// <summary>Starts it for a case, as fast as it can be made or <paramref name="plain"/>, as it is usually written.</summary>
    public TorchPeer(string python, StepCase what, int threads, bool plain) : this(python, threads)
    {
        Ask("setup " + JsonSerializer.Serialize(new
        {
            kind = what.Training ? "train" : "sample",
            size = what.Size,
            channels = 3,
            levels = what.Levels,
            depth = what.Depth,
            width = what.Width,
            coupling = what.Coupling,
            batch = what.Batch,
            rate = TrainingStep.Rate,
            plain,
        }));
    }

    private TorchPeer(string python, int threads)
    {
        process = Process.Start(new ProcessStartInfo(python, [Script, "--threads", threads.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>A Python with PyTorch and the version of the latter, or null: <c>$GLOW_PYTHON</c>, else the first that has it.</summary>
    public static (string Python, string Version)? Find()
    {
        foreach (string python in Environment.GetEnvironmentVariable("GLOW_PYTHON") is { Length: > 0 } own ? [own] : (string[])["/usr/bin/python3", "python3"])
        {
            try
            {
                ProcessStartInfo info = new(python, ["-c", "import torch; print(torch.__version__)"])
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                };
                using Process process = Process.Start(info)!;
                Task<string> ignored = process.StandardError.ReadToEndAsync();
                string version = process.StandardOutput.ReadToEnd().Trim();
                process.WaitForExit();
                if (process.ExitCode == 0) return (python, version);
            }
            catch (Win32Exception)
            {
                // No such program: the next one may be there.
            }
        }
        return null;
    }

    /// <summary>Has the peer check that it is a Glow; its measured errors as JSON.</summary>
    /// <exception cref="GlowException">It is not.</exception>
    public static string Check(string python, int threads)
    {
        using TorchPeer peer = new(python, threads);
        return peer.Ask("check").GetRawText();
    }

    /// <summary>One step: milliseconds by the peer's own clock.</summary>
    /// <exception cref="GlowException">Its loss is not finite.</exception>
    public double Step() => Ask("step").GetProperty("ms").GetDouble();

    /// <summary>Largest resident memory so far, bytes.</summary>
    public double PeakBytes() => Ask("memory").GetProperty("peak_mb").GetDouble() * 1024 * 1024;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.StandardInput.WriteLine("quit");
            process.WaitForExit();
        }
        process.Dispose();
    }

    private JsonElement Ask(string command)
    {
        process.StandardInput.WriteLine(command);
        process.StandardInput.Flush();
        if (process.StandardOutput.ReadLine() is not { } line)
            throw new GlowException($"PyTorch peer ended at '{command}': {errors.Result.Trim()}");
        JsonElement reply = JsonDocument.Parse(line).RootElement;
        if (reply.TryGetProperty("error", out JsonElement error)) throw new GlowException($"PyTorch peer at '{command}': {error.GetString()}");
        return reply;
    }
}
