using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using MediatR;

namespace IoT.Modules.Storage.Retention;

internal sealed class ListPartitionsHandler(PostgresPools database, TimeProvider time) : IRequestHandler<ListPartitions, Outcome<Page<PartitionInfo>>>
{
    public async Task<Outcome<Page<PartitionInfo>>> Handle(ListPartitions request, CancellationToken cancellationToken)
    {
        // Not from a replica: its statistics are not those of the tables that are written.
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var now = time.GetUtcNow().UtcDateTime;
        var partitions = await PartitionCatalog.ListAsync(connection, null, request.Table, cancellationToken);
        return new Page<PartitionInfo>([.. partitions.Select(p => p.ToInfo(now))], null);
    }
}

internal sealed class PlanRetentionHandler(RetentionKeeper keeper) : IRequestHandler<PlanRetention, Outcome<RetentionPlan>>
{
    public async Task<Outcome<RetentionPlan>> Handle(PlanRetention request, CancellationToken cancellationToken) =>
        await keeper.PlanAsync(request.RetentionDays, request.ReadingsMib, cancellationToken);
}

internal sealed class RunRetentionHandler(RetentionKeeper keeper) : IRequestHandler<RunRetention, Outcome<Page<PartitionToDrop>>>
{
    public async Task<Outcome<Page<PartitionToDrop>>> Handle(RunRetention request, CancellationToken cancellationToken) =>
        new Page<PartitionToDrop>(await keeper.KeepAsync(cancellationToken), null);
}

internal sealed class ListStorageEventsHandler(PostgresPools database) : IRequestHandler<ListStorageEvents, Outcome<Page<StorageEvent>>>
{
    public async Task<Outcome<Page<StorageEvent>>> Handle(ListStorageEvents request, CancellationToken cancellationToken)
    {
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var events = await connection.QueryAsync<StorageEvent>(new CommandDefinition(
            "select id, at, kind, table_name, partition, range_from, range_to, rows, bytes, cause, reason from storage_events order by id desc limit @Limit",
            request, cancellationToken: cancellationToken));
        return new Page<StorageEvent>(events.AsList(), null);
    }
}

internal sealed class GetRetentionSettingsHandler(StorageOptions options) : IRequestHandler<GetRetentionSettings, RetentionSettings>
{
    public Task<RetentionSettings> Handle(GetRetentionSettings request, CancellationToken cancellationToken) =>
        Task.FromResult(new RetentionSettings(options.PartitionBy, options.RetentionDays, options.ReadingsMiB, options.SummaryDays, options.FineSummaryDays));
}
