using GlowGpu.App.Console;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;

namespace GlowGpu.App.Commands;

/// <summary>The images of a run, and the model's shape once they are known.</summary>
/// <param name="Train">images to train on</param>
/// <param name="Validation">images to validate on, or null</param>
/// <param name="Config">the plan's model with image size, channels and classes filled in</param>
internal sealed record TrainData(IImageSource Train, IImageSource? Validation, FlowConfig Config)
{
    private const double UsualFraction = 0.1;

    /// <summary>Opens what a plan names.</summary>
    public static TrainData Open(TrainPlan plan, Terminal terminal)
    {
        DataPair pair = DataSets.Open(plan.Data!, new DataOptions(plan.DataDirectory, plan.ImageSize,
            DownloadLog.To(terminal)));
        IImageSource train = plan.Limit is int limit && limit < pair.Train.Count ? DataSets.Limit(pair.Train, limit)
            : pair.Train;
        IImageSource? validation = null;
        if (plan.Validation is null && pair.Test is not null)
            validation = pair.Test;
        else if ((plan.Validation ?? Usual(train)) is > 0 and double fraction)
            (train, validation) = DataSets.Split(train, fraction, plan.Training.Seed);
        FlowConfig config = (plan.Model with
        {
            ImageSize = [train.Height, train.Width],
            Channels = train.Channels,
            Classes = ClassesOf(plan, train),
        }).Validate();
        DataFit.Check(config, train);
        if (validation is not null) DataFit.Check(config, validation);
        return new TrainData(train, validation, config);
    }

    // Of a handful of images none can be spared.
    private static double Usual(IImageSource train) => Math.Round(UsualFraction * train.Count) >= 1 ? UsualFraction : 0;

    private static int ClassesOf(TrainPlan plan, IImageSource train)
    {
        if (plan.Classes != "auto") return int.Parse(plan.Classes);
        return train.Classes.Count > 0
            ? train.Classes.Count
            : throw new GlowException($"data '{train.Name}' has no labels, so --classes auto finds no class; use "
            + "--classes 0 or labelled images");
    }
}
