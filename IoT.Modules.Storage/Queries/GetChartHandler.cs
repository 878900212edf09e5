using System.Text;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Summaries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Queries;

/// <summary>From the readings while there are few enough, otherwise from the summaries, which know every extreme too.</summary>
internal sealed class GetChartHandler(QueryLog queries, SeriesOf series, StorageOptions options, TimeProvider time) : IRequestHandler<GetChart, Outcome<Chart>>
{
    private const int MostSeries = 1_000;
    private const int MostPoints = 2_000_000;
    private static readonly TimeSpan DefaultSpan = TimeSpan.FromDays(1);

    internal const string RawSql =
        $"""
         select s.n::int as n, r.timestamp, r.payload from unnest(@Devices, @Types) with ordinality as s (device_id, data_type, n)
         cross join lateral (select timestamp, payload::text as payload from device_data r where {Readings.Series.OfS} and timestamp >= @From and timestamp < @To limit @Most) r
         limit @Most
         """;

    // Readings in the whole hours of that time, but for what came within the last minute: at least so many.
    private const string CountSql =
        $"""
         select coalesce(sum(h.count), 0)::bigint from unnest(@Devices, @Types) as s (device_id, data_type)
         join {SummaryPartitions.HourTable} h on h.device_id = s.device_id and h.data_type = s.data_type and h.metric = '' and h.bucket >= @From and h.bucket <= @To - interval '1 hour'
         """;

    private sealed record RawRow(int N, DateTime Timestamp, string Payload);

    private sealed record SummaryRow(Guid DeviceId, string DataType, string Metric, DateTime MinAt, double Min, DateTime MaxAt, double Max);

    public async Task<Outcome<Chart>> Handle(GetChart request, CancellationToken cancellationToken)
    {
        if (series.Missing(request.Devices) is { } missing)
            return missing;
        var to = request.To ?? time.GetUtcNow().UtcDateTime.AddSeconds(1);
        var from = request.From ?? (to.Ticks > DefaultSpan.Ticks ? to - DefaultSpan : SeriesOf.Beginning);
        if (from >= to)
            return Failure.Invalid("to", "must be after from");
        var found = await series.FindAsync(request.Devices, from, request.DataType, null, MostSeries + 1, cancellationToken);
        if (found.Count > MostSeries)
            return Failure.Invalid("device_id", $"more than {MostSeries} series (a device's data_type); narrow device_id, location, type or data_type");
        var parameters = new
        {
            Devices = new ArrayParameter<Guid>([.. found.Select(s => s.Uuid)], NpgsqlDbType.Uuid),
            Types = new ArrayParameter<string>([.. found.Select(s => s.DataType)], NpgsqlDbType.Varchar),
            From = new TypedParameter<object>(from, NpgsqlDbType.TimestampTz),
            To = new TypedParameter<object>(to, NpgsqlDbType.TimestampTz),
            Most = options.MaxQueryReadings + 1L,
        };
        var part = (to - from) / Math.Max(1, request.Points / 2);
        var canUseSummaries = options.Summaries && part >= TimeSpan.FromMinutes(5);
        // Where it is known beforehand that there are too many, they aren't read.
        if (!canUseSummaries || (await queries.QueryAsync<long>("chart_count", CountSql, parameters, cancellationToken, QueryKind.Report))[0] <= options.MaxQueryReadings)
        {
            var raw = new Series(from.Ticks, to.Ticks, request);
            var (payloads, numbers, count) = (new PayloadMetrics(), new List<(PayloadMetrics.Node Metric, double Value)>(), 0L);
            await foreach (var row in queries.StreamAsync<RawRow>("chart", RawSql, parameters, QueryKind.Report, cancellationToken))
            {
                if (++count > options.MaxQueryReadings)
                    break;
                payloads.Read(Encoding.UTF8.GetBytes(row.Payload), numbers);
                foreach (var (metric, value) in numbers)
                {
                    if (!raw.TryAdd(found[row.N - 1].DeviceId, found[row.N - 1].DataType, metric.Path, row.Timestamp, value))
                        return TooManyPoints();
                }
            }
            if (count <= options.MaxQueryReadings)
                return raw.ToChart("raw");
        }

        if (!canUseSummaries)
            return Failure.Invalid("from", FormattableString.Invariant(
                $"there are more than {options.MaxQueryReadings} readings (Storage__MaxQueryReadings) in that time{(options.Summaries ? "" : ", and no summaries (Storage__Summaries)")}. Narrow from and to, device_id or data_type, or ask for so few points that each stands for ten minutes"));
        var chart = new Series(from.Ticks, to.Ticks, request);
        var names = found.DistinctBy(s => s.Uuid).ToDictionary(s => s.Uuid, s => s.DeviceId);
        var (width, table) = part >= TimeSpan.FromHours(1) ? (TimeSpan.FromHours(1), SummaryPartitions.HourTable) : (TimeSpan.FromMinutes(5), SummaryPartitions.FineTable);
        await foreach (var row in queries.StreamAsync<SummaryRow>("chart_of_summaries", SummarySql(request, table), new
        {
            Uuids = new ArrayParameter<Guid>([.. names.Keys], NpgsqlDbType.Uuid),
            Slots = new ArrayParameter<short>([-1, .. names.Keys.Select(PendingSummaries.SlotOf).Distinct()], NpgsqlDbType.Smallint),
            request.DataType,
            Metrics = new ArrayParameter<string>([.. request.Metrics ?? []], NpgsqlDbType.Text),
            From = new TypedParameter<object>(new DateTime(from.Ticks - from.Ticks % width.Ticks, DateTimeKind.Utc), NpgsqlDbType.TimestampTz),
            To = new TypedParameter<object>(to, NpgsqlDbType.TimestampTz),
            Width = width,
            Part = part,
        }, QueryKind.Report, cancellationToken))
        {
            if (!chart.TryAdd(names[row.DeviceId], row.DataType, row.Metric, row.MinAt, row.Min) || !chart.TryAdd(names[row.DeviceId], row.DataType, row.Metric, row.MaxAt, row.Max))
                return TooManyPoints();
        }
        return chart.ToChart(width == TimeSpan.FromHours(1) ? "hour" : "5m");

        static Failure TooManyPoints() => Failure.Invalid("points", $"more than {MostPoints} points in all; ask for fewer, or narrow device_id, data_type or metric");
    }

    private static string SummarySql(GetChart request, string table)
    {
        var filter = $"device_id = any(@Uuids) and {(request.Metrics is null ? "metric <> ''" : "metric = any(@Metrics)")} and bucket >= @From and bucket < @To {(request.DataType is null ? "" : "and data_type = @DataType")}";
        return $"""
            select device_id, data_type, metric, (array_agg(bucket order by min, bucket))[1] as min_at, min(min) as min, (array_agg(bucket order by max desc, bucket))[1] as max_at, max(max) as max
            from (
                select device_id, data_type, metric, bucket, min, max from {table} where {filter}
                union all
                select device_id, data_type, metric, date_bin(@Width, bucket, timestamptz '2000-01-01 00:00:00+00'), min, max from device_summary_pending where slot = any(@Slots) and {filter}
            ) b
            group by device_id, data_type, metric, date_bin(@Part, bucket, @From)
            """;
    }

    /// <summary>What becomes the answer, bounded in series and points.</summary>
    private sealed class Series(long from, long to, GetChart request)
    {
        private readonly Dictionary<(string Device, string DataType, string Metric), Thinning> _series = [];
        private readonly HashSet<string>? _wanted = request.Metrics?.ToHashSet(StringComparer.Ordinal);

        public bool TryAdd(string device, string dataType, string metric, DateTime at, double value)
        {
            if (_wanted?.Contains(metric) == false)
                return true;
            if (!_series.TryGetValue((device, dataType, metric), out var thinning))
            {
                if ((_series.Count + 1L) * request.Points > MostPoints)
                    return false;
                _series.Add((device, dataType, metric), thinning = new Thinning(from, to, request.Points));
            }
            // What a bucket that begins earlier has seen is drawn at the beginning.
            thinning.Add(at.Ticks < from ? new DateTime(from, DateTimeKind.Utc) : at, value);
            return true;
        }

        public Chart ToChart(string resolution) => new(
            [.. _series.OrderBy(s => s.Key.Device, StringComparer.Ordinal).ThenBy(s => s.Key.DataType, StringComparer.Ordinal).ThenBy(s => s.Key.Metric, StringComparer.Ordinal)
                .Select(s => new ChartSeries(s.Key.Device, s.Key.DataType, s.Key.Metric, s.Value.Points()))],
            resolution);
    }
}
