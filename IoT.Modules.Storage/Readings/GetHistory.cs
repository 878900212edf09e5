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

    private const string Place =
        "device_id = @Uuid and timestamp >= @From and timestamp < @To and (timestamp, id) < (@AfterTimestamp, @AfterId) order by timestamp desc, id desc limit @Count";

    // Without a data_type, each type's newest are merged: one index serves both.
    private const string AllTypes =
        $"""
         {Series.DataTypes}
         select r.* from types
         cross join lateral (select {Series.ReadingColumns} from device_data where data_type = types.data_type and {Place}) r
         order by timestamp desc, id desc limit @Count
         """;

    private const string OneType = $"select {Series.ReadingColumns} from device_data where data_type = @DataType and {Place}";

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
