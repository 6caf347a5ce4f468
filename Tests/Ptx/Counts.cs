namespace GlowGpu.Tests.Ptx;

/// <summary>What one instruction did in all its executions.</summary>
internal struct Counts
{
    /// <summary>Executions by a warp.</summary>
    public long Warps;

    /// <summary>Executions by a lane.</summary>
    public long Lanes;

    /// <summary>Passes that shared memory needed, each serving every bank once.</summary>
    public long Wavefronts;

    /// <summary>Passes that it would have needed without bank conflicts.</summary>
    public long IdealWavefronts;

    /// <summary>Sectors of 32 bytes of global memory that were touched.</summary>
    public long Sectors;

    /// <summary>Sectors that the bytes asked for would fill.</summary>
    public long IdealSectors;

    public void Add(in Counts other)
    {
        Warps += other.Warps;
        Lanes += other.Lanes;
        Wavefronts += other.Wavefronts;
        IdealWavefronts += other.IdealWavefronts;
        Sectors += other.Sectors;
        IdealSectors += other.IdealSectors;
    }
}
