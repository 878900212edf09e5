using System.Globalization;
using System.Text;

namespace IoT.Host.Pages.Charts;

/// <summary>A value at a time (UTC).</summary>
internal readonly record struct ChartPoint(DateTime At, double Value);

/// <summary>
/// A line over time as the server draws it: everything <c>_Chart.cshtml</c> needs, in numbers. Across, positions are percent of the
/// plot's width, so that it fits any screen without its text being scaled; down, they are pixels.
/// </summary>
internal sealed class LineChart
{
    /// <summary>The plot's width in units of the path; it is stretched to whatever room there is.</summary>
    public const int PathWidth = 1000;

    /// <summary>Room above the plot, in pixels.</summary>
    public const int PlotTop = 8;

    private const int RoomBelow = 24;

    private readonly Axis _axis;

    /// <param name="points">In order of time; values finite.</param>
    /// <param name="plotHeight">In pixels.</param>
    /// <param name="fromZero">Whether the axis begins at zero and the area under the line is filled.</param>
    public LineChart(string id, string title, DateTime from, DateTime to, IReadOnlyList<ChartPoint> points, int plotHeight = 120, bool fromZero = false)
    {
        (Id, Title, From, To, PlotHeight, IsFilled) = (id, title, from, to, plotHeight, fromZero);
        Count = points.Count;
        if (points.Count > 0)
        {
            Last = points[^1];
            Min = points.Min(p => p.Value);
            Max = points.Max(p => p.Value);
        }
        _axis = Axis.Of(fromZero ? Math.Min(0, Min) : Min, Max);
        var (line, area) = (new StringBuilder(), new StringBuilder());
        foreach (var segment in LineSegments.Of(points, from, to))
            Draw(segment, line, area);
        LinePath = line.ToString();
        AreaPath = fromZero ? area.ToString() : "";
    }

    public string Id { get; }

    public string Title { get; }

    public DateTime From { get; }

    public DateTime To { get; }

    public int PlotHeight { get; }

    public int PlotBottom => PlotTop + PlotHeight;

    public int Height => PlotBottom + RoomBelow;

    public bool IsFilled { get; }

    /// <summary>Points that the line stands for, not those that are drawn.</summary>
    public int Count { get; }

    public double Min { get; }

    public double Max { get; }

    public ChartPoint Last { get; }

    public string LinePath { get; }

    public string AreaPath { get; }

    /// <summary>Where the newest point is.</summary>
    public (string XPercent, string Y) Marker => (Percent(XOf(Last.At)), Pixels(PlotTop + YOf(Last.Value)));

    /// <summary>Whether the value labels need more room.</summary>
    public bool HasLongLabels => _axis.Ticks.Any(t => t.Label.Length > 6);

    public IEnumerable<(string Y, string Label)> ValueTicks => _axis.Ticks.Select(t => (Pixels(PlotTop + YOf(t.Value)), t.Label));

    /// <summary>Ticks of time (UTC). Their labels may stand out over the plot's ends, where the page leaves room.</summary>
    public IEnumerable<(string XPercent, string Label)> TimeTicks
    {
        get
        {
            var step = TimeStep(To - From);
            var first = new DateTime((From.Ticks + step.Ticks - 1) / step.Ticks * step.Ticks, DateTimeKind.Utc);
            for (var at = first; at <= To; at += step)
            {
                var label = at.TimeOfDay == TimeSpan.Zero ? at.ToString("d MMM", CultureInfo.InvariantCulture) : at.ToString("HH:mm", CultureInfo.InvariantCulture);
                yield return (Percent(XOf(at)), label);
            }
        }
    }

    /// <summary>The chart in words, for those who don't see it.</summary>
    public string Summary => Count == 0
        ? $"{Title}: no values from {Clock(From)} to {Clock(To)} UTC"
        : $"{Title} from {Clock(From)} to {Clock(To)} UTC: last {Show.Number(Last.Value)}, lowest {Show.Number(Min)}, highest {Show.Number(Max)}";

    private static string Clock(DateTime at) => at.ToString("d MMM HH:mm", CultureInfo.InvariantCulture);

    private static TimeSpan TimeStep(TimeSpan window) => window.TotalMinutes switch
    {
        <= 6 => TimeSpan.FromMinutes(1),
        <= 20 => TimeSpan.FromMinutes(5),
        <= 75 => TimeSpan.FromMinutes(15),
        <= 200 => TimeSpan.FromMinutes(30),
        <= 750 => TimeSpan.FromHours(2),
        _ => TimeSpan.FromHours(4),
    };

    private void Draw(IReadOnlyList<ChartPoint> segment, StringBuilder line, StringBuilder area)
    {
        var command = 'M';
        foreach (var point in segment)
        {
            line.Append(command).Append(Units(point.At)).Append(' ').Append(Pixels(YOf(point.Value)));
            command = 'L';
        }
        // A point by itself is a dot: a line of no length with round ends.
        if (segment.Count == 1)
            line.Append("h0");
        if (!IsFilled)
            return;
        area.Append('M').Append(Units(segment[0].At)).Append(' ').Append(PlotHeight);
        foreach (var point in segment)
            area.Append('L').Append(Units(point.At)).Append(' ').Append(Pixels(YOf(point.Value)));
        area.Append('L').Append(Units(segment[^1].At)).Append(' ').Append(PlotHeight).Append('Z');
    }

    private double XOf(DateTime at) => Math.Clamp((at - From) / (To - From), 0, 1);

    private double YOf(double value) => PlotHeight * (1 - _axis.Share(value));

    private string Units(DateTime at) => (XOf(at) * PathWidth).ToString("0.#", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (share * 100).ToString("0.##", CultureInfo.InvariantCulture) + "%";

    private static string Pixels(double y) => y.ToString("0.#", CultureInfo.InvariantCulture);
}
