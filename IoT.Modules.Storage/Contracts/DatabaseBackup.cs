using IoT.Modules.Storage.Backup;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.PrivatePostgres;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace IoT.Modules.Storage.Contracts;

/// <summary>
/// The database of a configuration, for commands that run beside the host or instead of it: the given one, the private one of a host that
/// runs, or the private one, started for as long as this is held.
/// </summary>
public sealed class DatabaseBackup : IAsyncDisposable
{
    private const int LongestWaitForLocksSeconds = 60;
    private const int MostJobs = 4;

    private readonly string _connectionString;
    private readonly StorageOptions _options;
    private readonly DataDirectoryLock? _lock;
    private readonly PrivateServer? _server;
    private NpgsqlConnection? _moment;
    private string? _snapshot;

    private DatabaseBackup(string connectionString, StorageOptions options, DataDirectoryLock? directory, PrivateServer? server) =>
        (_connectionString, _options, _lock, _server) = (connectionString, options, directory, server);

    /// <summary>The migrations it has had, newest last.</summary>
    public IReadOnlyList<string> Migrations { get; private set; } = [];

    /// <summary>The database as it is now, whether or not a host runs on it. Null when there is none yet.</summary>
    /// <exception cref="StartupException">It can't be reached, or has a schema that this host doesn't know.</exception>
    public static async Task<DatabaseBackup?> OpenAsync(IConfiguration configuration, CancellationToken cancellationToken)
    {
        var (data, options) = OptionsOf(configuration);
        var given = configuration.GetConnectionString("Postgres");
        var layout = new ClusterLayout(Path.GetFullPath(data.Directory));
        if (!string.IsNullOrWhiteSpace(given))
            return await CheckedAsync(new DatabaseBackup(given, options, null, null), cancellationToken);
        if (layout.ClusterVersion is null)
            return null;
        return await Preflight.RunningAsync(layout, cancellationToken) is { } running
            ? await CheckedAsync(new DatabaseBackup(running, options, null, null), cancellationToken)
            : await CheckedAsync(await StartAsync(data, options, cancellationToken), cancellationToken);
    }

    /// <summary>An empty database to restore into, made when it is a private one. No host may run on the data directory.</summary>
    /// <exception cref="StartupException">There is something in it, or a host runs.</exception>
    public static async Task<DatabaseBackup> OpenEmptyAsync(IConfiguration configuration, CancellationToken cancellationToken)
    {
        var (data, options) = OptionsOf(configuration);
        var given = configuration.GetConnectionString("Postgres");
        var database = string.IsNullOrWhiteSpace(given)
            ? await StartAsync(data, options, cancellationToken)
            : new DatabaseBackup(given, options, DataDirectoryLock.Take(data.Directory), null);
        try
        {
            await using var connection = await ConnectAsync(database._connectionString, cancellationToken);
            await using var tables = new NpgsqlCommand("select count(*) from pg_tables where schemaname = 'public'", connection);
            if (await tables.ExecuteScalarAsync(cancellationToken) is long count and > 0)
                throw new StartupException($"There are {count} tables in the database at {connection.Host}:{connection.Port} already. Restore into an empty one: drop and create it{(database._server is null ? "" : $", or move {Path.GetFullPath(data.Directory)} away")}.");
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="StartupException">A newer host made it: this one doesn't know the schema.</exception>
    public static void ThrowIfNewer(IReadOnlyList<string> migrations)
    {
        if (migrations.Except(Migration.Known.Select(m => m.Name)).FirstOrDefault() is { } unknown)
            throw new StartupException($"The backup was made by a newer version of the platform: this one does not know the migration {unknown}. Restore it with that version.");
    }

    /// <summary>Holds on to the database as it is now: <see cref="DumpAsync"/> writes this moment down, however much later.</summary>
    public async Task HoldMomentAsync(CancellationToken cancellationToken)
    {
        _moment = await ConnectAsync(_connectionString, cancellationToken);
        await RunAsync("set idle_in_transaction_session_timeout = 0; begin");
        // First the locks: a partition that is in the moment and dropped before pg_dump comes to it would make that fail.
        await RunAsync(
            """
            do $$
            declare tables text;
            begin
                -- A partitioned table's partitions go with it.
                select string_agg(oid::regclass::text, ', ') into tables
                from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition;
                execute 'lock table ' || tables || ' in access share mode';
            end $$
            """);
        await using var export = new NpgsqlCommand("select pg_export_snapshot()", _moment);
        _snapshot = (string)(await export.ExecuteScalarAsync(cancellationToken))!;

        async Task RunAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, _moment) { CommandTimeout = LongestWaitForLocksSeconds };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>Everything in it at the moment that is held, as pg_dump's custom format, while others write.</summary>
    public Task DumpAsync(string file, CancellationToken cancellationToken) =>
        PostgresTool.RunAsync(
            "pg_dump", _options, _connectionString,
            ["--format=custom", "--no-owner", "--no-privileges", "--no-unlogged-table-data", $"--snapshot={_snapshot}", $"--file={file}"], cancellationToken);

    /// <summary>What <see cref="DumpAsync"/> has written. Not in one transaction, which would hold locks on all partitions at once; a failure leaves a part.</summary>
    public async Task RestoreAsync(string file, CancellationToken cancellationToken)
    {
        await PostgresTool.RunAsync(
            "pg_restore", _options, _connectionString,
            ["--no-owner", "--no-privileges", "--exit-on-error", FormattableString.Invariant($"--jobs={Math.Clamp(Environment.ProcessorCount, 1, MostJobs)}"), file], cancellationToken);
        // What planning needs is not in a dump.
        await using var connection = await ConnectAsync(_connectionString, cancellationToken);
        await using var analyze = new NpgsqlCommand("analyze", connection) { CommandTimeout = 0 };
        await analyze.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_moment is not null)
            await _moment.DisposeAsync();
        if (_server is not null)
        {
            await _server.StopAsync();
            await _server.DisposeAsync();
        }
        _lock?.Dispose();
    }

    private static (DataOptions Data, StorageOptions Options) OptionsOf(IConfiguration configuration) =>
        (configuration.GetSection(DataOptions.Section).Get<DataOptions>() ?? new(), configuration.GetSection(StorageOptions.Section).Get<StorageOptions>() ?? new());

    private static async Task<DatabaseBackup> CheckedAsync(DatabaseBackup database, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(database._connectionString, cancellationToken);
            var state = await SchemaState.ReadAsync(connection, Migration.Known, cancellationToken);
            state.ThrowIfRefused();
            database.Migrations = state.Applied;
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    private static async Task<NpgsqlConnection> ConnectAsync(string connectionString, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, ApplicationName = "iot-backup" }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch (NpgsqlException exception)
        {
            await connection.DisposeAsync();
            throw new StartupException($"PostgreSQL can't be reached: {exception.Message}", exception);
        }
    }

    private static async Task<DatabaseBackup> StartAsync(DataOptions data, StorageOptions options, CancellationToken cancellationToken)
    {
        var directory = DataDirectoryLock.Take(data.Directory);
        var server = new PrivateServer(options, directory, NullLogger<PrivateServer>.Instance, TimeProvider.System);
        try
        {
            await server.StartAsync(cancellationToken);
            return new DatabaseBackup(server.ConnectionString, options, directory, server);
        }
        catch
        {
            await server.DisposeAsync();
            directory.Dispose();
            throw;
        }
    }
}
