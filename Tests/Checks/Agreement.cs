using GlowGpu.Kernels;

namespace GlowGpu.Tests.Checks;

/// <summary>The tensors that one run of an operation gave, by name.</summary>
public sealed class Results : Dictionary<string, float[]>;

/// <summary>
/// What the devices owe each other: two runs on one device are equal bit for bit, the number of threads changes no bit, and
/// a GPU agrees with the host.
/// </summary>
public static class Agreement
{
    /// <summary>Runs on every device that the shape fits.</summary>
    public static void Check(ITestShape shape, Func<IBackend, Results> run, double relative, bool isNetwork = false)
    {
        Results? host = null;
        foreach (TestDevice device in Devices.For(shape))
        {
            if (device.Kind == DeviceKind.Reference) continue;
            Results first = run(device.Backend), second = run(device.Backend);
            foreach ((string name, float[] values) in first) Tolerance.SameBits($"second run on {device}: {name}", second[name], values);
            if (host is null)
            {
                host = first;
                continue;
            }
            foreach ((string name, float[] values) in host)
            {
                if (device.Kind == DeviceKind.Host) Tolerance.SameBits($"{device}: {name}", first[name], values);
                else Tolerance.Close($"{device}: {name}", first[name], values.Wide(), isNetwork ? device.Network(relative) : relative);
            }
        }
    }
}
