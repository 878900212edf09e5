namespace IoT.Modules.Caching.Contracts;

/// <summary>
/// Marks a MediatR request whose response may come from the cache. The pipeline's behaviour runs after validation; who may ask was decided
/// before. A request that is answered differently to different people must have in its key what the difference depends on. It may be asked again
/// on nobody's behalf, to have the answer ready (<see cref="Prefetcher"/>): it holds nothing of who asked.
/// </summary>
public interface ICacheable<TResponse>
{
    /// <summary>What its responses are kept as.</summary>
    static abstract CacheKind<TResponse> CacheKind { get; }

    /// <summary>All that the response depends on; null: this one is not to be cached. At most <see cref="TieredCache.MaxKeyLength"/> characters, or it is not.</summary>
    string? CacheKey(TimeProvider time);

    /// <summary>What invalidates it; asked for when it is not in memory.</summary>
    CacheTag[] CacheTags { get; }
}
