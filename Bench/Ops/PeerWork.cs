namespace GlowGpu.Bench.Ops;

/// <summary>What of an operation a library of others does too.</summary>
public enum PeerWork
{
    /// <summary>Nothing: its peer is the copy.</summary>
    None,

    /// <summary>One product per pixel.</summary>
    ChannelForward,

    /// <summary>Its gradients.</summary>
    ChannelBackward,

    /// <summary>The three convolutions of a coupling network.</summary>
    NetForward,

    /// <summary>Their gradients.</summary>
    NetBackward,

    /// <summary>The convolution of a split.</summary>
    ConvForward,

    /// <summary>Its gradients.</summary>
    ConvBackward,
}
