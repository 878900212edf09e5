using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.Readings;

internal sealed class GetLatestHandler(PostgresPools database, DeviceDirectory directory) : IRequestHandler<GetLatest, Outcome<LatestReadings>>
{
    private const string Sql =
        $"""
         {Series.DataTypes}
         select r.* from types
         cross join lateral (
             select {Series.ReadingColumns} from device_data
             where device_id = @Uuid and data_type = types.data_type
             order by timestamp desc, id desc limit 1) r
         order by data_type
         """;

    public async Task<Outcome<LatestReadings>> Handle(GetLatest request, CancellationToken cancellationToken)
    {
        if (directory.Find(request.DeviceId) is not { IsRegistered: true } device)
            return Failure.NotFound($"Device {request.DeviceId}");

        await using var connection = await database.ReadToKeep.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Series.Row>(new CommandDefinition(Sql, new { device.Uuid }, cancellationToken: cancellationToken));
        return LatestReadings.Of([.. rows.Select(r => r.ToReading(device.Id))]);
    }
}
