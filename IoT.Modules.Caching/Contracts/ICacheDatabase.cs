namespace IoT.Modules.Caching.Contracts;

/// <summary>One value on its way into the database's cache table.</summary>
/// <param name="Key">At most <see cref="TieredCache.MaxKeyLength"/> characters.</param>
/// <param name="Stamp">The sum of the generations of its tags before it was computed, from <see cref="ICacheDatabase.ReadAsync"/>.</param>
/// <param name="ExpiresAt">UTC.</param>
public readonly record struct CacheRow(string Key, long Stamp, byte[] Value, DateTime ExpiresAt);

/// <param name="Stamp">The sum of the generations asked for, now; null: they have just been lost, and it takes no values yet.</param>
/// <param name="Value">Null when there is none, or it was computed before one of the generations changed, or it has expired.</param>
public readonly record struct CacheRead(long? Stamp, byte[]? Value);

/// <param name="Entries">Values in the table.</param>
/// <param name="Bytes">On disk.</param>
public readonly record struct CacheTableSize(long Entries, long Bytes);

/// <summary>
/// What the cache needs of a database, for its third level; Storage implements it. What it holds may vanish at any moment (an unlogged
/// table does in a crash), but only all of it at once: values and generations. Every method may throw a <see cref="System.Data.Common.DbException"/>.
/// </summary>
public interface ICacheDatabase
{
    /// <summary>Whether it can be asked at all.</summary>
    bool IsReady { get; }

    /// <summary>Says that this host begins to use it. False: it did not end properly the last time, and invalidations of then may be missing.</summary>
    bool TryOpen();

    /// <summary>Says that this host ends, with every invalidation delivered.</summary>
    void Close();

    /// <summary>In one statement, hence of one moment.</summary>
    Task<CacheRead> ReadAsync(string key, int[] generations, CancellationToken cancellationToken);

    Task WriteAsync(IReadOnlyList<CacheRow> rows, CancellationToken cancellationToken);

    /// <summary>Raises these generations, by one each.</summary>
    Task RaiseAsync(int[] generations, CancellationToken cancellationToken);

    /// <summary>Removes what has expired, then, over the size, what expires first. Answers what is there afterwards.</summary>
    Task<CacheTableSize> CleanAsync(long mostBytes, CancellationToken cancellationToken);

    /// <summary>Up to so many keys that begin like this.</summary>
    Task<IReadOnlyList<string>> KeysAsync(string prefix, int most, CancellationToken cancellationToken);

    Task<int> RemoveAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken);
}
