using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

internal sealed class GetHistoryHandler(QueryLog queries, DeviceDirectory directory, TimeProvider time) : IRequestHandler<GetHistory, Outcome<HistoryPage>>
{
    private static readonly DateTime Beginning = DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc);
    private static readonly DateTime End = new(9999, 12, 31, 23, 59, 59, DateTimeKind.Utc);

    // A page of large payloads ends early, with a cursor: what a request holds in memory has a bound in bytes too.
    private const int MaxPageCharacters = 4 * 1024 * 1024;

    private const string Newest = "order by timestamp desc, id desc limit @Count";

    // Each type's newest are merged. Which there are is written down in the transaction of each reading.
    private const string AllTypes =
        $"""
         select r.* from (
             select device_id, data_type, @AfterTimestamp as after_timestamp, @AfterId as after_id from device_series
             where device_id = @Uuid and newest_hour + interval '1 hour' > @From
         ) s
         cross join lateral ({Series.Page}) r
         {Newest}
         """;

    private const string OneType =
        $"""
         select r.* from (select @Uuid as device_id, @DataType::text as data_type, @AfterTimestamp as after_timestamp, @AfterId as after_id) s
         cross join lateral ({Series.Page}) r
         {Newest}
         """;

    public async Task<Outcome<HistoryPage>> Handle(GetHistory request, CancellationToken cancellationToken)
    {
        if (directory.Find(request.DeviceId) is not { IsRegistered: true } device)
            return Failure.NotFound($"Device {request.DeviceId}");

        var rows = queries.StreamAsync<Series.Row>(
            request.DataType is null ? "history" : "history_of_type", request.DataType is null ? AllTypes : OneType,
            new
            {
                device.Uuid,
                request.DataType,
                From = new TypedParameter<object>(request.From ?? Beginning, NpgsqlDbType.TimestampTz),
                To = new TypedParameter<object>(request.To ?? End, NpgsqlDbType.TimestampTz),
                AfterTimestamp = new TypedParameter<object>(request.After?.Timestamp ?? End, NpgsqlDbType.TimestampTz),
                AfterId = request.After?.Id ?? long.MaxValue,
                Count = request.Limit + 1L,
            }, QueryKind.Page, cancellationToken, toKeep: request.CacheKey(time) is not null);

        var items = new List<StoredReading>();
        var characters = 0;
        await foreach (var row in rows)
        {
            if (items.Count == request.Limit || characters > MaxPageCharacters)
                return new HistoryPage(items, new HistoryCursor(items[^1].Timestamp, items[^1].Id));
            items.Add(row.ToReading(device.Id));
            characters += row.Payload.Length;
        }
        return new HistoryPage(items, null);
    }
}
