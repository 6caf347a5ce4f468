namespace GlowGpu.Engine;

/// <summary>A model file and a state file of the same step.</summary>
public sealed record CheckpointPair(string ModelPath, string StatePath, long Step);

/// <summary>
/// The two files of a training checkpoint: <c>model.safetensors</c> and <c>state.safetensors</c>, both carrying
/// <c>__metadata__.step</c>. Two files cannot be renamed at once, so each keeps its previous generation beside it
/// (<c>….previous.safetensors</c>) and <see cref="Recover"/> picks the newest step that both a model and a state file
/// carry.
/// </summary>
/// <remarks>
/// From generation s to t, with r before s. M, S are the current files, m, s the previous ones; after each rename:
/// <code>
///                      M  S  m  s    agreeing
/// before               s  s  r  r    s
/// both new files lie complete beside the old ones
/// S replaced           s  t  r  s    s (M with s)
/// M replaced           t  t  s  s    t
/// </code>
/// The state goes first, so that of a new run's first checkpoint a model file never stands alone.
/// </remarks>
public sealed class Checkpoint(string folder)
{
    /// <summary>Metadata key of the step.</summary>
    public const string StepKey = "step";

    private const string Extension = ".safetensors";

    private bool unfinished;

    /// <summary>The current model file; once there, it is there and whole at every moment.</summary>
    public string ModelPath => Path.Combine(folder, "model" + Extension);

    /// <summary>The current state file.</summary>
    public string StatePath => Path.Combine(folder, "state" + Extension);

    private string PreviousModelPath => Path.Combine(folder, "model.previous" + Extension);

    private string PreviousStatePath => Path.Combine(folder, "state.previous" + Extension);

    /// <summary>
    /// Writes both files; a kill at any moment leaves an agreeing pair, the new one or the one before.
    /// </summary>
    /// <exception cref="GlowException">A file cannot be written; the previous pair is still there.</exception>
    public void Save(SafeTensorsWriter model, SafeTensorsWriter state, long step)
    {
        // After a save that failed half-way the agreeing pair may rest on a previous file, which another save would
        // replace.
        if (unfinished) Recover();
        unfinished = true;
        foreach (string _ in SaveSteps(model, state, step)) { }
        unfinished = false;
    }

    /// <summary>What <see cref="Save"/> does, stopping after each change on disk.</summary>
    internal IEnumerable<string> SaveSteps(SafeTensorsWriter model, SafeTensorsWriter state, long step)
    {
        model.Metadata[StepKey] = state.Metadata[StepKey] = step.ToString();
        AtomicFile.Stage(StatePath, state.WriteTo);
        yield return "state staged";
        AtomicFile.Stage(ModelPath, model.WriteTo);
        yield return "model staged";
        AtomicFile.Commit(StatePath, PreviousStatePath);
        yield return "state replaced";
        AtomicFile.Commit(ModelPath, PreviousModelPath);
        yield return "model replaced";
    }

    /// <summary>
    /// The newest agreeing pair, which afterwards is the current one; null when no checkpoint was ever completed.
    /// </summary>
    /// <exception cref="GlowException">There are files, but no two of them agree; the sentence says what each
    /// holds.</exception>
    public CheckpointPair? Recover()
    {
        CheckpointPair? pair = null;
        foreach (string _ in RecoverSteps(found => pair = found)) { }
        return pair;
    }

    /// <summary>What <see cref="Recover"/> does, stopping after each change on disk.</summary>
    internal IEnumerable<string> RecoverSteps(Action<CheckpointPair> found)
    {
        AtomicFile.Discard(ModelPath);
        AtomicFile.Discard(StatePath);
        (string Path, long? Step)[] models = [Inspect(ModelPath), Inspect(PreviousModelPath)];
        (string Path, long? Step)[] states = [Inspect(StatePath), Inspect(PreviousStatePath)];
        if (!models.Any(static m => File.Exists(m.Path))) yield break;
        (string Model, string State, long Step)[] pairs =
        [
            .. from model in models
               from state in states
               where model.Step is not null && model.Step == state.Step
               orderby model.Step descending
               select (model.Path, state.Path, model.Step ?? 0),
        ];
        if (pairs.Length == 0)
            throw new GlowException(
                $"{folder}: no model and state file agree on a step "
                    + $"({string.Join(", ", models.Concat(states).Select(Describe))}); the files of one checkpoint "
                    + "are needed");
        // The next save keeps only what is current then, so the chosen files must be it. Either rename alone leaves
        // the pair findable.
        (string chosenModel, string chosenState, long step) = pairs[0];
        if (chosenModel != ModelPath)
        {
            AtomicFile.Rename(chosenModel, ModelPath);
            yield return "model put back";
        }
        if (chosenState != StatePath)
        {
            AtomicFile.Rename(chosenState, StatePath);
            yield return "state put back";
        }
        found(new CheckpointPair(ModelPath, StatePath, step));
    }

    private static (string Path, long? Step) Inspect(string path)
    {
        if (!File.Exists(path)) return (path, null);
        try
        {
            using SafeTensorsReader reader = SafeTensorsReader.Open(path);
            return (path, long.TryParse(reader.Metadata.GetValueOrDefault(StepKey), out long step) && step >= 0
                ? step : null);
        }
        catch (GlowException)
        {
            // Not whole: as good as absent, another generation may be.
            return (path, null);
        }
    }

    private static string Describe((string Path, long? Step) file) =>
        $"{Path.GetFileName(file.Path)}: "
            + $"{(file.Step is long step ? $"step {step}" : File.Exists(file.Path) ? "not readable" : "absent")}";
}
