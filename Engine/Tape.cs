namespace GlowGpu.Engine;

/// <summary>
/// One recorded operation. Its <see cref="Backward"/> finds the gradient of its output filled, fills those of its
/// inputs and of its parameters, and releases what it no longer needs.
/// </summary>
public interface ITapeNode
{
    /// <summary>Fills the gradients of the inputs from those of the output.</summary>
    void Backward();
}

/// <summary>
/// A node that also works with nothing but its output in memory, so that the input's values need not outlive forward.
/// </summary>
public interface IReversibleNode : ITapeNode
{
    /// <summary>As <see cref="ITapeNode.Backward"/>, and rebuilds the input's values from the output's.</summary>
    void BackwardFromOutput();
}

/// <summary>How much the backward pass may keep.</summary>
public enum MemoryMode
{
    /// <summary>Keep every activation that backward reads: fastest.</summary>
    Stored,

    /// <summary>Keep the last variable of each level and rebuild the rest: memory independent of depth.</summary>
    Reversible,
}

/// <summary>
/// Minimal reverse mode: forward records nodes in order, <see cref="Backward"/> walks them once from the last to the
/// first and leaves the tape empty, ready for the next step. A layer keeps its node and fills it anew in each. In
/// <see cref="MemoryMode.Reversible"/> a reversible node is differentiated from its output and rebuilds its input for
/// the node before it.
/// </summary>
public sealed class Tape(MemoryMode mode)
{
    private readonly List<ITapeNode> nodes = [];

    /// <summary>The mode the nodes are recorded under.</summary>
    public MemoryMode Mode { get; } = mode;

    /// <summary>Forgets what was recorded without a backward pass.</summary>
    public void Clear() => nodes.Clear();

    /// <summary>Appends a node.</summary>
    public void Record(ITapeNode node) => nodes.Add(node);

    /// <summary>Runs every node's backward from the last to the first and forgets them.</summary>
    public void Backward()
    {
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            if (Mode == MemoryMode.Reversible
                && nodes[i] is IReversibleNode reversible) reversible.BackwardFromOutput();
            else nodes[i].Backward();
        }
        nodes.Clear();
    }
}
