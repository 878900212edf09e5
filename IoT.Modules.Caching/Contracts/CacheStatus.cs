namespace IoT.Modules.Caching.Contracts;

/// <summary>The whole cache at one moment.</summary>
/// <param name="Redis">Null when none is configured.</param>
public sealed record CacheStatus(IReadOnlyList<CacheLevelStatus> Levels, IReadOnlyList<CacheKindStatus> Kinds, RedisStatus? Redis)
{
    /// <summary>Loading ahead of time; null where nobody asked for it.</summary>
    public PrefetchStatus? Prefetch { get; init; }
}

/// <summary>A level.</summary>
/// <param name="Name"><c>memory</c>, <c>redis</c> or <c>database</c>.</param>
/// <param name="IsOn">False: not configured.</param>
/// <param name="Entries">Null where it is not counted: Redis may hold other things.</param>
/// <param name="Evictions">Values put out for want of room, or because they expired.</param>
public sealed record CacheLevelStatus(string Name, bool IsOn, long Hits, long Misses, long? Entries, long? Bytes, long? LimitBytes, long Evictions);

/// <summary>What one kind of values came to.</summary>
/// <param name="Computed">Times that it was in no level.</param>
/// <param name="Joined">Times that one who asked waited for somebody else's computation.</param>
/// <param name="NotKept">Computed values that were not kept because something they depend on changed meanwhile.</param>
public sealed record CacheKindStatus(
    string Name, int Version, string Reach, long MemoryHits, long MemoryMisses, long RedisHits, long RedisMisses, long DatabaseHits, long DatabaseMisses, long Computed, long Joined, long NotKept);

/// <param name="State"><c>connecting</c> at the start, <c>connected</c>, or <c>open</c>: its circuit is, nobody asks it.</param>
/// <param name="Endpoint">Host and port.</param>
/// <param name="Since">Since when, UTC.</param>
/// <param name="Trouble">Why it is open.</param>
/// <param name="Undelivered">Invalidations that it has not been told of yet.</param>
public sealed record RedisStatus(string State, string Endpoint, DateTime Since, string? Trouble, int Undelivered);

/// <summary>What loading ahead of time came to.</summary>
/// <param name="IsOn">False: <c>Caching__PrefetchEnabled</c> is.</param>
/// <param name="Keys">Keys whose successors are known, or being learnt.</param>
/// <param name="Started">Loads begun ahead of time.</param>
/// <param name="Used">Of these, asked for before they had gone again, or while they were still loading.</param>
/// <param name="Wasted">Of these, not asked for in time.</param>
/// <param name="LeftForLoad">Not begun, because queries were busy.</param>
/// <param name="Failed">Begun and failed.</param>
public sealed record PrefetchStatus(bool IsOn, int Keys, long Started, long Used, long Wasted, long LeftForLoad, long Failed);

/// <param name="Memory">Values dropped from this host's memory.</param>
/// <param name="Redis">From Redis; null without one, or while it is away: what it holds is then void once it is back.</param>
/// <param name="Database">From the database; null while it is away or the level is off.</param>
public sealed record CacheDrop(int Memory, int? Redis, int? Database);
