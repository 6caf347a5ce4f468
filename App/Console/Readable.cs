using System.Globalization;
using static System.FormattableString;

namespace GlowGpu.App.Console;

/// <summary>Numbers as people read them, in the invariant culture.</summary>
internal static class Readable
{
    /// <summary>bits/dim with four decimals.</summary>
    public static string Bits(double bitsPerDim) => bitsPerDim.ToString("0.0000", CultureInfo.InvariantCulture);

    /// <summary>A count with thousands separators.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count in plain digits.</summary>
    public static string Whole(long count) => count.ToString(CultureInfo.InvariantCulture);

    /// <summary>Three significant digits, in exponent form when far from 1.</summary>
    public static string Short(double value) => value.ToString("G3", CultureInfo.InvariantCulture);

    /// <summary>A fraction with three decimals.</summary>
    public static string Fraction(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>All digits that matter.</summary>
    public static string Exact(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>A large count as 1.23 k, M, G or T.</summary>
    public static string Scaled(double value, string unit)
    {
        string[] prefixes = ["", "k", "M", "G", "T", "P"];
        int i = 0;
        while (Math.Abs(value) >= 1000 && i < prefixes.Length - 1)
        {
            value /= 1000;
            i++;
        }
        string digits = value.ToString(value >= 100 || i == 0 ? "0" : value >= 10 ? "0.0" : "0.00",
            CultureInfo.InvariantCulture);
        return $"{digits} {prefixes[i]}{unit}".TrimEnd();
    }

    /// <summary>Bytes as kB, MB or GB (powers of 1000).</summary>
    public static string Bytes(long bytes) => Scaled(bytes, "B");

    /// <summary>A duration as 5s, 3m 20s, 4h 05m or 2d 03h.</summary>
    public static string Duration(TimeSpan time)
    {
        if (time < TimeSpan.Zero) time = TimeSpan.Zero;
        return
            time.TotalMinutes < 1 ? Invariant($"{(int)time.TotalSeconds}s") :
            time.TotalHours < 1 ? Invariant($"{time.Minutes}m {time.Seconds:00}s") :
            time.TotalDays < 1 ? Invariant($"{time.Hours}h {time.Minutes:00}m") :
            Invariant($"{(int)time.TotalDays}d {time.Hours:00}h");
    }

    /// <summary>A set's name and hash, as printed beside every bits/dim.</summary>
    public static string Set(string name, string hash) => $"{name} #{hash}";

    /// <summary>One, two and three as "a, b or c".</summary>
    public static string OneOf(IReadOnlyList<string> values) => values.Count == 1
        ? values[0]
        : $"{string.Join(", ", values.Take(values.Count - 1))} or {values[^1]}";
}
