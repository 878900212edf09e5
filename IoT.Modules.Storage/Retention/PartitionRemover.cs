using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Retention;

/// <summary>
/// Takes partitions out without standing in anybody's way: DETACH CONCURRENTLY, then DROP of what nobody uses any more. Each is marked
/// before the first step and the mark goes with the last, so that what was interrupted is found and finished.
/// </summary>
internal sealed partial class PartitionRemover(PostgresPools database, ReadingWindow window, TimeProvider time, ILogger<PartitionRemover> logger)
{
    /// <summary>One session at a time takes partitions out. Another lock than that of making them, which must not wait for this.</summary>
    private const long AdvisoryLock = 0x496F54_0002;

    private const int Tries = 5;

    // The newest so many are kept for people to look at.
    private const int KeptEvents = 10_000;

    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1);

    private const string Mark =
        """
        insert into partition_removals (partition, table_name, range_from, range_to, rows, bytes, cause, reason)
        values (@Name, @Table, @From, @To, @Rows, @Bytes, @Cause, @Reason)
        on conflict do nothing
        """;

    private const string Done =
        """
        insert into storage_events (kind, table_name, partition, range_from, range_to, rows, bytes, cause, reason)
        select 'dropped', table_name, partition, range_from, range_to, rows, bytes, cause, reason from partition_removals where partition = @Name;
        delete from partition_removals where partition = @Name;
        delete from storage_events where id <= (select id from storage_events order by id desc offset @KeptEvents limit 1) and cause <> 'budget';
        """;

    private const string Marks =
        """select table_name as "table", partition as name, range_from as "from", range_to as "to", rows, bytes, cause, reason from partition_removals order by started_at""";

    /// <summary>What the disk budget has taken is not made again: late readings for it are too old, also after a restart.</summary>
    public async Task LoadFloorAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var floor = await connection.ExecuteScalarAsync<DateTime?>(new CommandDefinition(
            """
            select max(range_to) from (
                select range_to from storage_events where cause = 'budget' and table_name = @Table
                union all select range_to from partition_removals where cause = 'budget' and table_name = @Table) dropped
            """, new { ReadingPartitions.Table }, cancellationToken: cancellationToken));
        if (floor is { } at)
            window.RaiseFloor(at);
    }

    /// <summary>Finishes what was begun, then takes these out, oldest first. Answers what is gone; what could not be locked in time is left for the next turn.</summary>
    public async Task<IReadOnlyList<PartitionToDrop>> RemoveAsync(IReadOnlyList<PartitionToDrop> plan, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition("select pg_try_advisory_lock(@AdvisoryLock)", new { AdvisoryLock }, cancellationToken: cancellationToken)))
            return []; // Another host is at it.
        try
        {
            var gone = new List<PartitionToDrop>();
            var begun = (await connection.QueryAsync<PartitionToDrop>(new CommandDefinition(Marks, cancellationToken: cancellationToken))).AsList();
            foreach (var partition in begun.Concat(plan.ExceptBy(begun.Select(b => b.Name), p => p.Name)))
            {
                await MarkAsync(connection, partition, cancellationToken);
                if (!await TryRemoveAsync(connection, partition, cancellationToken))
                {
                    LogHeld(partition.Name);
                    break; // Only one partition of a table can be on its way out.
                }
                gone.Add(partition);
                LogDropped(partition.Name, partition.Rows, partition.Bytes, partition.Reason);
            }
            return gone;
        }
        finally
        {
            await connection.ExecuteAsync("reset lock_timeout; select pg_advisory_unlock(@AdvisoryLock)", new { AdvisoryLock });
        }
    }

    private async Task MarkAsync(NpgsqlConnection connection, PartitionToDrop partition, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(new CommandDefinition(Mark, new
        {
            partition.Name,
            partition.Table,
            From = new TypedParameter<object>(partition.From, NpgsqlDbType.TimestampTz),
            To = new TypedParameter<object>(partition.To, NpgsqlDbType.TimestampTz),
            partition.Rows,
            partition.Bytes,
            partition.Cause,
            partition.Reason,
        }, cancellationToken: cancellationToken));
        if (partition is { Cause: RetentionPolicy.Budget, Table: ReadingPartitions.Table })
            window.RaiseFloor(partition.To);
    }

    private async Task<bool> TryRemoveAsync(NpgsqlConnection connection, PartitionToDrop partition, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await RemoveAsync(connection, partition, cancellationToken);
                return true;
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
            {
                // A long query holds it. Others would wait behind us: let them by, and come again.
                if (attempt == Tries)
                    return false;
                await Task.Delay(BetweenTries, time, cancellationToken);
            }
        }
    }

    /// <summary>From wherever it stands: attached, half detached, detached, gone.</summary>
    private static async Task RemoveAsync(NpgsqlConnection connection, PartitionToDrop partition, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(new CommandDefinition("set lock_timeout = '2s'", cancellationToken: cancellationToken));
        var isDetaching = await connection.ExecuteScalarAsync<bool?>(new CommandDefinition(
            "select inhdetachpending from pg_inherits where inhrelid = to_regclass('public.' || @Name) and inhparent = ('public.' || @Table)::regclass",
            new { partition.Name, partition.Table }, cancellationToken: cancellationToken));
        if (isDetaching is { } pending)
        {
            // Neither form takes a lock on the table that readers or writers would wait for; both wait until nobody has the partition in view.
            await connection.ExecuteAsync(new CommandDefinition(
                $"alter table {partition.Table} detach partition {partition.Name} {(pending ? "finalize" : "concurrently")}", commandTimeout: 0, cancellationToken: cancellationToken));
        }
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition($"drop table if exists {partition.Name}", transaction: transaction, cancellationToken: cancellationToken));
        await connection.ExecuteAsync(new CommandDefinition(Done, new { partition.Name, KeptEvents }, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
    }

    [LoggerMessage(1114, LogLevel.Information, "Dropped partition {Name}, about {Rows} rows, {Bytes} bytes: {Reason}")]
    private partial void LogDropped(string name, long rows, long bytes, string reason);

    [LoggerMessage(1115, LogLevel.Warning, "Partition {Name} is in use by a long query and could not be dropped yet; the next turn goes on with it")]
    private partial void LogHeld(string name);
}
