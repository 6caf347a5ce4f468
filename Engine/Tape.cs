namespace GlowGpu.Engine;

/// <summary>
/// One recorded operation. Its <see cref="Backward"/> finds the gradient of its output filled, fills those of its inputs
/// and of its parameters, and releases what it no longer needs.
/// </summary>
public interface ITapeNode
{
    /// <summary>Fills the gradients of the inputs from those of the output.</summary>
    void Backward();
}

/// <summary>
/// A node that can rebuild its input from its output, so that the input's memory is free between forward and backward.
/// </summary>
public interface IReversibleNode : ITapeNode
{
    /// <summary>Restores the input's values, given the output's.</summary>
    void RebuildInput();
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
/// Minimal reverse mode: forward records nodes in order, <see cref="Backward"/> walks them once from the last to the first.
/// In <see cref="MemoryMode.Reversible"/> a reversible node's input is rebuilt just before the node is differentiated.
/// </summary>
public sealed class Tape(MemoryMode mode)
{
    private readonly List<ITapeNode> nodes = [];

    /// <summary>The mode the nodes are recorded under.</summary>
    public MemoryMode Mode { get; } = mode;

    /// <summary>Appends a node.</summary>
    public void Record(ITapeNode node) => nodes.Add(node);

    /// <summary>Runs every node's backward from the last to the first and forgets them.</summary>
    public void Backward()
    {
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            if (Mode == MemoryMode.Reversible && nodes[i] is IReversibleNode reversible) reversible.RebuildInput();
            nodes[i].Backward();
        }
        nodes.Clear();
    }
}
