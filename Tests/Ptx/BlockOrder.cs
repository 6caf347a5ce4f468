namespace GlowGpu.Tests.Ptx;

/// <summary>
/// Orders the basic blocks of a kernel so that every loop is contiguous, its exits follow it and every join follows
/// what it joins. Lanes that always run at the smallest program counter then meet again at the nearest point where
/// they can, which is where a GPU's compiler lets them meet, too.
/// </summary>
internal sealed class BlockOrder
{
    private readonly IReadOnlyList<PtxInstruction> instructions;
    private readonly int[] starts;
    private readonly int[][] successors;
    private readonly List<int> order = [];

    private BlockOrder(IReadOnlyList<PtxInstruction> instructions)
    {
        this.instructions = instructions;
        SortedSet<int> leaders = [0];
        for (int i = 0; i < instructions.Count; i++)
        {
            PtxInstruction instruction = instructions[i];
            if (instruction.Name is not ("bra" or "ret" or "exit")) continue;
            leaders.Add(i + 1);
            if (instruction.Name == "bra") leaders.Add(Target(instruction));
        }
        leaders.Remove(instructions.Count);
        starts = [.. leaders];
        successors = [.. Enumerable.Range(0, starts.Length).Select(Successors)];
    }

    /// <summary>
    /// The numbers of the instructions in the order in which they are laid out; −1−i stands for an added jump to
    /// instruction i, where a block no longer falls through to the one that follows it in the source.
    /// </summary>
    public static IReadOnlyList<int> Of(IReadOnlyList<PtxInstruction> instructions)
    {
        if (instructions.Count == 0 || !instructions[^1].Ends)
            throw new PtxException("control runs past the end of the kernel");
        BlockOrder layout = new(instructions);
        layout.Order([.. Enumerable.Range(0, layout.starts.Length)], 0);
        return layout.Flatten();
    }

    /// <summary>The instruction that a branch goes to.</summary>
    public static int Target(PtxInstruction branch) => branch.Scope.Label(branch.Operands[0]);

    private int End(int block) => block + 1 < starts.Length ? starts[block + 1] : instructions.Count;

    private int BlockOf(int instruction) => Array.BinarySearch(starts, instruction) is >= 0 and int exact
        ? exact
        : throw new PtxException($"a branch leaves the kernel at instruction {instruction}");

    private int[] Successors(int block)
    {
        PtxInstruction last = instructions[End(block) - 1];
        List<int> next = [];
        if (last.Name == "bra") next.Add(BlockOf(Target(last)));
        if (!last.Ends) next.Add(block + 1);
        return [.. next.Distinct()];
    }

    // Strongly connected components without the edges back to the entry, in topological order; each that is a loop
    // likewise.
    private void Order(HashSet<int> blocks, int entry)
    {
        List<List<int>> components = new StronglyConnected(blocks, entry, successors).Components;
        components.Reverse();
        foreach (List<int> component in components)
        {
            if (component.Count == 1)
            {
                order.Add(component[0]);
                continue;
            }
            HashSet<int> loop = [.. component];
            int head = order.SelectMany(b => successors[b]).FirstOrDefault(loop.Contains, component[^1]);
            Order(loop, head);
        }
    }

    private List<int> Flatten()
    {
        List<int> flat = [];
        for (int i = 0; i < order.Count; i++)
        {
            int block = order[i], end = End(block);
            for (int k = starts[block]; k < end; k++) flat.Add(k);
            bool fallsThrough = !instructions[end - 1].Ends;
            if (fallsThrough && (i + 1 == order.Count || order[i + 1] != block + 1)) flat.Add(-1 - end);
        }
        return flat;
    }

    /// <summary>Tarjan's algorithm on the blocks that the entry reaches.</summary>
    private sealed class StronglyConnected
    {
        private readonly HashSet<int> blocks;
        private readonly int entry;
        private readonly int[][] successors;
        private readonly Dictionary<int, int> index = [];
        private readonly Dictionary<int, int> low = [];
        private readonly Stack<int> open = [];
        private readonly HashSet<int> isOpen = [];

        public StronglyConnected(HashSet<int> blocks, int entry, int[][] successors)
        {
            this.blocks = blocks;
            this.entry = entry;
            this.successors = successors;
            Visit(entry);
        }

        /// <summary>In reverse topological order; the block that was entered first stands last in each.</summary>
        public List<List<int>> Components { get; } = [];

        private void Visit(int block)
        {
            index[block] = low[block] = index.Count;
            open.Push(block);
            isOpen.Add(block);
            foreach (int next in successors[block])
            {
                if (next == entry || !blocks.Contains(next)) continue;
                if (!index.ContainsKey(next))
                {
                    Visit(next);
                    low[block] = Math.Min(low[block], low[next]);
                }
                else if (isOpen.Contains(next))
                {
                    low[block] = Math.Min(low[block], index[next]);
                }
            }
            if (low[block] != index[block]) return;
            List<int> component = [];
            int member;
            do
            {
                member = open.Pop();
                isOpen.Remove(member);
                component.Add(member);
            }
            while (member != block);
            Components.Add(component);
        }
    }
}
