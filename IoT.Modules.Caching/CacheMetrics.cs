using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Caching.Memory;

namespace IoT.Modules.Caching;

/// <summary>Hits, misses, time, bytes and evictions, by level and by what was asked for.</summary>
internal sealed class CacheMetrics
{
    public const string Name = "IoT.Caching";

    private readonly Lock _lock = new();
    private readonly Histogram<double> _duration;
    private readonly Meter _meter;
    private KindCounters?[] _byKind = [];

    public CacheMetrics(IMeterFactory meters)
    {
        _meter = meters.Create(Name);
        _duration = _meter.CreateHistogram<double>("iot.cache.duration", "s", "Time to look into Redis or the database, or to compute, by level, kind and result");
        _meter.CreateObservableCounter("iot.cache.hits", () => Counters.SelectMany(c => new[]
        {
            Measure(c, "memory", c.MemoryHits), Measure(c, "redis", Volatile.Read(ref c.RedisHits)), Measure(c, "database", Volatile.Read(ref c.DatabaseHits)),
        }), null, "Values found, by level and kind");
        _meter.CreateObservableCounter("iot.cache.misses", () => Counters.SelectMany(c => new[]
        {
            Measure(c, "memory", Volatile.Read(ref c.MemoryMisses)), Measure(c, "redis", Volatile.Read(ref c.RedisMisses)), Measure(c, "database", Volatile.Read(ref c.DatabaseMisses)),
        }), null, "Values not found, by level and kind");
        _meter.CreateObservableCounter("iot.cache.computed", () => Counters.Select(c => Measure(c, Volatile.Read(ref c.Computed))), null, "Values computed, by kind");
        _meter.CreateObservableCounter("iot.cache.joined", () => Counters.Select(c => Measure(c, Volatile.Read(ref c.Joined))), null, "Times that one waited for another's computation, by kind");
        _meter.CreateObservableCounter("iot.cache.not_kept", () => Counters.Select(c => Measure(c, Volatile.Read(ref c.NotKept))), null, "Computed values that something changed under, by kind");
    }

    public IEnumerable<KindCounters> Counters => Volatile.Read(ref _byKind).Where(c => c is not null)!;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KindCounters Of(CacheKind kind)
    {
        var byKind = Volatile.Read(ref _byKind);
        return (uint)kind.Number < (uint)byKind.Length && byKind[kind.Number] is { } counters ? counters : Add(kind);
    }

    public void Looked(string level, CacheKind kind, bool isHit, long started)
    {
        if (_duration.Enabled)
            _duration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("level", level), new("kind", kind.Name), new("result", isHit ? "hit" : "miss"));
    }

    public void Watch(TieredCache cache)
    {
        _meter.CreateObservableGauge("iot.cache.bytes", () => Sizes(cache, level => level.Bytes), "By", "Bytes kept, by level");
        _meter.CreateObservableGauge("iot.cache.entries", () => Sizes(cache, level => level.Entries), null, "Values kept, by level");
        _meter.CreateObservableCounter("iot.cache.evictions", () => Sizes(cache, level => level.IsOn && level.Name != "redis" ? level.Evictions : null), null, "Values put out for want of room or because their time was over, by level");
        if (cache.Redis is { } redis)
            _meter.CreateObservableGauge("iot.cache.redis.connected", () => redis.IsUsable ? 1 : 0, null, "1 while Redis is used, 0 while its circuit is open");
    }

    public void Watch(Prefetcher prefetcher) =>
        _meter.CreateObservableCounter("iot.cache.prefetches", () =>
        {
            var status = prefetcher.Status;
            return new[]
            {
                Measure("started", status.Started), Measure("used", status.Used), Measure("wasted", status.Wasted), Measure("left_for_load", status.LeftForLoad), Measure("failed", status.Failed),
            };
        }, null, "Values loaded ahead of time, by what became of them");

    private KindCounters Add(CacheKind kind)
    {
        lock (_lock)
        {
            var byKind = _byKind;
            if (kind.Number >= byKind.Length)
                Array.Resize(ref byKind, kind.Number + 8);
            var counters = byKind[kind.Number] ??= new KindCounters(kind);
            Volatile.Write(ref _byKind, byKind);
            return counters;
        }
    }

    private static IEnumerable<Measurement<long>> Sizes(TieredCache cache, Func<CacheLevelStatus, long?> of) =>
        cache.Status().Levels.Where(level => of(level) is not null).Select(level => new Measurement<long>(of(level)!.Value, new KeyValuePair<string, object?>("level", level.Name)));

    private static Measurement<long> Measure(string result, long value) => new(value, new KeyValuePair<string, object?>("result", result));

    private static Measurement<long> Measure(KindCounters counters, string level, long value) => new(value, new("level", level), new("kind", counters.Kind.Name));

    private static Measurement<long> Measure(KindCounters counters, long value) => new(value, new KeyValuePair<string, object?>("kind", counters.Kind.Name));
}
