using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Steps;

/// <summary>What a process of its own is asked for: some steps of a case.</summary>
public sealed record ChildRequest(StepCase Case, MemoryMode Memory, int Steps, int Threads, bool Average = false);

/// <summary>What it used.</summary>
/// <param name="PeakBytes">largest resident memory (VmHWM)</param>
/// <param name="ParameterBytes">values, gradients, moments and average if there is one; 0 when sampling</param>
/// <param name="ArenaBytes">activations and their gradients; 0 when sampling</param>
/// <param name="Value">bits/dim of the last training step, or mean byte of the last samples</param>
public sealed record ChildResult(long PeakBytes, long ParameterBytes, long ArenaBytes, double Value);

/// <summary>Peak memory has no reset, so everything whose peak is reported runs in a process of its own.</summary>
public static class ChildRun
{
    /// <summary>In the child: does what a request asks for; the answer as JSON.</summary>
    public static string Execute(string request)
    {
        ChildRequest asked = JsonSerializer.Deserialize<ChildRequest>(request)
            ?? throw new GlowException("child: the request is null");
        using Device device = DeviceFactory.Open("cpu", asked.Threads);
        double value = 0;
        long parameters = 0, arena = 0;
        if (asked.Case.Training)
        {
            using TrainingStep step = new(asked.Case, device, asked.Average);
            for (int i = 0; i < asked.Steps; i++) value = step.Run(asked.Memory).BitsPerDim;
            (parameters, arena) = (step.ParameterBytes, step.ArenaBytes);
        }
        else
        {
            using SamplingStep step = new(asked.Case, device);
            for (int i = 0; i < asked.Steps; i++) value = step.Run();
        }
        return JsonSerializer.Serialize(new ChildResult(PeakResidentBytes(), parameters, arena, value));
    }

    /// <summary>In the parent: runs a child.</summary>
    /// <exception cref="GlowException">The child failed; its own words are in the message.</exception>
    public static ChildResult Start(ChildRequest request)
    {
        List<string> arguments = ["child", JsonSerializer.Serialize(request)];
        string program = Environment.ProcessPath!;
        if (Path.GetFileNameWithoutExtension(program) == "dotnet") arguments.Insert(0,
            typeof(ChildRun).Assembly.Location);
        ProcessStartInfo info = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(info)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new GlowException($"child for {request.Case}: {errors.Result.Trim()}");
        return JsonSerializer.Deserialize<ChildResult>(output)!;
    }

    private static long PeakResidentBytes()
    {
        const string Status = "/proc/self/status", Key = "VmHWM:";
        if (!File.Exists(Status))
        {
            using Process self = Process.GetCurrentProcess();
            return self.PeakWorkingSet64;
        }
        string line = File.ReadLines(Status).First(static l => l.StartsWith(Key, StringComparison.Ordinal));
        return 1024 * long.Parse(line[Key.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(),
            CultureInfo.InvariantCulture);
    }
}
