using Microsoft.Extensions.Caching.Memory;

namespace IoT.Modules.Caching.Memory;

/// <summary>L1: the framework's memory cache, with a limit in bytes.</summary>
internal sealed class MemoryLevel : IDisposable
{
    // What an entry takes beside its key's characters and its value: the cache's own objects and ours, the dictionary's node.
    private const int Overhead = 400;

    private readonly MemoryCache _memory;
    private readonly PostEvictionDelegate _evicted;
    private long _evictions;

    public MemoryLevel(long limitBytes)
    {
        LimitBytes = limitBytes;
        _memory = new MemoryCache(new MemoryCacheOptions { SizeLimit = limitBytes, TrackStatistics = true, CompactionPercentage = 0.1 });
        _evicted = (_, _, reason, _) =>
        {
            if (reason is EvictionReason.Capacity or EvictionReason.Expired)
                Interlocked.Increment(ref _evictions);
        };
    }

    public long LimitBytes { get; }

    public long Evictions => Volatile.Read(ref _evictions);

    public MemoryCacheStatistics Statistics => _memory.GetCurrentStatistics()!;

    public bool TryGet(ReadOnlySpan<char> key, out object? entry) => _memory.TryGetValue(key, out entry);

    public void Set(string key, Entry entry, long valueBytes, TimeSpan ttl)
    {
        using var item = _memory.CreateEntry(key);
        item.Value = entry;
        item.Size = Overhead + 2L * key.Length + valueBytes;
        item.AbsoluteExpirationRelativeToNow = ttl;
        item.RegisterPostEvictionCallback(_evicted);
    }

    public void Remove(string key) => _memory.Remove(key);

    public List<string> KeysFrom(string prefix) => [.. _memory.Keys.OfType<string>().Where(key => key.StartsWith(prefix, StringComparison.Ordinal))];

    public List<string> KeysWith(int slot) =>
        [.. _memory.Keys.OfType<string>().Where(key => _memory.TryGetValue(key, out var found) && found is Entry entry && Array.IndexOf(entry.Slots, slot) >= 0)];

    public void Clear() => _memory.Clear();

    public void Dispose() => _memory.Dispose();
}
