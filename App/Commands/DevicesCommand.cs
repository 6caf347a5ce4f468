using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.Engine;
using Spectre.Console;

namespace GlowGpu.App.Commands;

/// <summary><c>glow devices</c>: what a model can run on here.</summary>
internal static class DevicesCommand
{
    private sealed record Result(IReadOnlyList<DeviceInfo> Devices);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<bool> json = Shared.Json();
        Command command = new("devices", "List the devices of this machine with their properties.") { json };
        command.SetAction(parse =>
        {
            IReadOnlyList<DeviceInfo> devices = DeviceFactory.List();
            if (parse.GetValue(json))
            {
                JsonOutput.Write(terminal, new Result(devices));
                return 0;
            }
            Table table = new Table().RoundedBorder().AddColumns("--device", "name", "memory", "properties");
            foreach (DeviceInfo device in devices)
            {
                table.AddRow(
                    new Text(device.Kind),
                    new Text(device.Name),
                    new Text(Readable.Bytes(device.MemoryBytes)),
                    new Text(string.Join('\n', device.Properties.Select(static p => $"{p.Key}: {p.Value}"))));
            }
            terminal.Render(table);
            return 0;
        });
        return command;
    }
}
