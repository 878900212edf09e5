using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Partitions;

/// <summary>
/// The partitions by time of one table: which there are, and making those that are missing. What is in the catalog counts, whatever
/// span it was made with; a new one fills its span as far as no other has it.
/// </summary>
internal sealed partial class TimePartitions(string table, PartitionSpan span, string storageParameters, PostgresPools database, TimeProvider time, ILogger logger)
{
    private const int MostNamesake = 100;

    // ATTACH shares its lock with readers and writers; it waits for other changes of the table, and not for long. Readings may wait for
    // the partition, so it isn't flushed: their own commit comes later in the WAL and flushes it too.
    private const string Begin = "set local lock_timeout = '5s'; set local synchronous_commit = off; select pg_advisory_xact_lock(@AdvisoryLock)";

    private TimeRange[] _known = [];

    /// <summary>Whether making a partition came off.</summary>
    internal enum Made
    {
        /// <summary>It is there.</summary>
        Ready,

        /// <summary>There are as many made on demand as are allowed.</summary>
        TooMany,
    }

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>The ranges that have a partition, as far as this host has seen; sorted.</summary>
    public IReadOnlyList<TimeRange> Known => Volatile.Read(ref _known);

    public bool Holds(DateTime at)
    {
        var known = Volatile.Read(ref _known);
        var (low, high) = (0, known.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (known[middle].Holds(at))
                return true;
            if (known[middle].From > at)
                high = middle - 1;
            else
                low = middle + 1;
        }
        return false;
    }

    /// <summary>Looks again before it is used the next time: something has changed.</summary>
    public void Forget() => Volatile.Write(ref _known, []);

    /// <summary>Makes what is missing from now to as many ahead as asked for.</summary>
    public async Task EnsureAheadAsync(int count, CancellationToken cancellationToken)
    {
        var at = Now;
        for (var ahead = 0; ahead <= count; ahead++)
        {
            await EnsureAsync(at, null, cancellationToken);
            var holder = Array.Find(Volatile.Read(ref _known), range => range.Holds(at));
            at = holder == default ? span.Around(at).To : holder.To;
        }
    }

    /// <summary>Makes the partition of a moment unless it is there. Whoever calls this has checked that it is a time to keep.</summary>
    /// <param name="mostOnDemand">How many of the table's partitions may have been made because readings came for them; null: made ahead.</param>
    public async Task<Made> EnsureAsync(DateTime at, int? mostOnDemand, CancellationToken cancellationToken)
    {
        if (Holds(at))
            return Made.Ready;
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(Begin, new { Migrator.AdvisoryLock }, transaction, cancellationToken: cancellationToken));
        var there = await PartitionCatalog.ListAsync(connection, transaction, table, cancellationToken);
        var isMade = false;
        if (!there.Exists(p => p.Range.Holds(at)))
        {
            if (there.Count(p => p.IsOnDemand) >= mostOnDemand)
            {
                Remember(there);
                return Made.TooMany;
            }
            var range = span.Around(at).Beside(there.Select(p => p.Range), at);
            var name = await MakeAsync(connection, transaction, range, mostOnDemand is not null, cancellationToken);
            there.Add(new TimePartition(name, range.From, range.To, 0, 0, false, false));
            isMade = true;
        }
        await transaction.CommitAsync(cancellationToken);
        Remember(there);
        if (isMade)
            LogMade(there[^1].Name);
        return Made.Ready;
    }

    /// <summary>
    /// Drops what was made ahead with another span and is still empty, so that it can be made with the present one. At a start only:
    /// nothing may come in meanwhile. What can't be locked stays as it is, until the next start.
    /// </summary>
    public async Task ReplaceEmptyAheadAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(Begin, new { Migrator.AdvisoryLock }, transaction, cancellationToken: cancellationToken));
        var there = await PartitionCatalog.ListAsync(connection, transaction, table, cancellationToken);
        var (kept, ahead) = (new List<TimePartition>(), new List<TimePartition>());
        foreach (var partition in there)
        {
            var isEmpty = partition.RangeFrom > Now && !partition.IsDetaching && !await HasRowsAsync(connection, transaction, partition, cancellationToken);
            (isEmpty ? ahead : kept).Add(partition);
        }
        var wrong = ahead.Where(p => p.Range != span.Around(p.RangeFrom).Beside(kept.Select(k => k.Range), p.RangeFrom)).ToList();
        if (wrong.Count == 0)
            return;
        try
        {
            // The parent first, as writers do. With a short timeout: while this waits, others would wait behind it.
            await connection.ExecuteAsync(new CommandDefinition($"set local lock_timeout = '1s'; lock table only {table} in access exclusive mode", transaction: transaction, cancellationToken: cancellationToken));
            foreach (var partition in wrong)
            {
                if (!await HasRowsAsync(connection, transaction, partition, cancellationToken))
                    await connection.ExecuteAsync(new CommandDefinition($"drop table {partition.Name}", transaction: transaction, cancellationToken: cancellationToken));
            }
            await transaction.CommitAsync(cancellationToken);
            Forget();
            LogReplaced(wrong.Count, table);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            LogNotReplaced(table);
        }
    }

    private static async Task<bool> HasRowsAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, TimePartition partition, CancellationToken cancellationToken) =>
        await connection.ExecuteScalarAsync<bool>(new CommandDefinition($"select exists (select 1 from only {partition.Name})", transaction: transaction, cancellationToken: cancellationToken));

    private async Task<string> MakeAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, TimeRange range, bool isOnDemand, CancellationToken cancellationToken)
    {
        var name = $"{table}_{range.Suffix}";
        // One that somebody has detached and kept has the name: leave it alone.
        for (var namesake = 2; namesake < MostNamesake && await connection.ExecuteScalarAsync<bool>(new CommandDefinition(
                 "select to_regclass('public.' || @name) is not null", new { name }, transaction, cancellationToken: cancellationToken)); namesake++)
            name = FormattableString.Invariant($"{table}_{range.Suffix}_{namesake}");
        // CREATE and ATTACH: CREATE TABLE … PARTITION OF would lock the parent against ingest.
        await connection.ExecuteAsync(new CommandDefinition(
            $"""
             create table {name} (like {table} including defaults including constraints including storage) {storageParameters};
             alter table {table} attach partition {name} for values from ('{PartitionCatalog.Text(range.From)}') to ('{PartitionCatalog.Text(range.To)}');
             """, transaction: transaction, cancellationToken: cancellationToken));
        if (isOnDemand)
            await connection.ExecuteAsync(new CommandDefinition($"comment on table {name} is '{PartitionCatalog.OnDemandComment}'", transaction: transaction, cancellationToken: cancellationToken));
        return name;
    }

    private void Remember(List<TimePartition> partitions) =>
        Volatile.Write(ref _known, [.. partitions.Where(p => !p.IsDetaching).Select(p => p.Range).OrderBy(r => r.From)]);

    [LoggerMessage(1110, LogLevel.Information, "Made partition {Name}")]
    private partial void LogMade(string name);

    [LoggerMessage(1112, LogLevel.Information, "Dropped {Count} empty partitions of {Table} that were made ahead with another span")]
    private partial void LogReplaced(int count, string table);

    [LoggerMessage(1113, LogLevel.Warning, "The empty partitions of {Table} made ahead with another span stay: something else holds the table. The next start tries again")]
    private partial void LogNotReplaced(string table);
}
