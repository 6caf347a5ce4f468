using System.Runtime.InteropServices;
using ILGPU;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// A few lines of PTX, run on one group. They find <c>%tid</c>, the addresses <c>%in</c> and <c>%out</c> of two
/// arrays of 32-bit words, <c>%i</c> and <c>%o</c> of this thread's word in each, scratch registers <c>%r0</c>…,
/// <c>%d0</c>…,
/// <c>%f0</c>…, <c>%p0</c>… and shared memory <c>dyn</c>.
/// </summary>
internal sealed unsafe class PtxSnippet(string body)
{
    private const int Alignment = 256;

    private readonly PtxProgram program = new(PtxParser.Parse(Source(body)));

    /// <summary>Bytes of shared memory.</summary>
    public int SharedBytes { get; init; } = 4096;

    /// <summary>Threads of the group.</summary>
    public int Threads { get; init; } = Warp.Lanes;

    /// <summary>What each instruction of the last run did.</summary>
    public PtxReport? Report { get; private set; }

    /// <summary>Runs it; the words that it wrote, where 0xFFFFFFFF stands for none.</summary>
    public uint[] Run(ReadOnlySpan<uint> input, int outputs)
    {
        uint* from = Allocate(input.Length), to = Allocate(outputs);
        try
        {
            input.CopyTo(new Span<uint>(from, input.Length));
            new Span<uint>(to, outputs).Fill(uint.MaxValue);
            byte[] parameters = [.. BitConverter.GetBytes((ulong)from), .. BitConverter.GetBytes((ulong)to)];
            MemoryRange[] memory = [Range(from, input.Length, "in"), Range(to, outputs, "out")];
            PtxLaunch launch = new(program, new Index3D(1, 1, 1), new Index3D(Threads, 1, 1), SharedBytes,
                PtxRunner.Traits.SharedBytes, parameters, memory)
            {
                CountsAccesses = true,
            };
            Report = new PtxReport(program.Kernel);
            Report.Add(launch.Run(1));
            return new ReadOnlySpan<uint>(to, outputs).ToArray();
        }
        finally
        {
            NativeMemory.AlignedFree(from);
            NativeMemory.AlignedFree(to);
        }
    }

    /// <summary>Runs it on the numbers 0, 1, 2, …; one word a thread.</summary>
    public uint[] Run() => Run([.. Enumerable.Range(0, 1024).Select(static i => (uint)i)], Math.Max(Threads, 1024));

    private static uint* Allocate(int words) => (uint*)NativeMemory.AlignedAlloc((nuint)Math.Max(words,
        1) * sizeof(uint), Alignment);

    private static MemoryRange Range(uint* start, int words, string name) => new((ulong)start, (ulong)(start + words),
        name);

    private static string Source(string body) => $$"""
        .version 7.8
        .target sm_80
        .address_size 64
        .extern .shared .align 16 .b8 dyn[];
        .visible .entry Snippet(.param .b64 from, .param .b64 to)
        {
            .reg .b64 %in, %out, %i, %o, %d<16>;
            .reg .b32 %tid, %shared, %s, %r<64>;
            .reg .f32 %f<16>;
            .reg .pred %p<8>;
            ld.param.b64 %in, [from];
            ld.param.b64 %out, [to];
            mov.b32 %tid, %tid.x;
            mad.wide.u32 %i, %tid, 4, %in;
            mad.wide.u32 %o, %tid, 4, %out;
            mov.b32 %shared, dyn;
            shl.b32 %s, %tid, 2;
            add.u32 %s, %s, %shared;
            {{body}}
            ret;
        }
        """;
}
