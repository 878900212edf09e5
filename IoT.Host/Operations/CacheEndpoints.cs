using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Contracts;

namespace IoT.Host.Operations;

/// <summary>What the cache holds and does, for admins, and dropping parts of it.</summary>
internal static class CacheEndpoints
{
    public static IEndpointRouteBuilder MapCache(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/cache").WithTags("Cache").RequireAuthorization(Policies.Administer);
        group.MapGet("", (TieredCache cache, Prefetcher prefetcher) => Results.Json(cache.Status() with { Prefetch = prefetcher.Status }, Json.Options))
            .Produces<CacheStatus>()
            .WithSummary("Levels, hits by what was asked for, and how Redis is");
        group.MapDelete("", DropAsync)
            .Produces<CacheDrop>().ProducesProblem(400)
            .WithSummary("Drops by prefix of the key (module:name:version:…) or by tag (readings:DEVICE); prefix= drops everything");
        return api;
    }

    private static async Task<IResult> DropAsync(TieredCache cache, string? prefix, string? tag, CancellationToken stop)
    {
        if (prefix is null == string.IsNullOrEmpty(tag))
            return Failure.Invalid("prefix", "either prefix or tag is expected; an empty prefix is everything").ToResult();
        if ((prefix ?? tag)!.Length > TieredCache.MaxKeyLength)
            return Failure.Invalid(prefix is null ? "tag" : "prefix", $"at most {TieredCache.MaxKeyLength} characters").ToResult();
        return Results.Json(prefix is null ? new CacheDrop(cache.DropTag(tag!), null, null) : await cache.DropAsync(prefix, stop), Json.Options);
    }
}
