using System.Data.Common;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>The pools. They exist once <see cref="StorageStartup"/> knows where PostgreSQL is, and are ready once its schema is.</summary>
internal sealed class PostgresPools(StorageOptions options) : IAsyncDisposable
{
    private const int LongestKnockSeconds = 5;

    private NpgsqlDataSource? _write;
    private NpgsqlDataSource? _read;
    private NpgsqlDataSource? _readToKeep;
    private string? _knock;

    /// <summary>Ingest, changes and migrations.</summary>
    public NpgsqlDataSource Write => _write ?? throw new DatabaseUnavailableException();

    /// <summary>Queries: a pool of their own, so that they can't starve ingest; on the replica when one is configured.</summary>
    public NpgsqlDataSource Read => IsReady ? _read! : throw new DatabaseUnavailableException();

    /// <summary>Queries whose answers are kept: on the primary. What a replica has not heard of yet would be kept beyond the moment.</summary>
    public NpgsqlDataSource ReadToKeep => IsReady ? _readToKeep! : throw new DatabaseUnavailableException();

    /// <summary>A connection for a query: it sees what was committed before.</summary>
    /// <param name="toKeep">Its answer is kept.</param>
    public async ValueTask<NpgsqlConnection> OpenReadAsync(bool toKeep, CancellationToken cancellationToken) =>
        await (toKeep ? ReadToKeep : Read).OpenConnectionAsync(cancellationToken);

    /// <summary>True once the schema is in place and the directories are loaded.</summary>
    public bool IsReady { get; private set; }

    /// <summary>What tells this database from others: host, port and name.</summary>
    public string Name { get; private set; } = "";

    /// <summary>Host and port, or the socket, for messages; never the password.</summary>
    public string Endpoint { get; private set; } = "not known yet";

    public void Open(string write, string read)
    {
        _write = Build(write, "iot-write", options.WritePoolSize, commandTimeoutSeconds: 60);
        _read = Build(read, "iot-read", options.ReadPoolSize, options.QueryTimeoutSeconds);
        _readToKeep = read == write ? _read : Build(write, "iot-read-to-keep", options.ReadPoolSize, options.QueryTimeoutSeconds);
        var target = new NpgsqlConnectionStringBuilder(write);
        Endpoint = $"{target.Host}:{target.Port}";
        target.Timeout = target.Timeout is > 0 and < LongestKnockSeconds ? target.Timeout : LongestKnockSeconds;
        target.Pooling = false;
        target.ApplicationName = "iot-start";
        _knock = target.ConnectionString;
        Name = $"{Endpoint}/{target.Database ?? target.Username}";
    }

    /// <summary>
    /// Whether it answers, within seconds: a PostgreSQL whose machine is gone refuses nothing, and neither devices nor a stop wait as
    /// long for it as a connection may take later.
    /// </summary>
    public async Task KnockAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(_knock);
        await connection.OpenAsync(cancellationToken);
    }

    public void MarkReady() => IsReady = true;

    private static NpgsqlDataSource Build(string connectionString, string name, int poolSize, int commandTimeoutSeconds) =>
        new NpgsqlDataSourceBuilder(connectionString)
        {
            Name = name,
            ConnectionStringBuilder =
            {
                ApplicationName = name,
                MaxPoolSize = poolSize,
                CommandTimeout = commandTimeoutSeconds,
                MaxAutoPrepare = 64,
                AutoPrepareMinUsages = 2,
                KeepAlive = 30,
                // Timestamps are UTC everywhere, whatever the server's own setting.
                Timezone = "UTC",
            },
        }.Build();

    public async ValueTask DisposeAsync()
    {
        if (_read is not null)
            await _read.DisposeAsync();
        if (_readToKeep is not null)
            await _readToKeep.DisposeAsync();
        if (_write is not null)
            await _write.DisposeAsync();
    }
}

/// <summary>PostgreSQL is not there yet: as transient as a refused connection, and handled like one.</summary>
internal sealed class DatabaseUnavailableException() : DbException("PostgreSQL is not ready yet.")
{
    public override bool IsTransient => true;
}
