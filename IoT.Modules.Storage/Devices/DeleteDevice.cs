using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.Devices;

internal sealed class DeleteDeviceHandler(
    PostgresPools database, DeviceDirectory directory, CredentialChanges changes, CredentialMirror mirror, IMediator mediator) : IRequestHandler<DeleteDevice, Outcome<Done>>
{
    public async Task<Outcome<Done>> Handle(DeleteDevice request, CancellationToken cancellationToken)
    {
        using var turn = await changes.EnterAsync(CredentialKind.Device, request.Id, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var deleted = DeviceId.IsValid(request.Id)
            ? await connection.ExecuteAsync(new CommandDefinition("delete from devices where external_id = @Id", request, cancellationToken: cancellationToken))
            : 0;
        if (deleted == 0)
            return Failure.NotFound($"Device {request.Id}");

        if (directory.Find(request.Id) is { } device)
            directory.Remove(device);
        await mediator.Publish(new DeviceAccessChanged(request.Id), cancellationToken);
        await mediator.Publish(new DeviceChanged(request.Id, null, null, IsRemoved: true), cancellationToken);
        await mirror.WriteThroughAsync(CredentialKind.Device, request.Id);
        return default(Done);
    }
}
