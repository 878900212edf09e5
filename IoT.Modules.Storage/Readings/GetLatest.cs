using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>The newest reading of each series, by one descent in the partition that holds its newest hour.</summary>
internal static class Latest
{
    // The order and the limit as in Series.Page.
    private const string Newest = "order by timestamp desc fetch first ((select 1)) row with ties) next order by timestamp desc, id desc limit 1";

    /// <summary>Beside a row s of <c>device_series</c>.</summary>
    public const string Reading =
        $"""
         left join lateral (
             select {Series.ReadingColumns} from (
                 select * from device_data r where {Series.OfS} and timestamp >= s.newest_hour and timestamp < s.newest_hour + interval '1 hour' {Newest}
         ) r on true
         """;

    public const string RowColumns = "s.external_id, s.data_type as series_type, s.device_id, s.newest_hour, r.id, r.timestamp, r.payload, r.status";

    // A statement of its own: beside the first, it would cost every series that has one.
    internal const string LeftSql =
        $"""
         select s.n::int as n, r.* from unnest(@Devices, @Types, @Hours) with ordinality as s (device_id, data_type, newest_hour, n)
         cross join lateral (
             select {Series.ReadingColumns} from (
                 select * from device_data r where {Series.OfS} and timestamp < s.newest_hour {Newest}
         ) r
         """;

    /// <param name="Id">Null: the newest hour holds none any more.</param>
    internal sealed record Row(string ExternalId, string SeriesType, Guid DeviceId, DateTime NewestHour, long? Id, DateTime? Timestamp, string? Payload, string? Status)
    {
        public StoredReading ToReading() => new(Id!.Value, ExternalId, Timestamp!.Value, SeriesType, Payload!, Status!);
    }

    /// <summary>Of each series the newest that there is. If somebody has taken readings away by hand, or retention has, the newest that is left, if any.</summary>
    public static async Task<IReadOnlyList<StoredReading>> ReadingsAsync(QueryLog queries, IReadOnlyList<Row> rows, bool toKeep, CancellationToken cancellationToken)
    {
        var found = rows.Select(r => r.Id is null ? null : r.ToReading()).ToArray();
        var empty = Enumerable.Range(0, rows.Count).Where(i => found[i] is null).ToList();
        if (empty.Count > 0)
        {
            var left = await queries.QueryAsync<ReadingsOfSeries.Row>("latest_left", LeftSql, new
            {
                Devices = new ArrayParameter<Guid>([.. empty.Select(i => rows[i].DeviceId)], NpgsqlDbType.Uuid),
                Types = new ArrayParameter<string>([.. empty.Select(i => rows[i].SeriesType)], NpgsqlDbType.Varchar),
                Hours = new ArrayParameter<DateTime>([.. empty.Select(i => rows[i].NewestHour)], NpgsqlDbType.TimestampTz),
            }, cancellationToken, toKeep: toKeep);
            foreach (var row in left)
                found[empty[row.N - 1]] = new StoredReading(row.Id, rows[empty[row.N - 1]].ExternalId, row.Timestamp, row.DataType, row.Payload, row.Status);
        }
        return [.. found.OfType<StoredReading>()];
    }
}

internal sealed class GetLatestHandler(QueryLog queries, DeviceDirectory directory) : IRequestHandler<GetLatest, Outcome<LatestReadings>>
{
    private const string Sql =
        $"""
         select {Latest.RowColumns}
         from (select @Id as external_id, device_id, data_type, newest_hour from device_series where device_id = @Uuid) s
         {Latest.Reading}
         order by s.data_type
         """;

    public async Task<Outcome<LatestReadings>> Handle(GetLatest request, CancellationToken cancellationToken)
    {
        if (directory.Find(request.DeviceId) is not { IsRegistered: true } device)
            return Failure.NotFound($"Device {request.DeviceId}");
        var rows = await queries.QueryAsync<Latest.Row>("latest", Sql, new { device.Id, device.Uuid }, cancellationToken, toKeep: true);
        return LatestReadings.Of(await Latest.ReadingsAsync(queries, rows, toKeep: true, cancellationToken));
    }
}

internal sealed class GetLatestOfDevicesHandler(QueryLog queries, SeriesOf series) : IRequestHandler<GetLatestOfDevices, Outcome<Page<StoredReading>>>
{
    internal const string Sql =
        $"""
         select {Latest.RowColumns}
         from (
             select d.external_id, s.device_id, s.data_type, s.newest_hour
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
        var rows = await queries.QueryAsync<Latest.Row>("latest_of_devices", Sql, parameters, cancellationToken);
        var page = rows.Take(request.Limit).ToList();
        return new Page<StoredReading>(
            await Latest.ReadingsAsync(queries, page, toKeep: false, cancellationToken),
            rows.Count > request.Limit ? new SeriesCursor(page[^1].ExternalId, page[^1].SeriesType).ToString() : null);
    }
}
