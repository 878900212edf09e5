using System.Globalization;

namespace IoT.Modules.Semantics.Terms;

/// <summary>The canonical lexical form that XML Schema gives doubles: <c>2.35E1</c>.</summary>
internal static class Doubles
{
    public static string Lexical(double value, bool isSingle = false)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "NaN" : value > 0 ? "INF" : "-INF";
        if (value == 0)
            return double.IsNegative(value) ? "-0.0E0" : "0.0E0";
        var shortest = isSingle ? ((float)value).ToString("E8", CultureInfo.InvariantCulture) : value.ToString("E16", CultureInfo.InvariantCulture);
        // "E" formats have all the digits; the shortest round trip has as many as are needed.
        var roundTrip = isSingle ? ((float)value).ToString("R", CultureInfo.InvariantCulture) : value.ToString("R", CultureInfo.InvariantCulture);
        var exponent = int.Parse(shortest.AsSpan(shortest.IndexOf('E', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var end = roundTrip.IndexOf('E', StringComparison.Ordinal);
        var digits = string.Concat((end < 0 ? roundTrip : roundTrip[..end]).Where(char.IsAsciiDigit)).TrimStart('0').TrimEnd('0');
        var rest = digits.Length > 1 ? digits[1..] : "0";
        return string.Create(CultureInfo.InvariantCulture, $"{(value < 0 ? "-" : "")}{digits[0]}.{rest}E{exponent}");
    }
}
