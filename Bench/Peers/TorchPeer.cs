using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Peers;

/// <summary>How the Glow in PyTorch is written and run.</summary>
public enum TorchMode
{
    /// <summary>As fast as PyTorch's own operations allow, one after the other.</summary>
    Tuned,

    /// <summary>As it is usually written.</summary>
    Plain,

    /// <summary>A flow step in plain operations under <c>torch.compile</c>.</summary>
    Compiled,
}

/// <summary>
/// What a PyTorch peer computes on: <c>cpu</c> or <c>cuda</c>, and <c>fp32</c>, <c>tf32</c> or <c>bf16</c>.
/// </summary>
public sealed record TorchSetup(string Device, string Precision, TorchMode Mode);

/// <summary>
/// The Glow in PyTorch of <c>glow_torch.py</c>, a process of its own that does a step whenever it is told to.
/// </summary>
public sealed class TorchPeer : IDisposable
{
    // A compiler may take minutes; whatever takes longer will not come.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "Peers", "glow_torch.py");

    private readonly Process process;
    private readonly Task<string> errors;

    /// <summary>Starts it for a case.</summary>
    /// <exception cref="GlowException">It cannot do that; its own words are in the message.</exception>
    public TorchPeer(string python, StepCase what, int threads, TorchSetup setup) : this(python, threads,
        setup.Device, setup.Precision)
    {
        try
        {
            SetUp(what, setup.Mode);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Programs that may be a Python with PyTorch: <c>$GLOW_PYTHON</c> alone where it is set.</summary>
    public static IReadOnlyList<string> Candidates =>
        Environment.GetEnvironmentVariable("GLOW_PYTHON") is { Length: > 0 } own ? [own]
            : ["/usr/bin/python3", "python3"];

    /// <summary>Loss of the last step in bits/dim, or mean magnitude of the last samples.</summary>
    public double LastValue { get; private set; }

    /// <summary>Name of a mode for people.</summary>
    public static string Title(TorchMode mode) => mode switch
    {
        TorchMode.Tuned => "PyTorch, tuned, eager",
        TorchMode.Plain => "PyTorch, plain, eager",
        _ => "PyTorch, torch.compile",
    };

    private void SetUp(StepCase what, TorchMode mode) =>
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
            plain = mode == TorchMode.Plain,
            compile = mode == TorchMode.Compiled,
        }));

    private TorchPeer(string python, int threads, string device, string precision)
    {
        process = Process.Start(new ProcessStartInfo(python,
            [Script, "--threads", threads.ToString(CultureInfo.InvariantCulture), "--device", device,
                "--precision", precision])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>
    /// A Python with PyTorch and the version of the latter, or null: <c>$GLOW_PYTHON</c>, else the first that has it.
    /// </summary>
    public static (string Python, string Version)? Find()
    {
        foreach (string python in Candidates)
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
    public static string Check(string python, int threads, string device = "cpu", string precision = "fp32")
    {
        using TorchPeer peer = new(python, threads, device, precision);
        return peer.Ask("check").GetRawText();
    }

    /// <summary>One step: milliseconds by the peer's own clock.</summary>
    /// <exception cref="GlowException">Its loss is not finite.</exception>
    public double Step()
    {
        JsonElement reply = Ask("step");
        LastValue = reply.GetProperty("loss").GetDouble();
        return reply.GetProperty("ms").GetDouble();
    }

    /// <summary>Largest resident memory so far, on a GPU the most that tensors took there, bytes.</summary>
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
        Task<string?> answer = process.StandardOutput.ReadLineAsync();
        if (!answer.Wait(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new GlowException(
                $"PyTorch peer: no answer to '{command}' in {Patience.TotalMinutes} minutes; it was ended");
        }
        if (answer.Result is not { } line)
            throw new GlowException($"PyTorch peer ended at '{command}': {errors.Result.Trim()}");
        JsonElement reply = JsonDocument.Parse(line).RootElement;
        if (reply.TryGetProperty("error", out JsonElement error))
            throw new GlowException($"PyTorch peer at '{command}': {error.GetString()}");
        return reply;
    }
}
