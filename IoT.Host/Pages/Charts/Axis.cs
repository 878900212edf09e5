using System.Globalization;

namespace IoT.Host.Pages.Charts;

/// <summary>A value axis that begins and ends on round numbers, with a few ticks between.</summary>
internal sealed class Axis
{
    private const int Intervals = 3;
    private const int MostDecimals = 3;

    // Beyond this, ranges overflow and differences vanish; such values stand at the edge.
    private const double Largest = 1e300;

    private readonly double _low;
    private readonly double _step;
    private readonly int _steps;

    private Axis(double low, double step, int steps) => (_low, _step, _steps) = (low, step, steps);

    public static Axis Of(double min, double max)
    {
        (min, max) = (Math.Clamp(min, -Largest, Largest), Math.Clamp(max, -Largest, Largest));
        // Flat, or flat as far as a double can tell: some room on both sides.
        var smallest = Math.Max(Math.Abs(min), Math.Abs(max)) * 1e-12;
        if (max - min <= smallest)
        {
            var room = max == 0 ? 1 : Math.Max(Math.Abs(max) * 0.05, smallest);
            (min, max) = (min >= 0 && min - room < 0 ? 0 : min - room, max + room);
        }
        var step = RoundUp((max - min) / Intervals);
        var low = Math.Floor(min / step) * step;
        return new Axis(low, step, Math.Clamp((int)Math.Ceiling((max - low) / step - 1e-9), 1, 2 * Intervals));
    }

    /// <summary>Where a value stands, 0 at the bottom to 1 at the top.</summary>
    public double Share(double value) => Math.Clamp((value - _low) / (_step * _steps), 0, 1);

    public IEnumerable<(double Value, string Label)> Ticks =>
        Enumerable.Range(0, _steps + 1).Select(i => _low + i * _step).Select(value => (value, Label(value)));

    // 1, 2, 2.5 or 5 times a power of ten.
    private static double RoundUp(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return (value / power) switch { <= 1 => 1, <= 2 => 2, <= 2.5 => 2.5, <= 5 => 5, _ => 10 } * power;
    }

    private static int Decimals(double step) => Math.Max(0, (int)Math.Ceiling(-Math.Log10(step) + (step / Math.Pow(10, Math.Floor(Math.Log10(step))) is > 2.4 and < 2.6 ? 1 : 0) - 1e-9));

    private string Label(double value)
    {
        if (Math.Abs(value) < _step / 1e6)
            return "0";
        var top = Math.Max(Math.Abs(_low), Math.Abs(_low + _step * _steps));
        var (unit, suffix) = top switch
        {
            >= 1e15 or < 1e-3 => (0, ""),
            >= 1e9 => (1e9, "G"),
            >= 1e6 => (1e6, "M"),
            >= 1e4 => (1e3, "k"),
            _ => (1d, ""),
        };
        if (unit == 0)
            return value.ToString("0.##E+0", CultureInfo.InvariantCulture);
        // A counter far from zero: its steps would need too many decimals of a larger unit, so it is written out.
        if (Decimals(_step / unit) > MostDecimals)
            (unit, suffix) = (1, "");
        var decimals = Math.Min(Decimals(_step / unit), 6);
        return (value / unit).ToString("0." + new string('#', decimals), CultureInfo.InvariantCulture) + suffix;
    }
}
