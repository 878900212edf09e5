using IoT.Modules.Storage.Database;
using Npgsql;

namespace IoT.Modules.Storage.Contracts;

/// <summary>The pools, for modules that have tables of their own; their migrations are Storage's, their SQL stands beside their code.</summary>
public sealed class DatabaseAccess
{
    private readonly PostgresPools _pools;

    internal DatabaseAccess(PostgresPools pools) => _pools = pools;

    /// <summary>Changes, and queries that must see them.</summary>
    /// <exception cref="System.Data.Common.DbException">PostgreSQL is not there yet (transient).</exception>
    public NpgsqlDataSource Write => _pools.Write;

    /// <summary>Queries; a replica may be behind.</summary>
    /// <exception cref="System.Data.Common.DbException">PostgreSQL is not ready yet (transient).</exception>
    public NpgsqlDataSource Read => _pools.Read;
}
