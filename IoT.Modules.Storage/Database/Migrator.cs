using System.Globalization;
using System.Reflection;
using Dapper;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>Numbered, embedded SQL files, applied in order, forward only, each in a transaction of its own.</summary>
internal sealed partial class Migrator(PostgresPools database, ILogger<Migrator> logger)
{
    /// <summary>One session at a time changes the schema or its partitions; the number is arbitrary and fixed.</summary>
    public const long AdvisoryLock = 0x496F54_0001;

    private const string Prefix = "IoT.Modules.Storage.Database.Migrations.";

    internal sealed record Migration(int Version, string Name, string Sql);

    public static IReadOnlyList<Migration> Known { get; } = Load();

    /// <exception cref="StartupException">The database's schema is newer than this host knows.</exception>
    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync("select pg_advisory_lock(@AdvisoryLock)", new { AdvisoryLock });
        try
        {
            await connection.ExecuteAsync(
                "create table if not exists schema_migrations (version int primary key, name text not null, applied_at timestamptz not null default now())");
            var applied = (await connection.QueryAsync<int>("select version from schema_migrations")).ToHashSet();
            var (current, newest) = (applied.DefaultIfEmpty(0).Max(), Known[^1].Version);
            if (current > newest)
                throw new StartupException(
                    $"The database has schema version {current}; this host knows versions up to {newest}. Start the newer host, or restore a backup made before the upgrade.");
            // By what is missing, not by the highest: a lower number may have come later.
            foreach (var migration in Known.Where(m => !applied.Contains(m.Version)))
                await ApplyAsync(connection, migration, cancellationToken);
        }
        finally
        {
            await connection.ExecuteAsync("select pg_advisory_unlock(@AdvisoryLock)", new { AdvisoryLock });
        }
    }

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(migration.Sql, transaction: transaction, commandTimeout: 0);
        await connection.ExecuteAsync("insert into schema_migrations (version, name) values (@Version, @Name)", migration, transaction);
        await transaction.CommitAsync(cancellationToken);
        LogApplied(migration.Version, migration.Name);
    }

    private static List<Migration> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                var file = name[Prefix.Length..^".sql".Length];
                return new Migration(int.Parse(file.AsSpan(0, 4), CultureInfo.InvariantCulture), file, reader.ReadToEnd());
            })];
    }

    [LoggerMessage(1100, LogLevel.Information, "Applied migration {Version} ({Name})")]
    private partial void LogApplied(int version, string name);
}
