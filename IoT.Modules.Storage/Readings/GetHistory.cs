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
    internal const string AllTypes =
        $"""
         select r.* from (
             select device_id, data_type, @AfterTimestamp as after_timestamp, @AfterId as after_id from device_series
             where device_id = @Uuid and newest_hour + interval '1 hour' > @From
         ) s
         cross join lateral ({Series.Page}) r
         {Newest}
         """;

    internal const string OneType =
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
            ParametersOf(device.Uuid, request.DataType, request.From, request.To, request.After, request.Limit + 1L), QueryKind.Page, cancellationToken, toKeep: request.CacheKey(time) is not null);

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

    internal static object ParametersOf(Guid device, string? dataType, DateTime? from, DateTime? to, HistoryCursor? after, long count) => new
    {
        Uuid = device,
        DataType = dataType,
        From = new TypedParameter<object>(from ?? Beginning, NpgsqlDbType.TimestampTz),
        To = new TypedParameter<object>(to ?? End, NpgsqlDbType.TimestampTz),
        AfterTimestamp = new TypedParameter<object>(after?.Timestamp ?? End, NpgsqlDbType.TimestampTz),
        AfterId = after?.Id ?? long.MaxValue,
        Count = count,
    };
}
