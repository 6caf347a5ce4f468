using GlowGpu.Kernels;

namespace GlowGpu.Tests.Checks;

/// <summary>The tensors that one run of an operation gave, by name.</summary>
public sealed class Results : Dictionary<string, float[]>;

/// <summary>
/// What the devices owe each other: two runs on one device are equal bit for bit, the number of threads changes no
/// bit, and a GPU agrees with the host.
/// </summary>
public static class Agreement
{
    /// <summary>Runs twice on the device, and once on the host with one thread.</summary>
    public static void Check(TestDevice device, Func<IBackend, Results> run, double relative, bool isNetwork = false)
    {
        Results first = run(device.Backend), second = run(device.Backend), host = run(Devices.Host.Backend);
        foreach ((string name, float[] values) in first)
        {
            Tolerance.SameBits($"second run on {device}: {name}", second[name], values);
            if (device.Kind == DeviceKind.Host) Tolerance.SameBits($"{device}: {name}", values, host[name]);
            else Tolerance.Close($"{device}: {name}", values, host[name].Wide(),
                isNetwork ? device.Network(relative) : relative);
        }
    }
}
