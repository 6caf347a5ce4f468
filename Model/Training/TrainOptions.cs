using GlowGpu.Engine;

namespace GlowGpu.Model.Training;

/// <summary>
/// Everything a run needs besides model and data; stored in <c>config.json</c> so that a resume cannot differ.
/// </summary>
public sealed record TrainOptions
{
    /// <summary>Images per step.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Learning rate after warm-up.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary><c>adam</c> or <c>adamax</c>.</summary>
    public string Optimizer { get; init; } = "adamax";

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>
    /// Decay of the second moment; null: 1 − 1/(steps_per_epoch·polyak_epochs), but not below <see cref="Beta1"/>.
    /// </summary>
    public double? Beta2 { get; init; }

    /// <summary>ε of the optimizer.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Epochs over which the rate rises linearly from 0.</summary>
    public double WarmupEpochs { get; init; } = 10;

    /// <summary>Epochs that the Polyak average spans; 0: no average.</summary>
    public double PolyakEpochs { get; init; } = 1;

    /// <summary>Largest gradient norm; 0: no clipping.</summary>
    public double ClipNorm { get; init; }

    /// <summary>Stop after this many epochs (null: no limit).</summary>
    public double? Epochs { get; init; }

    /// <summary>Stop after this many steps (null: no limit).</summary>
    public long? Steps { get; init; }

    /// <summary>Stop after this many minutes of this process (null: no limit).</summary>
    public double? Minutes { get; init; }

    /// <summary><c>stored</c>, <c>reversible</c>.</summary>
    public MemoryMode Memory { get; init; } = MemoryMode.Stored;

    /// <summary>How bytes become continuous values.</summary>
    public Dequantization Dequantize { get; init; } = Dequantization.Uniform;

    /// <summary>False: images in the order of the set.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary><c>none</c>, <c>shift</c> or <c>flip</c> (comma-separated for both).</summary>
    public string Augment { get; init; } = "none";

    /// <summary>Weight of the class cross-entropy (bits) in the loss.</summary>
    public double ClassWeight { get; init; }

    /// <summary>
    /// Steps over which <see cref="ClassWeight"/> rises linearly from 0; 0: full from the start; null: the first
    /// epoch.
    /// </summary>
    public long? ClassRamp { get; init; }

    /// <summary>Checkpoint every so many steps.</summary>
    public long SaveEvery { get; init; } = 500;

    /// <summary>Sample grid every so many steps.</summary>
    public long SampleEvery { get; init; } = 500;

    /// <summary>Validate every so many steps; 0: at each epoch's end and at the end.</summary>
    public long ValidateEvery { get; init; }

    /// <summary>Temperature of the sample grids.</summary>
    public double Temperature { get; init; } = 0.7;

    /// <summary>Seeds parameters, data order, dequantisation and samples.</summary>
    public ulong Seed { get; init; }

    /// <summary>Where the images come from, for a resume; null when whoever trains keeps that elsewhere.</summary>
    public DataSource? Source { get; init; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="GlowException">One is out of its range; the sentence says which and what is
    /// allowed.</exception>
    public TrainOptions Validate()
    {
        AtLeast("batch", Batch, 1);
        if (!(LearningRate > 0 && double.IsFinite(LearningRate)))
            throw new GlowException($"options: learning_rate is {LearningRate}; it must be above 0");
        if (Optimizer is not ("adam" or "adamax"))
            throw new GlowException($"options: optimizer is '{Optimizer}'; it must be adam or adamax");
        Decay("beta1", Beta1);
        if (Beta2 is double beta2) Decay("beta2", beta2);
        if (!((float)Epsilon > 0 && double.IsFinite(Epsilon)))
            throw new GlowException($"options: epsilon is {Epsilon}; it must be above 0");
        AtLeast("warmup_epochs", WarmupEpochs, 0);
        AtLeast("polyak_epochs", PolyakEpochs, 0);
        AtLeast("clip_norm", ClipNorm, 0);
        AtLeast("epochs", Epochs ?? 0, 0);
        AtLeast("steps", Steps ?? 0, 0);
        AtLeast("minutes", Minutes ?? 0, 0);
        AtLeast("class_weight", ClassWeight, 0);
        AtLeast("class_ramp", ClassRamp ?? 0, 0);
        AtLeast("save_every", SaveEvery, 1);
        AtLeast("sample_every", SampleEvery, 1);
        AtLeast("validate_every", ValidateEvery, 0);
        AtLeast("temperature", Temperature, 0);
        foreach (string kind in Augment.Split(','))
        {
            if (kind is not ("none" or "shift" or "flip"))
                throw new GlowException($"options: augment is '{Augment}'; it must be none, shift, flip or shift,flip");
        }
        return this;
    }

    private static void AtLeast(string key, double value, double least)
    {
        if (!(value >= least && double.IsFinite(value)))
            throw new GlowException($"options: {key} is {value}; it must be at least {least}");
    }

    // As a float32, in which the optimizer computes: one that rounds to 1 would divide by zero.
    private static void Decay(string key, double value)
    {
        if (!((float)value >= 0 && (float)value < 1))
            throw new GlowException($"options: {key} is {value}; it must be at least 0 and below 1");
    }
}
