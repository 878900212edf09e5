using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.Readings;

internal sealed class OpenLanesHandler(PostgresPools database) : IRequestHandler<OpenLanes, IReadOnlyList<LanePosition>>
{
    public async Task<IReadOnlyList<LanePosition>> Handle(OpenLanes request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into ingest_checkpoint (log_id, lane, position)
            select @LogId, lane, 0 from generate_series(0, @Lanes - 1) as lane
            where not exists (select 1 from ingest_checkpoint where log_id = @LogId)
            on conflict do nothing
            """,
            request, cancellationToken: cancellationToken));
        return (await connection.QueryAsync<LanePosition>(new CommandDefinition(
            "select log_id, lane, position as sequence from ingest_checkpoint where log_id = @LogId order by lane", request, cancellationToken: cancellationToken))).AsList();
    }
}

internal sealed class ReplaceLanesHandler(PostgresPools database) : IRequestHandler<ReplaceLanes, IReadOnlyList<LanePosition>>
{
    public async Task<IReadOnlyList<LanePosition>> Handle(ReplaceLanes request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            delete from ingest_checkpoint where log_id = @LogId;
            insert into ingest_checkpoint (log_id, lane, position) select @LogId, lane, @Sequence from generate_series(0, @Lanes - 1) as lane
            """,
            request, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        return [.. Enumerable.Range(0, request.Lanes).Select(lane => new LanePosition(request.LogId, lane, request.Sequence))];
    }
}
