namespace GlowGpu.App.Console;

/// <summary>Shows a running training.</summary>
internal interface ITrainView
{
    /// <summary>Runs the training with the view up.</summary>
    void Show(Action training);

    /// <summary>The state has changed; <paramref name="important"/> when it should be seen at once.</summary>
    void Update(TrainState state, bool important);

    /// <summary>A line that stays.</summary>
    void Line(string text);
}
