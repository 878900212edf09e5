using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Host.Operations;

/// <summary>The cache's levels; an alarm while Redis is configured and not used.</summary>
internal sealed class CacheHealth(TieredCache cache) : IHealthCheck
{
    private const long MiB = 1024 * 1024;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var status = cache.Status();
        var memory = status.Levels[0];
        var state = FormattableString.Invariant($"{(memory.Bytes ?? 0) / MiB} of {memory.LimitBytes / MiB} MiB in memory, {Share(memory.Hits, memory.Misses)} found there");
        return Task.FromResult(status.Redis switch
        {
            null => AlarmHealth.Of($"{state}; no Redis", []),
            { State: "connected" } redis => AlarmHealth.Of($"{state}; Redis at {redis.Endpoint} in use", []),
            { State: "connecting" } redis => AlarmHealth.Of($"{state}; connecting to Redis at {redis.Endpoint}", []),
            var redis => AlarmHealth.Of(state, [new Alarm(
                "cache_redis_open", AlarmLevel.Warning,
                $"Redis at {redis.Endpoint} is not used: {redis.Trouble}. Requests go on without it",
                "See that Redis runs and that ConnectionStrings__Redis is right; it is used again by itself as soon as it answers.")]),
        });
    }

    private static string Share(long hits, long misses) =>
        hits + misses == 0 ? "nothing asked for yet, none" : FormattableString.Invariant($"{100 * hits / (hits + misses)} %");
}
