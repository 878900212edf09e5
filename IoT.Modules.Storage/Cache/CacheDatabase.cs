using Dapper;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Cache;

/// <summary>The cache's level in PostgreSQL: two unlogged tables, on the primary, since a replica can't read them.</summary>
internal sealed partial class CacheDatabase(PostgresPools database, DataOptions data, ILogger<CacheDatabase> logger) : ICacheDatabase, IDisposable
{
    // Of the write pool's connections, so many at most: ingest has the others.
    private const int Connections = 2;

    // The generation of everything begins with the time: after a crash no sum of before comes again.
    private const string Beginning = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

    private const string Read =
        """
        with now_at as (select case when bool_or(slot = 0) then sum(generation)::bigint end as stamp from cache_generations where slot = any(@Generations))
        select now_at.stamp, e.value from now_at left join cache_entries e on e.key = @key and e.stamp = now_at.stamp and e.expires_at > now()
        """;

    private const string Write =
        """
        insert into cache_entries (key, stamp, value, expires_at)
        select key, stamp, value, expires_at from unnest(@Keys, @Stamps, @Values, @Expiries) as e (key, stamp, value, expires_at) order by key
        on conflict (key) do update set stamp = excluded.stamp, value = excluded.value, expires_at = excluded.expires_at where cache_entries.stamp <= excluded.stamp
        """;

    private const string Raise =
        $"""
        insert into cache_generations (slot, generation) select slot, case when slot = 0 then {Beginning} else 1 end from unnest(@Generations) slot order by slot
        on conflict (slot) do update set generation = cache_generations.generation + 1
        """;

    private const string Clean =
        $"""
        insert into cache_generations (slot, generation) values (0, {Beginning}) on conflict do nothing;
        delete from cache_entries where expires_at <= now();
        delete from cache_entries where key in (
            select key from (select key, sum(bytes) over (order by expires_at desc, key) as total from cache_entries) kept where total > @mostBytes);
        select count(*) as entries, pg_total_relation_size('cache_entries') as bytes from cache_entries
        """;

    private readonly SemaphoreSlim _connections = new(Connections);

    private string InUse => Path.Combine(data.Directory, "cache-in-use");

    public bool IsReady => database.IsReady;

    public bool TryOpen()
    {
        try
        {
            var endedProperly = !File.Exists(InUse);
            File.WriteAllText(InUse, "The host's invalidations of the cache may not all have been delivered while this file is here.\n");
            return endedProperly;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            LogNotMarked(InUse, exception.Message);
            return false;
        }
    }

    public void Close()
    {
        if (File.Exists(InUse))
            File.Delete(InUse);
    }

    public Task<CacheRead> ReadAsync(string key, int[] generations, CancellationToken cancellationToken) => WithConnectionAsync(connection =>
        connection.QuerySingleAsync<CacheRead>(new CommandDefinition(Read, new { key, Generations = Slots(generations) }, cancellationToken: cancellationToken)), cancellationToken);

    public Task WriteAsync(IReadOnlyList<CacheRow> rows, CancellationToken cancellationToken) => WithConnectionAsync(connection =>
        connection.ExecuteAsync(new CommandDefinition(Write, new
        {
            Keys = new ArrayParameter<string>([.. rows.Select(r => r.Key)], NpgsqlDbType.Text),
            Stamps = new ArrayParameter<long>([.. rows.Select(r => r.Stamp)], NpgsqlDbType.Bigint),
            Values = new ArrayParameter<byte[]>([.. rows.Select(r => r.Value)], NpgsqlDbType.Bytea),
            Expiries = new ArrayParameter<DateTime>([.. rows.Select(r => r.ExpiresAt)], NpgsqlDbType.TimestampTz),
        }, cancellationToken: cancellationToken)), cancellationToken);

    public Task RaiseAsync(int[] generations, CancellationToken cancellationToken) => WithConnectionAsync(connection =>
        connection.ExecuteAsync(new CommandDefinition(Raise, new { Generations = Slots(generations) }, cancellationToken: cancellationToken)), cancellationToken);

    public Task<CacheTableSize> CleanAsync(long mostBytes, CancellationToken cancellationToken) => WithConnectionAsync(connection =>
        connection.QuerySingleAsync<CacheTableSize>(new CommandDefinition(Clean, new { mostBytes }, cancellationToken: cancellationToken)), cancellationToken);

    public Task<IReadOnlyList<string>> KeysAsync(string prefix, int most, CancellationToken cancellationToken) => WithConnectionAsync<IReadOnlyList<string>>(async connection =>
        (await connection.QueryAsync<string>(new CommandDefinition(
            "select key from cache_entries where starts_with(key, @prefix) limit @most", new { prefix, most }, cancellationToken: cancellationToken))).AsList(), cancellationToken);

    public Task<int> RemoveAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken) => WithConnectionAsync(connection =>
        connection.ExecuteAsync(new CommandDefinition(
            "delete from cache_entries where key = any(@Keys)", new { Keys = new ArrayParameter<string>([.. keys], NpgsqlDbType.Text) }, cancellationToken: cancellationToken)), cancellationToken);

    public void Dispose() => _connections.Dispose();

    private async Task<T> WithConnectionAsync<T>(Func<NpgsqlConnection, Task<T>> act, CancellationToken cancellationToken)
    {
        await _connections.WaitAsync(cancellationToken);
        try
        {
            await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
            return await act(connection);
        }
        finally
        {
            _connections.Release();
        }
    }

    private static ArrayParameter<int> Slots(int[] slots) => new(slots, NpgsqlDbType.Integer);

    [LoggerMessage(1180, LogLevel.Warning, "{Path} can't be written: what the last run left in the cache is taken for void. {Reason}")]
    private partial void LogNotMarked(string path, string reason);
}
