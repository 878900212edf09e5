using System.Text.Json;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pages.Charts;

/// <summary>A device's last hours as charts, one for each numeric member of each data_type.</summary>
/// <param name="Charts">With their data_type; <see cref="MostCharts"/> at most.</param>
/// <param name="LeftOut">Members for which there was no chart left.</param>
/// <param name="Readings">Readings looked at.</param>
/// <param name="PartSince">Set when only the newest readings were looked at: since then (UTC).</param>
internal sealed record DeviceCharts(IReadOnlyList<(string DataType, LineChart Chart)> Charts, int LeftOut, int Readings, DateTime? PartSince)
{
    public const int MostCharts = 12;

    /// <summary>Enough for three hours of a reading every two seconds. Measured: 10,000 small readings take about 0.1 s.</summary>
    public const int MostReadings = 10_000;

    private const int PageSize = 2_000;
    private const int MostCharacters = 16 * 1024 * 1024;
    private const int MostLeftOut = 1_000;

    public static async Task<Outcome<DeviceCharts>> LoadAsync(
        IMediator mediator, string deviceId, IReadOnlyList<StoredReading> latest, TimeSpan window, DateTime now, CancellationToken stop)
    {
        var from = now - window;
        var series = new SeriesOf();
        foreach (var reading in latest.Where(r => r.Timestamp >= from && r.Timestamp <= now))
            series.Open(reading);

        var (count, characters) = (0, 0L);
        DateTime? partSince = null;
        for (HistoryCursor? after = null; ;)
        {
            var page = await mediator.Send(new GetHistory(deviceId, from, now, null, after, PageSize), stop);
            if (page.Failure is { } failure)
                return failure;
            foreach (var reading in page.Value.Items)
            {
                series.Add(reading);
                characters += reading.Payload.Length;
            }
            count += page.Value.Items.Count;
            after = page.Value.Next;
            if (after is null)
                break;
            if (count >= MostReadings || characters >= MostCharacters)
            {
                partSince = after.Value.Timestamp;
                break;
            }
        }
        return new DeviceCharts(series.Charts(from, now), series.LeftOut, count, partSince);
    }

    /// <summary>Points by data_type and member. Which members get a chart is decided by the latest readings first, so that it doesn't change from one refresh to the next.</summary>
    private sealed class SeriesOf
    {
        private readonly SortedDictionary<(string DataType, string Path), List<ChartPoint>> _points = new(Comparer<(string DataType, string Path)>.Create(
            (a, b) => string.CompareOrdinal(a.DataType, b.DataType) is not 0 and var c ? c : string.CompareOrdinal(a.Path, b.Path)));
        private readonly HashSet<(string, string)> _leftOut = [];

        public int LeftOut => _leftOut.Count;

        public void Open(StoredReading reading)
        {
            using var payload = JsonDocument.Parse(reading.Payload);
            foreach (var (path, _) in PayloadMembers.Numbers(payload.RootElement))
                Find(reading.DataType, path);
        }

        public void Add(StoredReading reading)
        {
            using var payload = JsonDocument.Parse(reading.Payload);
            foreach (var (path, value) in PayloadMembers.Numbers(payload.RootElement))
                Find(reading.DataType, path)?.Add(new ChartPoint(reading.Timestamp, value));
        }

        public List<(string, LineChart)> Charts(DateTime from, DateTime to)
        {
            var charts = new List<(string, LineChart)>();
            foreach (var ((dataType, path), points) in _points)
            {
                points.Reverse();
                charts.Add((dataType, new LineChart($"chart-{charts.Count + 1}", path, from, to, points)));
            }
            return charts;
        }

        private List<ChartPoint>? Find(string dataType, string path)
        {
            if (_points.TryGetValue((dataType, path), out var points))
                return points;
            if (_points.Count < MostCharts)
                return _points[(dataType, path)] = [];
            if (_leftOut.Count < MostLeftOut)
                _leftOut.Add((dataType, path));
            return null;
        }
    }
}
