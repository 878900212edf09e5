using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Summaries;

internal sealed class GetSummaryHandler(QueryLog queries, DeviceDirectory directory, TimeProvider time) : IRequestHandler<GetSummary, Outcome<Page<SummaryBucket>>>
{
    private const string Origin = "timestamptz '2000-01-01 00:00:00+00'";
    private static readonly DateTime Beginning = new(1, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly DateTime End = new(9999, 12, 31, 0, 0, 0, DateTimeKind.Utc);

    private sealed record Row(DateTime Bucket, string DataType, string Metric, long Count, double Sum, double Min, double Max, double First, double Last);

    public async Task<Outcome<Page<SummaryBucket>>> Handle(GetSummary request, CancellationToken cancellationToken)
    {
        if (directory.Find(request.DeviceId) is not { IsRegistered: true } device)
            return Failure.NotFound($"Device {request.DeviceId}");

        var width = WidthOf(request.Width);
        var from = request.From is { } start ? Floor(start, width) : Beginning;
        var to = request.To is { } end && end < End ? Floor(end.AddTicks(width.Ticks - 1), width) : End;
        // Whole buckets come before the cursor's.
        if (request.After is { } after && after.Bucket > from)
            from = Floor(after.Bucket, width);
        var rows = await queries.QueryAsync<Row>("summary", Sql(request), new
        {
            device.Uuid,
            Slot = PendingSummaries.SlotOf(device.Uuid),
            request.DataType,
            request.Metric,
            From = new TypedParameter<object>(from, NpgsqlDbType.TimestampTz),
            To = new TypedParameter<object>(to, NpgsqlDbType.TimestampTz),
            Width = width,
            AfterBucket = new TypedParameter<object>(request.After?.Bucket ?? Beginning, NpgsqlDbType.TimestampTz),
            AfterType = request.After?.DataType ?? "",
            AfterMetric = request.After?.Metric ?? "",
            Count = request.Limit + 1,
        }, cancellationToken, QueryKind.Report, toKeep: request.CacheKey(time) is not null);
        var items = rows.Take(request.Limit)
            .Select(r => new SummaryBucket(r.Bucket, r.DataType, r.Metric, r.Count, Math.Clamp(r.Sum / r.Count, r.Min, r.Max), r.Min, r.Max, r.First, r.Last)).ToList();
        var next = rows.Count > items.Count ? new SummaryCursor(items[^1].Bucket, items[^1].DataType, items[^1].Metric).ToString() : null;
        return new Page<SummaryBucket>(items, next);
    }

    /// <summary>What is folded and what is pending, together.</summary>
    private static string Sql(GetSummary request)
    {
        var filter = $"""
            device_id = @Uuid and metric <> '' and bucket >= @From and bucket < @To
                {(request.DataType is null ? "" : "and data_type = @DataType")} {(request.Metric is null ? "" : "and metric = @Metric")}
            """;
        var table = request.Width == SummaryBucketWidth.FiveMinutes ? SummaryPartitions.FineTable : SummaryPartitions.HourTable;
        return $"""
            select * from (
                select date_bin(@Width, bucket, {Origin}) as bucket, data_type, metric, sum(count)::bigint as count, sum(sum) as sum, min(min) as min, max(max) as max,
                    (array_agg(first order by first_at, seq))[1] as first, (array_agg(last order by last_at desc, seq desc))[1] as last
                from (
                    select bucket, data_type, metric, count, sum, min, max, first, first_at, last, last_at, 0 as seq from {table} where {filter}
                    union all
                    select bucket, data_type, metric, count, sum, min, max, first, first_at, last, last_at, seq from device_summary_pending where slot in (-1, @Slot) and {filter}
                ) parts
                group by 1, 2, 3
            ) buckets
            {(request.After is null ? "" : "where (bucket, data_type, metric) > (@AfterBucket, @AfterType, @AfterMetric)")}
            order by bucket, data_type, metric limit @Count
            """;
    }

    internal static TimeSpan WidthOf(SummaryBucketWidth width) => width switch
    {
        SummaryBucketWidth.FiveMinutes => TimeSpan.FromMinutes(5),
        SummaryBucketWidth.Hour => TimeSpan.FromHours(1),
        SummaryBucketWidth.Day => TimeSpan.FromDays(1),
        _ => throw new ArgumentOutOfRangeException(nameof(width), width, null),
    };

    internal static DateTime Floor(DateTime at, TimeSpan width) => new(at.Ticks - at.Ticks % width.Ticks, DateTimeKind.Utc);
}
