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
    private readonly string _connectionString;
    private readonly StorageOptions _options;
    private readonly DataDirectoryLock? _lock;
    private readonly PrivateServer? _server;

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

    /// <summary>Everything in it at one moment, as pg_dump's custom format, while others write.</summary>
    public Task DumpAsync(string file, CancellationToken cancellationToken) =>
        PostgresTool.RunAsync("pg_dump", _options, _connectionString, ["--format=custom", "--no-owner", "--no-privileges", $"--file={file}"], cancellationToken);

    /// <summary>All of a dump or nothing.</summary>
    public Task RestoreAsync(string file, CancellationToken cancellationToken) =>
        PostgresTool.RunAsync("pg_restore", _options, _connectionString, ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", file], cancellationToken);

    /// <summary>Rebuilds what planning needs; after a restore.</summary>
    public async Task AnalyzeAsync(CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(_connectionString, cancellationToken);
        await using var analyze = new NpgsqlCommand("analyze", connection) { CommandTimeout = 0 };
        await analyze.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
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
