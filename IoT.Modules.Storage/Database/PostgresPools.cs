using System.Data.Common;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>The pools. They exist once <see cref="StorageStartup"/> knows where PostgreSQL is, and are ready once its schema is.</summary>
internal sealed class PostgresPools(StorageOptions options) : IAsyncDisposable
{
    private const int LongestKnockSeconds = 5;

    private NpgsqlDataSource? _write;
    private NpgsqlDataSource? _read;
    private string? _knock;
    private volatile bool _isReplicaInUse;

    /// <summary>Ingest, changes and migrations.</summary>
    public NpgsqlDataSource Write => _write ?? throw new DatabaseUnavailableException();

    /// <summary>
    /// Queries, on the primary: a pool of their own, so that they can't starve ingest. Also for answers that are kept: what a replica has
    /// not heard of yet would be kept beyond the moment.
    /// </summary>
    public NpgsqlDataSource ReadOnPrimary => IsReady ? _read! : throw new DatabaseUnavailableException();

    /// <summary>Queries, where they go now: the replica while it is there and hardly behind, otherwise the primary.</summary>
    public NpgsqlDataSource Read => _isReplicaInUse && IsReady ? Replica! : ReadOnPrimary;

    /// <summary>The replica that is configured; null without one.</summary>
    public NpgsqlDataSource? Replica { get; private set; }

    /// <summary>Whether queries go to the replica. <see cref="ReplicaWatch"/> decides; a query that fails there takes it back.</summary>
    public bool IsReplicaInUse
    {
        get => _isReplicaInUse;
        set => _isReplicaInUse = value && Replica is not null;
    }

    /// <summary>True once the schema is in place and the directories are loaded.</summary>
    public bool IsReady { get; private set; }

    /// <summary>What tells this database from others: host, port and name.</summary>
    public string Name { get; private set; } = "";

    /// <summary>Host and port, or the socket, for messages; never the password.</summary>
    public string Endpoint { get; private set; } = "not known yet";

    /// <summary>A connection for a query: it sees what was committed before, or, on the replica, what it has heard of.</summary>
    /// <param name="toKeep">Its answer is kept.</param>
    public async ValueTask<NpgsqlConnection> OpenReadAsync(bool toKeep, CancellationToken cancellationToken)
    {
        if (!toKeep && _isReplicaInUse)
        {
            try
            {
                return await Read.OpenConnectionAsync(cancellationToken);
            }
            catch (DbException exception) when (DatabaseFault.Passes(exception))
            {
                IsReplicaInUse = false;
            }
        }
        return await ReadOnPrimary.OpenConnectionAsync(cancellationToken);
    }

    /// <summary>Whether the primary may answer what the replica has not: it has gone, or has cancelled the query to go on replaying. Not one that took too long.</summary>
    public static bool IsReplicasFault(DbException exception) =>
        DatabaseFault.Passes(exception) && exception.SqlState != PostgresErrorCodes.QueryCanceled && exception.InnerException is not TimeoutException;

    /// <param name="replica">Null: none.</param>
    /// <exception cref="ArgumentException">One is no connection string.</exception>
    public void Open(string write, string? replica)
    {
        _write = Build(write, "iot-write", options.WritePoolSize, options.WriteTimeoutSeconds).Build();
        _read = Build(write, "iot-read", options.ReadPoolSize, options.QueryTimeoutSeconds).Build();
        if (replica is not null)
            Replica = BuildReplica(replica);
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

    /// <summary>Of several hosts a standby is taken when one answers, whatever their order, and the primary otherwise.</summary>
    private NpgsqlDataSource BuildReplica(string connectionString)
    {
        var builder = Build(connectionString, "iot-replica", options.ReadPoolSize, options.QueryTimeoutSeconds);
        if (builder.ConnectionStringBuilder.Host?.Contains(',', StringComparison.Ordinal) != true)
            return builder.Build();
        var hosts = builder.BuildMultiHost();
        return builder.ConnectionStringBuilder.TargetSessionAttributes is null ? hosts.WithTargetSession(TargetSessionAttributes.PreferStandby) : hosts;
    }

    private NpgsqlDataSourceBuilder Build(string connectionString, string name, int poolSize, int commandTimeoutSeconds)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString) { Name = name };
        var settings = builder.ConnectionStringBuilder;
        settings.ApplicationName = name;
        settings.MaxPoolSize = poolSize;
        settings.CommandTimeout = commandTimeoutSeconds;
        if (!new DbConnectionStringBuilder { ConnectionString = connectionString }.ContainsKey("Timeout"))
            settings.Timeout = options.ConnectTimeoutSeconds;
        settings.ConnectionIdleLifetime = options.IdleConnectionSeconds;
        settings.ConnectionLifetime = options.ConnectionLifetimeSeconds;
        settings.MaxAutoPrepare = options.MaxAutoPrepare;
        settings.AutoPrepareMinUsages = 2;
        settings.KeepAlive = 30;
        // Timestamps are UTC everywhere, whatever the server's own setting.
        settings.Timezone = "UTC";
        return builder;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pool in new[] { Replica, _read, _write })
        {
            if (pool is not null)
                await pool.DisposeAsync();
        }
    }
}

/// <summary>PostgreSQL is not there yet: as transient as a refused connection, and handled like one.</summary>
internal sealed class DatabaseUnavailableException() : DbException("PostgreSQL is not ready yet.")
{
    public override bool IsTransient => true;
}
