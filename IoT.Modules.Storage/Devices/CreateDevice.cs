using System.Text.Json;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Devices;

internal sealed class CreateDeviceHandler(PostgresPools database, DeviceDirectory directory, CredentialChanges changes, IMediator mediator) : IRequestHandler<CreateDevice, Outcome<DeviceWithToken>>
{
    public async Task<Outcome<DeviceWithToken>> Handle(CreateDevice request, CancellationToken cancellationToken)
    {
        var token = Secrets.NewToken();
        var tokenHash = DeviceDirectory.HashOf(token);
        using var turn = await changes.EnterAsync(CredentialKind.Device, request.Id!, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<DeviceRow>(new CommandDefinition(
            $"""
             insert into devices (id, external_id, name, type, location, labels, token_hash)
             values (@Uuid, @Id, nullif(@Name, ''), nullif(@Type, ''), nullif(@Location, ''), @Labels, @tokenHash)
             on conflict (external_id) do nothing
             returning {DeviceRow.Columns}
             """,
            new
            {
                Uuid = DeviceUuid.Of(request.Id!),
                request.Id,
                request.Name,
                request.Type,
                request.Location,
                Labels = new TypedParameter<string>(JsonSerializer.Serialize(request.Labels ?? new Dictionary<string, string>()), NpgsqlDbType.Jsonb),
                tokenHash,
            },
            cancellationToken: cancellationToken));
        if (row is null)
            return new Failure(FailureKind.Conflict, $"Device {request.Id} exists already.");

        var device = directory.FindOrAdd(request.Id!);
        device.IsRegistered = true;
        directory.SetToken(device, tokenHash);
        await mediator.Publish(new DeviceChanged(device.Id, row.Type, row.Location), cancellationToken);
        return row.ToDevice(directory).With(token);
    }
}

internal static class DeviceWithTokenExtensions
{
    public static DeviceWithToken With(this Device d, string token) =>
        new(d.Id, d.Name, d.Type, d.Location, d.Labels, d.Status, d.CreatedAt, d.LastSeenAt, token);
}
