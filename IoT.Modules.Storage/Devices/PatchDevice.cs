using System.Text.Json;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using MediatR;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Devices;

internal sealed class PatchDeviceHandler(
    PostgresPools database, DeviceDirectory directory, CredentialChanges changes, CredentialMirror mirror, IMediator mediator) : IRequestHandler<PatchDevice, Outcome<Device>>
{
    public async Task<Outcome<Device>> Handle(PatchDevice request, CancellationToken cancellationToken)
    {
        using var turn = await changes.EnterAsync(CredentialKind.Device, request.Id, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var row = DeviceId.IsValid(request.Id)
            ? await connection.QuerySingleOrDefaultAsync<DeviceRow>(new CommandDefinition(
                $"""
                 update devices set
                     name = nullif(coalesce(@Name, name), ''),
                     type = nullif(coalesce(@Type, type), ''),
                     location = nullif(coalesce(@Location, location), ''),
                     labels = jsonb_strip_nulls(coalesce(@Labels, labels) || @LabelChanges),
                     status = coalesce(@Status, status)
                 where external_id = @Id
                 returning {DeviceRow.Columns}
                 """,
                new
                {
                    request.Id,
                    request.Name,
                    request.Type,
                    request.Location,
                    Labels = new TypedParameter<string>(request.Labels is null ? null : JsonSerializer.Serialize(request.Labels), NpgsqlDbType.Jsonb),
                    LabelChanges = new TypedParameter<string>(JsonSerializer.Serialize(request.LabelChanges), NpgsqlDbType.Jsonb),
                    request.Status,
                },
                transaction,
                cancellationToken: cancellationToken))
            : null;
        if (row is null)
            return Failure.NotFound($"Device {request.Id}");
        var changed = row.ToDevice(directory);
        if (changed.Labels.Count > DeviceRules.MaxLabels)
            return Failure.Invalid("labels", $"at most {DeviceRules.MaxLabels}, these would be {changed.Labels.Count}");
        await transaction.CommitAsync(cancellationToken);

        var device = directory.FindOrAdd(row.ExternalId);
        device.IsRegistered = true;
        var isEnabled = row.Status == DeviceStatus.Active;
        if (device.IsEnabled != isEnabled)
        {
            device.IsEnabled = isEnabled;
            await mediator.Publish(new DeviceAccessChanged(device.Id), cancellationToken);
            await mirror.WriteThroughAsync(CredentialKind.Device, device.Id);
        }
        await mediator.Publish(new DeviceChanged(device.Id, changed.Type, changed.Location), cancellationToken);
        return changed;
    }
}
