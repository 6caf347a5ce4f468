namespace GlowGpu.Bench.Peers;

/// <summary>Weights and pixels between our order and cuDNN's, whose channels may be padded with zeros.</summary>
internal static class FilterLayout
{
    /// <summary>Weights <c>[taps, channels, outputs]</c> as <c>[paddedOutputs, taps, paddedChannels]</c>.</summary>
    public static float[] ToKrsc(float[] weights, int taps, int channels, int outputs, int paddedChannels,
        int paddedOutputs)
    {
        float[] krsc = new float[(long)paddedOutputs * taps * paddedChannels];
        for (int tap = 0; tap < taps; tap++)
            for (int c = 0; c < channels; c++)
                for (int o = 0; o < outputs; o++)
                    krsc[(o * taps + tap) * paddedChannels + c] = weights[(tap * channels + c) * outputs + o];
        return krsc;
    }

    /// <summary>The other way, padding dropped.</summary>
    public static float[] FromKrsc(float[] krsc, int taps, int channels, int outputs, int paddedChannels)
    {
        float[] weights = new float[(long)taps * channels * outputs];
        for (int tap = 0; tap < taps; tap++)
            for (int c = 0; c < channels; c++)
                for (int o = 0; o < outputs; o++)
                    weights[(tap * channels + c) * outputs + o] = krsc[(o * taps + tap) * paddedChannels + c];
        return weights;
    }

    /// <summary>Rows of so many columns as rows of more, zeros at their ends.</summary>
    public static float[] Widen(float[] values, int cols, int paddedCols)
    {
        if (cols == paddedCols) return values;
        int rows = values.Length / cols;
        float[] wide = new float[(long)rows * paddedCols];
        for (int r = 0; r < rows; r++) Array.Copy(values, r * cols, wide, r * paddedCols, cols);
        return wide;
    }

    /// <summary>The other way.</summary>
    public static float[] Narrow(float[] wide, int paddedCols, int cols)
    {
        if (cols == paddedCols) return wide;
        int rows = wide.Length / paddedCols;
        float[] values = new float[(long)rows * cols];
        for (int r = 0; r < rows; r++) Array.Copy(wide, r * paddedCols, values, r * cols, cols);
        return values;
    }
}
