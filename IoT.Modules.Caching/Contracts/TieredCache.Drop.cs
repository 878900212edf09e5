using IoT.Modules.Caching.Memory;

namespace IoT.Modules.Caching.Contracts;

public sealed partial class TieredCache
{
    // What a drop takes from the database at once; the rest expires.
    private const int MostRows = 1_000_000;

    /// <summary>Drops everything whose key begins like this, on every level and host. What is being computed meanwhile is not kept either.</summary>
    /// <param name="prefix">Of the whole key, <c>module:name:version:…</c>; empty: everything.</param>
    public async Task<CacheDrop> DropAsync(string prefix, CancellationToken cancellationToken)
    {
        if (prefix.Length == 0)
            Raise(Generations.Everything, CacheReach.Database);
        var memory = DropHere(prefix);
        var redis = _redis is null ? null : await _redis.DropAsync(prefix, cancellationToken);
        foreach (var key in redis ?? [])
            Raise(Generations.SlotOf(key, []), CacheReach.Redis);
        int? rows = null;
        if (_database is { IsReady: true })
        {
            var keys = await _database.KeysAsync(prefix, MostRows, cancellationToken);
            foreach (var key in keys)
                Raise(Generations.SlotOf(key, []), CacheReach.Database);
            rows = await _database.RemoveAsync(keys, cancellationToken);
        }
        return new CacheDrop(memory, redis?.Count, rows);
    }

    /// <summary>Invalidates a tag by its text, such as <c>readings:press-1</c>, and drops from memory what has it.</summary>
    public int DropTag(string tag)
    {
        var parsed = CacheTag.Parse(tag);
        var keys = _memory.KeysWith(parsed.Slot);
        Invalidate(parsed);
        foreach (var key in keys)
            _memory.Remove(key);
        return keys.Count;
    }

    private int DropHere(string prefix)
    {
        // Computations first: what lands after its generation has risen is not found.
        foreach (var key in _flights.KeysFrom(prefix))
            Raise(Generations.SlotOf(key, []), CacheReach.Database);
        var keys = _memory.KeysFrom(prefix);
        foreach (var key in keys)
        {
            Raise(Generations.SlotOf(key, []), CacheReach.Database);
            _memory.Remove(key);
        }
        return keys.Count;
    }
}
