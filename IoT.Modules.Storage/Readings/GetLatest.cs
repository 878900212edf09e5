using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Queries;
using MediatR;

namespace IoT.Modules.Storage.Readings;

/// <summary>The newest reading of each series, by one descent in the partition that holds its newest hour.</summary>
internal static class Latest
{
    // If somebody has taken readings away by hand, the newest that is left.
    public const string Reading =
        $"""
         left join lateral (
             select * from (
                 ({InNewestHour}
                 {Newest})
                 union all
                 ({BeforeNewestHour}
                 {Newest})
             ) newest limit 1
         ) r on true
         """;

    private const string InNewestHour =
        $"select {Series.ReadingColumns} from (select * from device_data r where {Series.OfS} and timestamp >= s.newest_hour and timestamp < s.newest_hour + interval '1 hour'";

    private const string BeforeNewestHour = $"select {Series.ReadingColumns} from (select * from device_data r where {Series.OfS} and timestamp < s.newest_hour";

    // As in Series.Page.
    private const string Newest = "order by timestamp desc fetch first ((select 1)) row with ties) next order by timestamp desc, id desc limit 1";

    /// <param name="Id">Null: retention has taken the series' readings.</param>
    internal sealed record Row(string ExternalId, string SeriesType, long? Id, DateTime? Timestamp, string? Payload, string? Status)
    {
        public StoredReading ToReading() => new(Id!.Value, ExternalId, Timestamp!.Value, SeriesType, Payload!, Status!);
    }

    public const string RowColumns = "s.external_id, s.data_type as series_type, r.id, r.timestamp, r.payload, r.status";
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
        return LatestReadings.Of([.. rows.Where(r => r.Id is not null).Select(r => r.ToReading())]);
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
            [.. page.Where(r => r.Id is not null).Select(r => r.ToReading())],
            rows.Count > request.Limit ? new SeriesCursor(page[^1].ExternalId, page[^1].SeriesType).ToString() : null);
    }
}
