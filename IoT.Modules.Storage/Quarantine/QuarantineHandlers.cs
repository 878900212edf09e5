using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Readings;
using MediatR;

namespace IoT.Modules.Storage.Quarantine;

internal static class QuarantineSql
{
    public const string Columns = "id, device_id, topic, protocol, received_at, reason, length, octet_length(bytes) as kept";
}

internal sealed class ListQuarantineHandler(PostgresPools database) : IRequestHandler<ListQuarantine, Outcome<Page<QuarantinedItem>>>
{
    public async Task<Outcome<Page<QuarantinedItem>>> Handle(ListQuarantine request, CancellationToken cancellationToken)
    {
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<QuarantinedItem>(new CommandDefinition(
            $"""
             select {QuarantineSql.Columns} from quarantine
             where (@DeviceId::text is null or device_id = @DeviceId) and (@After::bigint is null or id < @After)
             order by id desc limit @Count
             """,
            new { request.DeviceId, request.After, Count = request.Limit + 1 }, cancellationToken: cancellationToken))).AsList();
        var items = rows.Take(request.Limit).ToList();
        return new Page<QuarantinedItem>(items, rows.Count > items.Count ? items[^1].Id.ToString(System.Globalization.CultureInfo.InvariantCulture) : null);
    }
}

internal sealed class GetQuarantinedHandler(PostgresPools database) : IRequestHandler<GetQuarantined, Outcome<QuarantinedBytes>>
{
    public async Task<Outcome<QuarantinedBytes>> Handle(GetQuarantined request, CancellationToken cancellationToken)
    {
        // Not from a replica: what it shows may be retried.
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var item = await connection.QuerySingleOrDefaultAsync<QuarantinedItem>(new CommandDefinition(
            $"select {QuarantineSql.Columns} from quarantine where id = @Id", request, cancellationToken: cancellationToken));
        var bytes = await connection.ExecuteScalarAsync<byte[]?>(new CommandDefinition(
            "select bytes from quarantine where id = @Id", request, cancellationToken: cancellationToken));
        return item is null || bytes is null ? Failure.NotFound($"Quarantine entry {request.Id}") : new QuarantinedBytes(item, bytes);
    }
}

internal sealed class RemoveQuarantinedHandler(PostgresPools database) : IRequestHandler<RemoveQuarantined, Outcome<Removed>>
{
    public async Task<Outcome<Removed>> Handle(RemoveQuarantined request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var deviceId = await connection.ExecuteScalarAsync<string?>(new CommandDefinition(
            "delete from quarantine where id = @Id returning device_id", new { request.Id }, transaction, cancellationToken: cancellationToken));
        if (deviceId is null)
            return Failure.NotFound($"Quarantine entry {request.Id}");
        if (!request.WasRetried)
        {
            await transaction.CommitAsync(cancellationToken);
            return default(Removed);
        }
        var tally = new DeviceLedger.Tally();
        tally.Add(deviceId, quarantined: -1);
        await DeviceLedger.AddAsync(connection, transaction, tally, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new Removed(tally.Counts()[0]);
    }
}

internal sealed class ClearQuarantineHandler(PostgresPools database) : IRequestHandler<ClearQuarantine, Outcome<int>>
{
    public async Task<Outcome<int>> Handle(ClearQuarantine request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(
            "delete from quarantine where @DeviceId::text is null or device_id = @DeviceId", request, cancellationToken: cancellationToken));
    }
}
