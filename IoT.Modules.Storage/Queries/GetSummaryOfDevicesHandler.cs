using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Summaries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Queries;

internal sealed class GetSummaryOfDevicesHandler(QueryLog queries, SeriesOf series, TimeProvider time) : IRequestHandler<GetSummaryOfDevices, Outcome<Page<DeviceSummaryBucket>>>
{
    private const int MostSeries = 1_000;
    private const string Origin = "timestamptz '2000-01-01 00:00:00+00'";

    // Without a from: of all of history every bucket would be sorted for a page of them.
    private static readonly TimeSpan DefaultSpan = TimeSpan.FromDays(31);

    private sealed record Row(DateTime Bucket, string DeviceId, string DataType, string Metric, long Count, double Sum, double Min, double Max, double First, double Last);

    public async Task<Outcome<Page<DeviceSummaryBucket>>> Handle(GetSummaryOfDevices request, CancellationToken cancellationToken)
    {
        if (series.Missing(request.Devices) is { } missing)
            return missing;
        var width = GetSummaryHandler.WidthOf(request.Width);
        var to = request.To is { } end && end < SeriesOf.End.AddDays(-1) ? GetSummaryHandler.Floor(end.AddTicks(width.Ticks - 1), width) : SeriesOf.End;
        var from = GetSummaryHandler.Floor(request.After?.Bucket ?? request.From ?? (request.To ?? time.GetUtcNow().UtcDateTime) - DefaultSpan, width);
        var found = await series.FindAsync(request.Devices, from, request.DataType, null, MostSeries + 1, cancellationToken);
        if (found.Count > MostSeries)
            return Failure.Invalid("device_id", $"more than {MostSeries} series (a device's data_type); narrow device_id, location, type or data_type");
        var uuids = found.Select(s => s.Uuid).Distinct().ToArray();
        var rows = await queries.QueryAsync<Row>("summary_of_devices", Sql(request), new
        {
            Uuids = new ArrayParameter<Guid>(uuids, NpgsqlDbType.Uuid),
            Slots = new ArrayParameter<short>([-1, .. uuids.Select(PendingSummaries.SlotOf).Distinct()], NpgsqlDbType.Smallint),
            request.DataType,
            request.Metric,
            From = new TypedParameter<object>(from, NpgsqlDbType.TimestampTz),
            To = new TypedParameter<object>(to, NpgsqlDbType.TimestampTz),
            Width = width,
            AfterBucket = new TypedParameter<object>(request.After?.Bucket ?? SeriesOf.Beginning, NpgsqlDbType.TimestampTz),
            AfterDevice = request.After?.DeviceId ?? "",
            AfterType = request.After?.DataType ?? "",
            AfterMetric = request.After?.Metric ?? "",
            Count = request.Limit + 1,
        }, cancellationToken, QueryKind.Report);
        var items = rows.Take(request.Limit)
            .Select(r => new DeviceSummaryBucket(r.Bucket, r.DeviceId, r.DataType, r.Metric, r.Count, Math.Clamp(r.Sum / r.Count, r.Min, r.Max), r.Min, r.Max, r.First, r.Last)).ToList();
        var next = rows.Count > items.Count ? new DeviceSummaryCursor(items[^1].Bucket, items[^1].DeviceId, items[^1].DataType, items[^1].Metric).ToString() : null;
        return new Page<DeviceSummaryBucket>(items, next);
    }

    private static string Sql(GetSummaryOfDevices request)
    {
        var filter = $"device_id = any(@Uuids) and metric <> '' and bucket >= @From and bucket < @To {(request.DataType is null ? "" : "and data_type = @DataType")} {(request.Metric is null ? "" : "and metric = @Metric")}";
        var table = request.Width == SummaryBucketWidth.FiveMinutes ? SummaryPartitions.FineTable : SummaryPartitions.HourTable;
        return $"""
            select bucket, d.external_id as device_id, data_type, metric, count, sum, min, max, first, last from (
                select date_bin(@Width, bucket, {Origin}) as bucket, device_id, data_type, metric, sum(count)::bigint as count, sum(sum) as sum, min(min) as min, max(max) as max,
                    (array_agg(first order by first_at, seq))[1] as first, (array_agg(last order by last_at desc, seq desc))[1] as last
                from (
                    select bucket, device_id, data_type, metric, count, sum, min, max, first, first_at, last, last_at, 0 as seq from {table} where {filter}
                    union all
                    select bucket, device_id, data_type, metric, count, sum, min, max, first, first_at, last, last_at, seq from device_summary_pending where slot = any(@Slots) and {filter}
                ) parts
                group by 1, 2, 3, 4
            ) buckets
            join devices d on d.id = buckets.device_id
            {(request.After is null ? "" : "where (bucket, d.external_id, data_type, metric) > (@AfterBucket, @AfterDevice, @AfterType, @AfterMetric)")}
            order by bucket, d.external_id, data_type, metric limit @Count
            """;
    }
}
