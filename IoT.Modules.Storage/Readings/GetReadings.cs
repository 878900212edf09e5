using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>Readings of several series: each one's next readings by its index, and as many of them as are wanted.</summary>
internal static class ReadingsOfSeries
{
    // The rows come in the order of the series, each newest first: a nested loop, because of the lateral limit.
    public const string Sql =
        $"""
         select s.n::int as n, r.* from unnest(@Devices, @Types, @AfterTimestamps, @AfterIds) with ordinality as s (device_id, data_type, after_timestamp, after_id, n)
         cross join lateral ({Series.Page}) r
         """;

    internal sealed record Row(int N, long Id, DateTime Timestamp, string DataType, string Payload, string Status)
    {
        public StoredReading ToReading(IReadOnlyList<SeriesOf.Row> series) => new(Id, series[N - 1].DeviceId, Timestamp, DataType, Payload, Status);
    }

    public static object ParametersOf(IReadOnlyList<SeriesOf.Row> series, DateTime? from, DateTime? to, Func<int, HistoryCursor?> after, int count) => new
    {
        Devices = new ArrayParameter<Guid>([.. series.Select(s => s.Uuid)], NpgsqlDbType.Uuid),
        Types = new ArrayParameter<string>([.. series.Select(s => s.DataType)], NpgsqlDbType.Varchar),
        AfterTimestamps = new ArrayParameter<DateTime>([.. series.Select((_, i) => after(i)?.Timestamp ?? SeriesOf.End)], NpgsqlDbType.TimestampTz),
        AfterIds = new ArrayParameter<long>([.. series.Select((_, i) => after(i)?.Id ?? long.MaxValue)], NpgsqlDbType.Bigint),
        From = new TypedParameter<object>(from ?? SeriesOf.Beginning, NpgsqlDbType.TimestampTz),
        To = new TypedParameter<object>(to ?? SeriesOf.End, NpgsqlDbType.TimestampTz),
        Count = (long)count,
    };
}

internal sealed class GetReadingsHandler(QueryLog queries, SeriesOf series, StorageOptions options) : IRequestHandler<GetReadings, Outcome<HistoryPage>>
{
    private const int MaxPageCharacters = 4 * 1024 * 1024;
    private const string Sql = $"{ReadingsOfSeries.Sql} order by timestamp desc, id desc limit @Count";

    public async Task<Outcome<HistoryPage>> Handle(GetReadings request, CancellationToken cancellationToken)
    {
        if (series.Missing(request.Devices) is { } missing)
            return missing;
        // Each series may have to give a whole page, of which the newest are taken.
        var most = options.MaxQueryReadings / (request.Limit + 1);
        var found = await series.FindAsync(request.Devices, request.From, request.DataType, null, most + 1, cancellationToken);
        if (found.Count > most)
            return Failure.Invalid("device_id", FormattableString.Invariant(
                $"more than {most} series (a device's data_type): a page of {request.Limit} over them might look at more than {options.MaxQueryReadings} readings (Storage__MaxQueryReadings). Narrow device_id, location, type, data_type or from, ask for a smaller limit, or stream it with Accept: application/x-ndjson or text/csv, or with /data/export"));
        var items = new List<StoredReading>();
        var characters = 0;
        await foreach (var row in queries.StreamAsync<ReadingsOfSeries.Row>(
            "readings", Sql, ReadingsOfSeries.ParametersOf(found, request.From, request.To, _ => request.After, request.Limit + 1), QueryKind.Page, cancellationToken))
        {
            if (items.Count == request.Limit || characters > MaxPageCharacters)
                return new HistoryPage(items, new HistoryCursor(items[^1].Timestamp, items[^1].Id));
            items.Add(row.ToReading(found));
            characters += row.Payload.Length;
        }
        return new HistoryPage(items, null);
    }
}

internal sealed class ReadStreamPageHandler(QueryLog queries, SeriesOf series) : IRequestHandler<ReadStreamPage, Outcome<StreamPage>>
{
    private const int SeriesAtOnce = 100;
    private const int MaxPageCharacters = 4 * 1024 * 1024;
    private const string Sql = $"{ReadingsOfSeries.Sql} limit @Count";

    public async Task<Outcome<StreamPage>> Handle(ReadStreamPage request, CancellationToken cancellationToken)
    {
        if (request.After is null && series.Missing(request.Devices) is { } missing)
            return missing;
        var (items, characters) = (new List<StoredReading>(), 0);
        var place = request.After?.Series;
        var within = request.After?.Reading;
        while (true)
        {
            var found = await series.FindAsync(request.Devices, request.From, request.DataType, place, SeriesAtOnce + 1, cancellationToken);
            var now = found.Take(SeriesAtOnce).ToList();
            var isContinued = now.Count > 0 && place is { } at && at == new SeriesCursor(now[0].DeviceId, now[0].DataType);
            var parameters = ReadingsOfSeries.ParametersOf(now, request.From, request.To, i => i == 0 && isContinued ? within : null, request.Limit + 1 - items.Count);
            await foreach (var row in queries.StreamAsync<ReadingsOfSeries.Row>("stream", Sql, parameters, QueryKind.Stream, cancellationToken))
            {
                if (items.Count == request.Limit || characters > MaxPageCharacters)
                {
                    var last = items[^1];
                    return new StreamPage(items, new StreamPlace(new SeriesCursor(last.DeviceId, last.DataType), new HistoryCursor(last.Timestamp, last.Id)));
                }
                items.Add(row.ToReading(now));
                characters += row.Payload.Length;
            }
            if (found.Count <= SeriesAtOnce)
                return new StreamPage(items, null);
            (place, within) = (new SeriesCursor(found[^1].DeviceId, found[^1].DataType), null);
        }
    }
}
