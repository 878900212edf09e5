using Dapper;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>
/// Brings the schema up to date, forward only. What a transaction can hold is applied before the host is ready, each migration in one of
/// its own: one that fails leaves the schema before it. What can't, or would take long, runs beside ingest afterwards
/// (<see cref="MigrationsBesideIngest"/>), marked in <c>schema_migrations</c>, so that the next start goes on with it.
/// </summary>
internal sealed partial class Migrator(PostgresPools database, TimeProvider time, ILogger<Migrator> logger)
{
    /// <summary>One session at a time changes the schema or its partitions; the number is arbitrary and fixed.</summary>
    public const long AdvisoryLock = 0x496F54_0001;

    // Another one: who makes partitions doesn't wait for what takes hours, nor does a concurrent index build wait for them.
    private const long BesideIngestLock = 0x496F54_0010;

    private const string Prepare =
        """
        create table if not exists schema_migrations (version int primary key, name text not null, applied_at timestamptz not null default now());
        alter table schema_migrations add column if not exists checksum text, add column if not exists unfinished_step int;
        """;

    // While a step waits for a lock, others wait behind it.
    private const string ShortLocks = "set lock_timeout = '2s'";
    private const string WithoutLimit = "set lock_timeout = 0";
    private const int Tries = 15;
    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(2);

    internal IReadOnlyList<Migration> Known { get; init; } = Migration.Known;

    /// <exception cref="StartupException">The database's schema is one that this host does not know.</exception>
    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        ServerVersion.ThrowIfTooOld(connection.PostgreSqlVersion, database.Endpoint);
        // However long another host's migration takes.
        await connection.ExecuteAsync(new CommandDefinition("select pg_advisory_lock(@AdvisoryLock)", new { AdvisoryLock }, commandTimeout: 0, cancellationToken: cancellationToken));
        try
        {
            // A newer schema's table of migrations is left as it is.
            var state = await SchemaState.ReadAsync(connection, Known, cancellationToken);
            state.ThrowIfRefused();
            await connection.ExecuteAsync(new CommandDefinition(Prepare, cancellationToken: cancellationToken));
            foreach (var migration in state.WithoutChecksum)
                await connection.ExecuteAsync(new CommandDefinition("update schema_migrations set checksum = @Checksum where version = @Version", migration, cancellationToken: cancellationToken));
            foreach (var migration in state.ToDo)
            {
                if (!migration.IsBesideIngest)
                    await ApplyAsync(connection, migration, cancellationToken);
                else if (state.IsNew)
                    await RunStepsAsync(connection, migration, 0, cancellationToken);
            }
        }
        finally
        {
            if (connection.FullState == System.Data.ConnectionState.Open)
                await connection.ExecuteAsync("select pg_advisory_unlock(@AdvisoryLock)", new { AdvisoryLock });
        }
    }

    /// <summary>What is left to do beside ingest; false when another host is at it.</summary>
    public async Task<bool> ApplyBesideIngestAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        if ((await SchemaState.ReadAsync(connection, Known, cancellationToken)).ToDo.Count == 0)
            return true;
        // Whoever waited for it would hold up the concurrent build that it waits for.
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition("select pg_try_advisory_lock(@BesideIngestLock)", new { BesideIngestLock }, cancellationToken: cancellationToken)))
            return false;
        try
        {
            var state = await SchemaState.ReadAsync(connection, Known, cancellationToken);
            foreach (var migration in state.ToDo)
                await RunStepsAsync(connection, migration, state.UnfinishedStepOf(migration) ?? 0, cancellationToken);
            return true;
        }
        finally
        {
            if (connection.FullState == System.Data.ConnectionState.Open)
            {
                await connection.ExecuteAsync("reset lock_timeout");
                await connection.ExecuteAsync("select pg_advisory_unlock(@BesideIngestLock)", new { BesideIngestLock });
            }
        }
    }

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(migration.Sql, transaction: transaction, commandTimeout: 0, cancellationToken: cancellationToken));
        await connection.ExecuteAsync(new CommandDefinition("insert into schema_migrations (version, name, checksum) values (@Version, @Name, @Checksum)", migration, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        LogApplied(migration.Version, migration.Name);
    }

    private async Task RunStepsAsync(NpgsqlConnection connection, Migration migration, int first, CancellationToken cancellationToken)
    {
        for (var step = first; step < migration.Steps.Count; step++)
        {
            await connection.ExecuteAsync(new CommandDefinition(
                """
                insert into schema_migrations (version, name, checksum, unfinished_step) values (@Version, @Name, @Checksum, @step)
                on conflict (version) do update set unfinished_step = excluded.unfinished_step
                """,
                new { migration.Version, migration.Name, migration.Checksum, step }, cancellationToken: cancellationToken));
            foreach (var sql in await StatementsAsync(connection, migration.Steps[step], cancellationToken))
                await RunStepAsync(connection, sql, cancellationToken);
        }
        await connection.ExecuteAsync(new CommandDefinition(
            "update schema_migrations set unfinished_step = null, applied_at = now() where version = @Version", new { migration.Version }, cancellationToken: cancellationToken));
        LogApplied(migration.Version, migration.Name);
    }

    private static async Task<IEnumerable<string>> StatementsAsync(NpgsqlConnection connection, MigrationStep step, CancellationToken cancellationToken)
    {
        if (step.Table is null)
            return [step.Sql];
        var partitions = await connection.QueryAsync<string>(new CommandDefinition(
            """
            select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = ('public.' || @Table)::regclass and not i.inhdetachpending
              and (@Without::text is null or not exists (
                  select 1 from pg_inherits part join pg_index x on x.indexrelid = part.inhrelid
                  where part.inhparent = to_regclass('public.' || @Without) and x.indrelid = c.oid))
            order by c.relname
            """, new { step.Table, step.Without }, cancellationToken: cancellationToken));
        return partitions.AsList().Select(partition => step.Sql.Replace("{partition}", partition, StringComparison.Ordinal));
    }

    /// <summary>From wherever an earlier try has left it; a lock that others hold is tried for a few times.</summary>
    private async Task RunStepAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await ResumableStatement.FromHereAsync(connection, sql, cancellationToken) is not { } statement)
                return;
            try
            {
                // What runs concurrently waits for the transactions of others and keeps nobody waiting; given up, it would begin anew.
                await connection.ExecuteAsync(new CommandDefinition(IsConcurrent(statement) ? WithoutLimit : ShortLocks, cancellationToken: cancellationToken));
                await connection.ExecuteAsync(new CommandDefinition(statement, commandTimeout: 0, cancellationToken: cancellationToken));
                return;
            }
            catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected && attempt < Tries)
            {
                await Task.Delay(BetweenTries, time, cancellationToken);
            }
        }
    }

    private static bool IsConcurrent(string statement) => statement.Contains("index concurrently", StringComparison.OrdinalIgnoreCase);

    [LoggerMessage(1100, LogLevel.Information, "Applied migration {Version} ({Name})")]
    private partial void LogApplied(int version, string name);
}
