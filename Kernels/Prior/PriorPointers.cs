using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The parameters of the host's prior (or their gradients) by address, and the two terms they make in double.
/// </summary>
internal readonly unsafe struct PriorPointers
{
    /// <summary>Taps of a 3×3 convolution.</summary>
    public const int Taps = 9;

    private readonly float* bias, logs, classBias, classLogs, labels;
    private readonly float* w, classW;
    private readonly int columns;

    public PriorPointers(bool edgeBias, int columns, PriorParameters p, View labels)
    {
        this.columns = columns;
        EdgeBias = edgeBias;
        HasConv = !p.Conv.W.IsNone;
        HasClasses = !p.ClassW.IsNone;
        if (HasConv)
        {
            w = HostBuffer.Address(p.Conv.W);
            bias = HostBuffer.Address(p.Conv.Bias);
            logs = HostBuffer.Address(p.Conv.Logs);
        }
        if (HasClasses)
        {
            classW = HostBuffer.Address(p.ClassW);
            classBias = HostBuffer.Address(p.ClassBias);
            classLogs = HostBuffer.Address(p.ClassLogs);
            this.labels = HostBuffer.Address(labels);
            Classes = (int)(p.ClassW.Count / columns);
        }
    }

    public bool EdgeBias { get; }

    public bool HasConv { get; }

    public bool HasClasses { get; }

    public int Classes { get; }

    /// <summary>Input channels of the convolution's weights.</summary>
    public int Inputs => columns + (EdgeBias ? 1 : 0);

    public float* W => w;

    public float* Bias => bias;

    public float* Logs => logs;

    public float* ClassW => classW;

    public float* ClassBias => classBias;

    public float* ClassLogs => classLogs;

    /// <summary>Throws unless every label is a class.</summary>
    public void CheckLabels(string op, int images)
    {
        if (HasClasses) Shapes.CheckLabels(op, new ReadOnlySpan<float>(labels, images), Classes);
    }

    /// <summary>Class of image n.</summary>
    public int Class(int n) => (int)labels[n];

    /// <summary>True when no image before n has its class.</summary>
    public bool IsFirstOfItsClass(int n)
    {
        for (int m = 0; m < n; m++)
            if (labels[m] == labels[n]) return false;
        return true;
    }

    /// <summary>Weight of the edge channel, the last input, at a tap.</summary>
    public float* EdgeWeight(int tap, int j) => w + ((long)tap * Inputs + columns) * columns + j;

    /// <summary>The convolution at pixels of a mask, before exp(3·logs).</summary>
    public double BeforeScale(int mask, int j)
    {
        if (!HasConv) return 0;
        double sum = bias[j];
        for (int tap = 0; EdgeBias && tap < Taps; tap++)
            if (EdgeMask.IsOutside(mask, tap)) sum += *EdgeWeight(tap, j);
        return sum;
    }

    /// <summary>exp(3·logs) of the convolution; 0 without one.</summary>
    public double Scale(int j) => HasConv ? Math.Exp(3.0 * logs[j]) : 0;

    /// <summary>The class embedding of image n, before exp(3·logs).</summary>
    public double ClassBeforeScale(int n, int j) => HasClasses ? (double)classW[(long)Class(n) * columns + j]
        + classBias[j] : 0;

    /// <summary>exp(3·logs) of the class embedding; 0 without one.</summary>
    public double ClassScale(int j) => HasClasses ? Math.Exp(3.0 * classLogs[j]) : 0;
}
