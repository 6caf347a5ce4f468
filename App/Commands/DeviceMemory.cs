using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary>Chooses what backward keeps by what the device can hold.</summary>
internal static class DeviceMemory
{
    // The prediction leaves out a backend's own scratch, and the machine has other things to do.
    private const double Share = 0.7;

    /// <summary>
    /// <see cref="MemoryMode.Stored"/> when a training step of that kind is predicted to fit, else reversible.
    /// </summary>
    public static MemoryMode Choose(Device device, FlowConfig config, TrainOptions options)
    {
        if (!config.CanRebuild) return MemoryMode.Stored;
        long needed = MemoryPrediction.Of(config, options.Batch, MemoryMode.Stored, device.Backend.CouplingNet,
            options.PolyakEpochs > 0).Total;
        return needed <= Share * Of(device) ? MemoryMode.Stored : MemoryMode.Reversible;
    }

    // The host has no entry of its own size: what this process may use can be less than the machine has.
    private static long Of(Device device) =>
        DeviceFactory.List().FirstOrDefault(info => info.Kind != "cpu" && info.Name == device.Name)?.MemoryBytes
        ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
