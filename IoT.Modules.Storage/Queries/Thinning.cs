using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Queries;

/// <summary>
/// A series thinned to a number of points: the time is parted evenly, and of each part the smallest and the largest value stay. Every
/// extreme is kept, whatever the number of points, values may come in any order, and it works on summaries as on readings; picking by
/// triangles (LTTB) draws a little smoother and promises none of that (decision 0018). A series of no more than that many is left as it is.
/// </summary>
internal sealed class Thinning(long from, long to, int points)
{
    private readonly int _parts = Math.Max(1, points / 2);
    private List<SeriesPoint>? _all = [];
    private Part[]? _byPart;

    private struct Part
    {
        public bool HasAny;
        public SeriesPoint Min;
        public SeriesPoint Max;
    }

    public void Add(DateTime timestamp, double value)
    {
        var point = new SeriesPoint(timestamp, value);
        if (_all is not null)
        {
            _all.Add(point);
            if (_all.Count <= points)
                return;
            _byPart = new Part[_parts];
            foreach (var earlier in _all)
                AddToPart(earlier);
            _all = null;
            return;
        }
        AddToPart(point);
    }

    public IReadOnlyList<SeriesPoint> Points() =>
        _all is not null
            ? [.. _all.OrderBy(p => p.Timestamp)]
            : [.. _byPart!.Where(p => p.HasAny).SelectMany(p => p.Min == p.Max ? [p.Min] : p.Min.Timestamp <= p.Max.Timestamp ? new[] { p.Min, p.Max } : [p.Max, p.Min])];

    private void AddToPart(SeriesPoint point)
    {
        var index = (int)Int128.Clamp((Int128)(point.Timestamp.Ticks - from) * _parts / Math.Max(1, to - from), 0, _parts - 1);
        ref var part = ref _byPart![index];
        // Of equal values the earliest, so that the order of coming doesn't show.
        if (!part.HasAny || point.Value < part.Min.Value || (point.Value == part.Min.Value && point.Timestamp < part.Min.Timestamp))
            part.Min = point;
        if (!part.HasAny || point.Value > part.Max.Value || (point.Value == part.Max.Value && point.Timestamp < part.Max.Timestamp))
            part.Max = point;
        part.HasAny = true;
    }
}
