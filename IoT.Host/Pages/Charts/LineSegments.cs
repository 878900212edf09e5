namespace IoT.Host.Pages.Charts;

/// <summary>
/// Points thinned out to what a chart can show: of each slice of time the lowest and the highest, so that no peak is lost, and the line
/// broken where nothing arrived for long, so that a silent sensor doesn't look like a steady one.
/// </summary>
internal static class LineSegments
{
    /// <summary>Slices of the window; each gives two points at most.</summary>
    public const int Slices = 150;

    private const int LongTimesMedian = 6;
    private const int LongPartOfWindow = 100;

    public static List<IReadOnlyList<ChartPoint>> Of(IReadOnlyList<ChartPoint> points, DateTime from, DateTime to)
    {
        var segments = new List<IReadOnlyList<ChartPoint>>();
        var longest = LongestStep(points, to - from);
        var begin = 0;
        for (var i = 1; i <= points.Count; i++)
        {
            if (i < points.Count && points[i].At - points[i - 1].At <= longest)
                continue;
            segments.Add(Thin(points, begin, i, from, to, points.Count <= 2 * Slices));
            begin = i;
        }
        return segments;
    }

    private static TimeSpan LongestStep(IReadOnlyList<ChartPoint> points, TimeSpan window)
    {
        if (points.Count < 3)
            return window;
        var steps = new long[points.Count - 1];
        for (var i = 1; i < points.Count; i++)
            steps[i - 1] = (points[i].At - points[i - 1].At).Ticks;
        Array.Sort(steps);
        return TimeSpan.FromTicks(Math.Max(steps[steps.Length / 2] * LongTimesMedian, window.Ticks / LongPartOfWindow));
    }

    private static List<ChartPoint> Thin(IReadOnlyList<ChartPoint> points, int begin, int end, DateTime from, DateTime to, bool keepAll)
    {
        var kept = new List<ChartPoint>();
        for (var i = begin; i < end;)
        {
            var (low, high, slice) = (i, i, SliceOf(points[i].At, from, to));
            var next = i;
            for (; next < end && (keepAll ? next == i : SliceOf(points[next].At, from, to) == slice); next++)
            {
                if (points[next].Value < points[low].Value)
                    low = next;
                if (points[next].Value > points[high].Value)
                    high = next;
            }
            kept.Add(points[Math.Min(low, high)]);
            if (low != high)
                kept.Add(points[Math.Max(low, high)]);
            i = next;
        }
        // The ends of the line are where its first and last point are.
        if (kept[0] != points[begin])
            kept.Insert(0, points[begin]);
        if (kept[^1] != points[end - 1])
            kept.Add(points[end - 1]);
        return kept;
    }

    private static long SliceOf(DateTime at, DateTime from, DateTime to) => (at - from).Ticks * Slices / Math.Max(1, (to - from).Ticks);
}
