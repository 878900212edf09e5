using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace IoT.Benchmarks.Cache;

/// <summary>What a trace came to.</summary>
/// <param name="Hits">Share of what was asked for that memory held.</param>
/// <param name="Joined">Share that was being loaded ahead of time by then: part of the wait was over.</param>
/// <param name="Loads">Loads, ahead of time or not.</param>
/// <param name="Ahead">Of these, ahead of time.</param>
/// <param name="Wasted">Of these, asked for by nobody before they had gone.</param>
internal sealed record ReplayResult(double Hits, double Joined, int Loads, long Ahead, long Wasted);

/// <summary>Replays a trace on the real cache and the real prefetcher, by the trace's own clock.</summary>
internal sealed class PrefetchReplay : TimeProvider
{
    // As long as the latest values of a device take from PostgreSQL.
    private const int LoadMs = 5;

    private static readonly CacheKind<string> Latest = new("bench", "latest", text => text.Length);
    private static readonly CacheKind<string> Charts = new("bench", "charts", text => text.Length);

    private readonly Dictionary<string, int> _aheadAt = [];
    private int _now;
    private int _loads;

    public override long TimestampFrequency => 1_000;

    public override long GetTimestamp() => _now;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddMilliseconds(_now);

    public static async Task<ReplayResult> RunAsync(IReadOnlyList<TraceEvent> events, CachingOptions options, CancellationToken cancellationToken) =>
        await new PrefetchReplay().ReplayAsync(events, options, cancellationToken);

    private async Task<ReplayResult> ReplayAsync(IReadOnlyList<TraceEvent> events, CachingOptions options, CancellationToken cancellationToken)
    {
        await using var services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton<TimeProvider>(this).AddSingleton(options).AddSingleton<CacheMetrics>()
            .AddSingleton(provider => CachingModule.Build(options, null, provider)).BuildServiceProvider();
        var cache = services.GetRequiredService<TieredCache>();
        using var prefetcher = new Prefetcher(options, cache, null, services.GetRequiredService<CacheMetrics>(), this, services.GetRequiredService<ILogger<Prefetcher>>());
        var (asked, hits, joined) = (0, 0, 0);
        foreach (var one in events)
        {
            _now = one.AtMs;
            if (one.Client < 0)
            {
                cache.Invalidate(TagOf(one.Key));
                continue;
            }
            var colon = one.Key.IndexOf(':', StringComparison.Ordinal);
            var (kind, device) = (one.Key[..colon] == "latest" ? Latest : Charts, one.Key[(colon + 1)..]);
            asked++;
            var isThere = cache.TryGet(kind, device, out _);
            if (isThere && _aheadAt.Remove(one.Key, out var ahead) && _now - ahead < LoadMs)
                joined++;
            else if (isThere)
                hits++;
            else
                await LoadAsync(cache, kind, device, cancellationToken);
            prefetcher.Asked(one.Client, kind, device, isThere, async stop =>
            {
                _aheadAt[one.Key] = _now;
                await LoadAsync(cache, kind, device, stop);
            });
            while (prefetcher.Running > 0)
                await Task.Yield();
        }
        var status = prefetcher.Status;
        return new ReplayResult((double)hits / asked, (double)joined / asked, _loads, status.Started, status.Wasted);
    }

    private async Task LoadAsync(TieredCache cache, CacheKind<string> kind, string device, CancellationToken cancellationToken) =>
        await cache.GetAsync(kind, device, [TagOf(device)], this, static (replay, _) =>
        {
            replay._loads++;
            return Task.FromResult("value");
        }, cancellationToken);

    private static CacheTag TagOf(string device) => CacheTag.Of("bench", device, CacheReach.Memory);
}
