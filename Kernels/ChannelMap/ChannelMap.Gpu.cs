using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IChannelMap"/> on a GPU: one launch over all steps of a model, however many channels each has, for
/// every stage of the work. A group factors one W (LU with partial pivoting), then one thread solves for each column
/// of an inverse and folds the actnorm in. Arithmetic that W's condition can amplify is in pairs of float32
/// (<see cref="DoubleFloat"/>), so results are good to rounding; sums run in one fixed order. The host neither reads
/// nor waits: what is wrong with a W goes to the status. 4 floats of scratch a matrix element; about 2.7·C³ pair
/// operations to prepare a step.
/// </summary>
internal sealed class GpuChannelMap : IChannelMap, IDisposable
{
    // A thread's column costs C² operations whatever its neighbours do, so columns are spread over many small groups.
    private const int ColumnsPerGroup = 32;

    private const int KeptPlans = 4;

    private readonly GpuContext gpu;
    private readonly Kernel<ChannelMapArguments> factor, invert, total, backwardRows, backwardFactors;
    private readonly List<ChannelMapPlan> plans = [];

    public GpuChannelMap(GpuContext gpu)
    {
        this.gpu = gpu;
        factor = gpu.Declare<ChannelMapArguments>(ChannelMapFactor.Factor);
        invert = gpu.Declare<ChannelMapArguments>(ChannelMapInverse.Invert);
        total = gpu.Declare<ChannelMapArguments>(ChannelMapInverse.Total);
        backwardRows = gpu.Declare<ChannelMapArguments>(ChannelMapBackward.Rows);
        backwardFactors = gpu.Declare<ChannelMapArguments>(ChannelMapBackward.Factors);
    }

    /// <inheritdoc/>
    public void Prepare(IReadOnlyList<ChannelMapStep> steps, View logDet, View status)
    {
        Shapes.CheckChannelMapResults(logDet, status);
        foreach (ChannelMapStep step in steps) Shapes.CheckChannelMap(step);
        ChannelMapPlan plan = PlanOf(steps);
        ChannelMapArguments shared = Arguments(plan);
        foreach (ChannelMapBatch batch in plan.Batches)
        {
            ChannelMapArguments arguments = batch.Bind(shared);
            factor.Launch(new Index3D(batch.Count, 1, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);
            int threads = Math.Min(gpu.GroupSize, ColumnsPerGroup);
            invert.Launch(new Index3D(GpuContext.CeilingDivide(batch.Channels, threads), batch.Count, 1),
                new Index3D(threads, 1, 1), arguments);
        }
        shared.Steps = steps.Count;
        shared.LogDet = gpu.Matrix(logDet).Data;
        shared.Status = gpu.Matrix(status).Data;
        total.Launch(new Index3D(1, 1, 1), new Index3D(gpu.GroupSize, 1, 1), shared);
    }

    /// <inheritdoc/>
    public void Backward(IReadOnlyList<ChannelMapStep> steps, float gLogDet)
    {
        foreach (ChannelMapStep step in steps) Shapes.CheckChannelMapBackward(step);
        ChannelMapPlan plan = PlanOf(steps);
        ChannelMapArguments shared = Arguments(plan);
        shared.GLogDet = gLogDet;
        foreach (ChannelMapBatch batch in plan.Batches)
        {
            ChannelMapArguments arguments = batch.Bind(shared);
            int threads = Math.Min(gpu.GroupSize, ColumnsPerGroup);
            backwardRows.Launch(new Index3D(GpuContext.CeilingDivide(batch.Channels, threads), batch.Count, 1),
                new Index3D(threads, 1, 1), arguments);
            if (!batch.HasPlu) continue;
            int groups = GpuContext.CeilingDivide((long)batch.Channels * batch.Channels, gpu.GroupSize);
            backwardFactors.Launch(new Index3D(groups, batch.Count, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);
        }
    }

    public void Dispose()
    {
        foreach (ChannelMapPlan plan in plans) plan.Dispose();
        plans.Clear();
    }

    private ChannelMapArguments Arguments(ChannelMapPlan plan)
    {
        ChannelMapArguments arguments = plan.Arguments;
        arguments.Work = gpu.Scratch.Take(ScratchSlot.ChannelMaps, 1, plan.WorkLength).Data;
        return arguments;
    }

    /// <summary>
    /// The plan of these steps, the last used first; made anew when they, or their constants, are not those of a kept
    /// one.
    /// </summary>
    private ChannelMapPlan PlanOf(IReadOnlyList<ChannelMapStep> steps)
    {
        int found = plans.FindIndex(p => p.IsOf(steps));
        ChannelMapPlan plan = found >= 0 ? plans[found] : new ChannelMapPlan(gpu, steps);
        if (found == 0) return plan;
        if (found > 0) plans.RemoveAt(found);
        plans.Insert(0, plan);
        if (plans.Count <= KeptPlans) return plan;
        plans[^1].Dispose();
        plans.RemoveAt(plans.Count - 1);
        return plan;
    }
}
