using GlowGpu.Engine;
using GlowGpu.Model.Import;
using GlowGpu.Tests.Checks;

namespace GlowGpu.Tests.Model.Import;

/// <summary>A state dict of another program, with what that program made of a few images in double precision.</summary>
public sealed class ImportFixture
{
    private ImportFixture(string name)
    {
        Name = name;
        State = FixtureFile.Open($"import/{name}.state");
        Golden = FixtureFile.Open($"import/{name}.golden");
    }

    /// <summary>Every state dict of rosinality/glow-pytorch.</summary>
    public static IReadOnlyList<string> Rosinality { get; } =
    [
        "rosinality-affine-lu", "rosinality-additive-dense-grey", "rosinality-additive-lu-grey",
        "rosinality-affine-dense-grey",
        "rosinality-one-level-grey",
    ];

    /// <summary>Every state dict of chaiyujin/glow-pytorch.</summary>
    public static IReadOnlyList<string> Chaiyujin { get; } =
    [
        "chaiyujin-affine-dense", "chaiyujin-affine-lu-top-grey", "chaiyujin-additive-lu",
        "chaiyujin-additive-dense-classes-grey",
        "chaiyujin-affine-reverse-grey",
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<string> All => Rosinality.Concat(Chaiyujin);

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The state dict.</summary>
    public FixtureFile State { get; }

    /// <summary>What the program made of it.</summary>
    public FixtureFile Golden { get; }

    /// <summary>Path of the state dict.</summary>
    public string Path => System.IO.Path.Combine(AppContext.BaseDirectory, "Fixtures", "import",
        Name + ".state.safetensors");

    /// <summary>Bits that its images were read at.</summary>
    public int Bits => Name is "rosinality-additive-dense-grey" or "rosinality-affine-dense-grey" ? 5 : 8;

    /// <summary>[H, W].</summary>
    public int[] ImageSize => Golden.Shape("images")[1..3];

    private bool IsRosinality => Name.StartsWith("rosinality", StringComparison.Ordinal);

    private double Dimensions => Golden.Shape("images")[1..].Aggregate(1.0, static (a, b) => a * b);

    /// <summary>Opens one.</summary>
    public static ImportFixture Open(string name) => new(name);

    /// <summary>
    /// Imports a file as this fixture is to be imported: its own state dict, unless another is given.
    /// </summary>
    public ModelWeights Import(string? path = null) => IsRosinality
        ? RosinalityImport.Read(path ?? Path, ImageSize, Bits)
        : ChaiyujinImport.Read(path ?? Path, null, Name.Contains("reverse", StringComparison.Ordinal));

    /// <summary>Log-likelihoods of the bytes in nats, as the program's numbers say they should be.</summary>
    public double[] LogLikelihoods() => IsRosinality
        ? Golden.Doubles("log_likelihood")
        // Its values are 1/255 apart.
        : Array.ConvertAll(Golden.Doubles("log_density"), v => v - Dimensions * Math.Log(255));

    /// <summary>What it decodes the latents of the fixture to, in our units.</summary>
    public double[] Decoded() => IsRosinality
        ? Golden.Doubles("decode.x")
        : Array.ConvertAll(Golden.Doubles("decode.x"), static v => (v * 255 + 0.5) / 256 - 0.5);

    /// <summary>Copies the state dict, with tensors left out and the rest of the file as the caller wants it.</summary>
    public void Rewrite(string target, string? without = null, Action<SafeTensorsWriter>? more = null)
    {
        SafeTensorsWriter writer = new();
        foreach (string name in State.Under(""))
        {
            if (name == without) continue;
            if (State.IsInteger(name)) writer.Add(name, State.Shape(name),
                Array.ConvertAll(State.Integers(name), static v => (byte)v));
            else writer.Add(name, State.Shape(name), State.Floats(name));
        }
        more?.Invoke(writer);
        writer.Save(target);
    }
}
