using Dapper;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>Which migrations a database has had. The set counts, not the highest number: some are added out of order.</summary>
internal sealed class SchemaState
{
    private readonly IReadOnlyList<Migration> _known;
    private readonly Dictionary<int, Row> _applied;

    private SchemaState(IReadOnlyList<Migration> known, IEnumerable<Row> rows) => (_known, _applied) = (known, rows.ToDictionary(row => row.Version));

    /// <param name="Checksum">Null: applied by a host that kept none.</param>
    /// <param name="UnfinishedStep">Of one beside ingest, the step that was begun last; null: done.</param>
    internal sealed record Row(int Version, string Name, string? Checksum, int? UnfinishedStep);

    /// <summary>No migration has been applied: whatever is done takes no time and disturbs nobody.</summary>
    public bool IsNew => _applied.Count == 0;

    public int Count => _applied.Count;

    /// <summary>Their names, by number.</summary>
    public IReadOnlyList<string> Applied => [.. _applied.Values.OrderBy(row => row.Version).Select(row => row.Name)];

    public IReadOnlyList<Migration> ToDo => [.. _known.Where(m => !_applied.TryGetValue(m.Version, out var row) || row.UnfinishedStep is not null)];

    /// <summary>Applied, and its checksum not written down yet.</summary>
    public IEnumerable<Migration> WithoutChecksum => _known.Where(m => _applied.TryGetValue(m.Version, out var row) && row.Checksum is null);

    public int? UnfinishedStepOf(Migration migration) => _applied.GetValueOrDefault(migration.Version)?.UnfinishedStep;

    /// <summary>Reads it without changing anything, from whatever version of the table there is.</summary>
    public static async Task<SchemaState> ReadAsync(NpgsqlConnection connection, IReadOnlyList<Migration> known, CancellationToken cancellationToken)
    {
        var columns = (await connection.QueryAsync<string>(new CommandDefinition(
            "select column_name from information_schema.columns where table_schema = 'public' and table_name = 'schema_migrations'", cancellationToken: cancellationToken))).ToHashSet();
        if (columns.Count == 0)
            return new SchemaState(known, []);
        return new SchemaState(known, await connection.QueryAsync<Row>(new CommandDefinition(
            columns.Contains("checksum")
                ? "select version, name, checksum, unfinished_step as UnfinishedStep from schema_migrations"
                : "select version, name, null::text as checksum, null::int as UnfinishedStep from schema_migrations", cancellationToken: cancellationToken)));
    }

    /// <summary>Why this host can't use the database; null when it can.</summary>
    public string? Objection
    {
        get
        {
            var known = _known.ToDictionary(m => m.Version);
            var unknown = _applied.Values.Where(row => !known.ContainsKey(row.Version)).OrderBy(row => row.Version).ToList();
            if (unknown.Count > 0)
                return $"The database has schema version {unknown[^1].Version} ({unknown[^1].Name}); this host knows versions up to {_known[^1].Version} and not that one. Start the newer host, or restore a backup made before the upgrade.";
            var edited = _applied.Values.Where(row => row.Checksum is not null && row.Checksum != known[row.Version].Checksum).OrderBy(row => row.Version).FirstOrDefault();
            return edited is null ? null
                : $"Migration {edited.Version} ({edited.Name}) was applied to the database with another text than this host has ({known[edited.Version].Name}). Start the host that applied it, or restore a backup made before.";
        }
    }

    /// <exception cref="StartupException">This host can't use the database.</exception>
    public void ThrowIfRefused()
    {
        if (Objection is { } objection)
            throw new StartupException(objection);
    }
}
