using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.Devices;

internal sealed class GetDeviceHandler(PostgresPools database, DeviceDirectory directory) : IRequestHandler<GetDevice, Outcome<Device>>
{
    public async Task<Outcome<Device>> Handle(GetDevice request, CancellationToken cancellationToken)
    {
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var row = DeviceId.IsValid(request.Id)
            ? await connection.QuerySingleOrDefaultAsync<DeviceRow>(new CommandDefinition(
                $"select {DeviceRow.Columns} from devices where external_id = @Id", request, cancellationToken: cancellationToken))
            : null;
        return row is null ? Failure.NotFound($"Device {request.Id}") : row.ToDevice(directory);
    }
}
