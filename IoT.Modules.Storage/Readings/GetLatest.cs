using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>The newest reading of each series, by one descent in the partition that holds its newest hour, from a place that is hardly before it.</summary>
internal static class Latest
{
    // The order and the limit as in Series.Page.
    private const string Newest = "order by timestamp desc fetch first ((select 1)) row with ties) next";

    /// <summary>Of a row s of <c>device_series</c>: its newest reading, or a later one, is not before.</summary>
    public const string Since = "greatest(s.newest_hour, s.newest_at)";

    /// <summary>
    /// Beside a row s: newest_hour, since. A second row says that there are several of the newest time, which is rare: to sort them costs
    /// every series more than it costs to ask once more for those (<see cref="LeftSql"/>).
    /// </summary>
    public const string Reading =
        $"""
         left join lateral (
             select {Series.ReadingColumns} from (
                 select * from device_data r where {Series.OfS} and timestamp >= s.since and timestamp < s.newest_hour + interval '1 hour' {Newest} limit 2
         ) r on true
         """;

    public const string RowColumns = "s.external_id, s.data_type as series_type, s.device_id, s.since, r.id, r.timestamp, r.payload, r.status";

    // A statement of its own: beside the first, it would cost every series that has one.
    internal const string LeftSql =
        $"""
         select s.n::int as n, r.* from unnest(@Devices, @Types, @Untils) with ordinality as s (device_id, data_type, until, n)
         cross join lateral (
             select {Series.ReadingColumns} from (
                 select * from device_data r where {Series.OfS} and timestamp < s.until {Newest} order by timestamp desc, id desc limit 1
         ) r
         """;

    /// <param name="Id">Null: from <paramref name="Since"/> on there is none any more.</param>
    internal sealed record Row(string ExternalId, string SeriesType, Guid DeviceId, DateTime Since, long? Id, DateTime? Timestamp, string? Payload, string? Status)
    {
        public StoredReading ToReading() => new(Id!.Value, ExternalId, Timestamp!.Value, SeriesType, Payload!, Status!);
    }

    /// <summary>A series' row; with the end of the time that is to be looked through once more, when that is necessary.</summary>
    internal readonly record struct Found(Row Row, DateTime? Until);

    /// <summary>The rows of the statement, which come series by series.</summary>
    public static List<Found> BySeries(IEnumerable<Row> rows)
    {
        var found = new List<Found>();
        foreach (var row in rows)
        {
            if (found.Count > 0 && found[^1].Row.DeviceId == row.DeviceId && found[^1].Row.SeriesType == row.SeriesType)
                found[^1] = new Found(row, row.Timestamp!.Value.AddMicroseconds(1));
            else
                found.Add(new Found(row, row.Id is null ? row.Since : null));
        }
        return found;
    }

    /// <summary>Of each series the newest that there is. If somebody has taken readings away by hand, or retention has, the newest that is left, if any.</summary>
    public static async Task<IReadOnlyList<StoredReading>> ReadingsAsync(QueryLog queries, IReadOnlyList<Found> series, bool toKeep, CancellationToken cancellationToken)
    {
        var found = series.Select(s => s.Until is null ? s.Row.ToReading() : null).ToArray();
        var open = Enumerable.Range(0, series.Count).Where(i => found[i] is null).ToList();
        if (open.Count > 0)
        {
            var left = await queries.QueryAsync<ReadingsOfSeries.Row>("latest_left", LeftSql, new
            {
                Devices = new ArrayParameter<Guid>([.. open.Select(i => series[i].Row.DeviceId)], NpgsqlDbType.Uuid),
                Types = new ArrayParameter<string>([.. open.Select(i => series[i].Row.SeriesType)], NpgsqlDbType.Varchar),
                Untils = new ArrayParameter<DateTime>([.. open.Select(i => series[i].Until!.Value)], NpgsqlDbType.TimestampTz),
            }, cancellationToken, toKeep: toKeep);
            foreach (var row in left)
                found[open[row.N - 1]] = new StoredReading(row.Id, series[open[row.N - 1]].Row.ExternalId, row.Timestamp, row.DataType, row.Payload, row.Status);
        }
        return [.. found.OfType<StoredReading>()];
    }
}

internal sealed class GetLatestHandler(QueryLog queries, DeviceDirectory directory) : IRequestHandler<GetLatest, Outcome<LatestReadings>>
{
    private const string Sql =
        $"""
         select {Latest.RowColumns}
         from (select @Id as external_id, s.device_id, s.data_type, s.newest_hour, {Latest.Since} as since from device_series s where s.device_id = @Uuid) s
         {Latest.Reading}
         order by s.data_type
         """;

    public async Task<Outcome<LatestReadings>> Handle(GetLatest request, CancellationToken cancellationToken)
    {
        if (directory.Find(request.DeviceId) is not { IsRegistered: true } device)
            return Failure.NotFound($"Device {request.DeviceId}");
        var rows = await queries.QueryAsync<Latest.Row>("latest", Sql, new { device.Id, device.Uuid }, cancellationToken, toKeep: true);
        return LatestReadings.Of(await Latest.ReadingsAsync(queries, Latest.BySeries(rows), toKeep: true, cancellationToken));
    }
}

internal sealed class GetLatestOfDevicesHandler(QueryLog queries, SeriesOf series) : IRequestHandler<GetLatestOfDevices, Outcome<Page<StoredReading>>>
{
    internal const string Sql =
        $"""
         select {Latest.RowColumns}
         from (
             select d.external_id, s.device_id, s.data_type, s.newest_hour, {Latest.Since} as since
             from devices d join device_series s on s.device_id = d.id
             where {SeriesOf.DeviceCondition} and (@DataType::text is null or s.data_type = @DataType)
               and (@AfterDevice::text is null or (d.external_id, s.data_type collate "C") > (@AfterDevice, @AfterType))
             order by d.external_id, s.data_type collate "C" limit @Count
         ) s
         {Latest.Reading}
         order by s.external_id, s.data_type collate "C"
         """;

    public async Task<Outcome<Page<StoredReading>>> Handle(GetLatestOfDevices request, CancellationToken cancellationToken)
    {
        if (series.Missing(request.Devices) is { } missing)
            return missing;
        var parameters = SeriesOf.ParametersOf(request.Devices, dataType: request.DataType);
        parameters.Add("AfterDevice", request.After?.DeviceId);
        parameters.Add("AfterType", request.After?.DataType);
        parameters.Add("Count", request.Limit + 1);
        var found = Latest.BySeries(await queries.QueryAsync<Latest.Row>("latest_of_devices", Sql, parameters, cancellationToken));
        var page = found.Take(request.Limit).ToList();
        return new Page<StoredReading>(
            await Latest.ReadingsAsync(queries, page, toKeep: false, cancellationToken),
            found.Count > request.Limit ? new SeriesCursor(page[^1].Row.ExternalId, page[^1].Row.SeriesType).ToString() : null);
    }
}
