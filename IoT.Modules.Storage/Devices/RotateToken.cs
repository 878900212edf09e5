using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.Devices;

internal sealed class RotateTokenHandler(
    PostgresPools database, DeviceDirectory directory, CredentialChanges changes, CredentialMirror mirror, IMediator mediator) : IRequestHandler<RotateToken, Outcome<DeviceWithToken>>
{
    public async Task<Outcome<DeviceWithToken>> Handle(RotateToken request, CancellationToken cancellationToken)
    {
        var token = Secrets.NewToken();
        var tokenHash = DeviceDirectory.HashOf(token);
        using var turn = await changes.EnterAsync(CredentialKind.Device, request.Id, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var row = DeviceId.IsValid(request.Id)
            ? await connection.QuerySingleOrDefaultAsync<DeviceRow>(new CommandDefinition(
                $"update devices set token_hash = @tokenHash where external_id = @Id returning {DeviceRow.Columns}",
                new { request.Id, tokenHash },
                cancellationToken: cancellationToken))
            : null;
        if (row is null)
            return Failure.NotFound($"Device {request.Id}");

        var device = directory.FindOrAdd(row.ExternalId);
        device.IsRegistered = true;
        directory.SetToken(device, tokenHash);
        await mediator.Publish(new DeviceAccessChanged(device.Id), cancellationToken);
        await mirror.WriteThroughAsync(CredentialKind.Device, device.Id);
        return row.ToDevice(directory).With(token);
    }
}
