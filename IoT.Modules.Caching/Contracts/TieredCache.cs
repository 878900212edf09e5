using System.Diagnostics;
using System.Runtime.CompilerServices;
using IoT.Modules.Caching.Database;
using IoT.Modules.Caching.Memory;
using IoT.Modules.Caching.Redis;

namespace IoT.Modules.Caching.Contracts;

/// <summary>
/// Memory (L1), then Redis (L2), then the database (L3), then whoever can compute it. A hit fills the levels above it. However many ask
/// for the same at once, it is computed once. What was computed before an invalidation is never found after it, on any level.
/// </summary>
public sealed partial class TieredCache : IDisposable
{
    /// <summary>Characters of a key; longer ones are computed each time.</summary>
    public const int MaxKeyLength = 512;

    // Room for the prefix too.
    private const int MaxFullLength = MaxKeyLength + 128;

    // While Redis is configured and away, what other hosts invalidate is not heard of: nothing is taken from memory that is older than this.
    private static readonly TimeSpan OldestAlone = TimeSpan.FromSeconds(1);

    private readonly MemoryLevel _memory;
    private readonly RedisLevel? _redis;
    private readonly DatabaseLevel? _database;
    private readonly Generations _generations;
    private readonly CachingOptions _options;
    private readonly CacheMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Flights _flights = new();

    internal TieredCache(CachingOptions options, Generations generations, RedisLevel? redis, DatabaseLevel? database, CacheMetrics metrics, TimeProvider time)
    {
        (_options, _generations, _redis, _database, _metrics, _time) = (options, generations, redis, database, metrics, time);
        _memory = new MemoryLevel(options.L1CacheSizeMiB * 1024L * 1024L);
        if (redis is not null)
            redis.PrefixDropped = prefix => DropHere(prefix);
        metrics.Watch(this);
    }

    internal RedisLevel? Redis => _redis;

    internal DatabaseLevel? Database => _database;

    internal MemoryLevel Memory => _memory;

    /// <summary>Loads that run now.</summary>
    internal int Loading => _flights.Count;

    /// <summary>From memory alone; allocates nothing.</summary>
    [SkipLocalsInit]
    public bool TryGet<T>(CacheKind<T> kind, ReadOnlySpan<char> key, out T value)
    {
        if (key.Length <= MaxKeyLength)
        {
            Span<char> buffer = stackalloc char[MaxFullLength];
            kind.Prefix.CopyTo(buffer);
            key.CopyTo(buffer[kind.Prefix.Length..]);
            if (_memory.TryGet(buffer[..(kind.Prefix.Length + key.Length)], out var found) && found is Entry<T> entry
                && _generations.StampOf(entry.Slots) == entry.Stamp && (_redis is null or { IsUsable: true } || _time.GetElapsedTime(entry.CheckedAt) < OldestAlone))
            {
                _metrics.Of(kind).MemoryHit();
                value = entry.Value;
                return true;
            }
        }
        value = default!;
        return false;
    }

    /// <summary>Whether memory holds a value that may be used, or one is being loaded; counted as nobody's hit or miss.</summary>
    internal bool Has(string full) =>
        (_memory.TryGet(full, out var found) && found is Entry entry && _generations.StampOf(entry.Slots) == entry.Stamp)
        || (_flights.Find(full) is { } flight && _generations.StampOf(flight.Slots) == flight.Stamp);

    /// <summary>From any level, or computed. For a path where hits must not allocate: <see cref="TryGet"/> first, then this.</summary>
    /// <param name="tags">What the value depends on, beside its key. Not to be changed afterwards.</param>
    /// <param name="compute">Computes it. Its cancellation comes when nobody waits any more.</param>
    /// <exception cref="ArgumentException">The kind goes further down than one of the tags.</exception>
    public ValueTask<T> GetAsync<T, TState>(
        CacheKind<T> kind, string key, CacheTag[] tags, TState state, Func<TState, CancellationToken, Task<T>> compute, CancellationToken cancellationToken) =>
        TryGet(kind, key, out var value) ? new ValueTask<T>(value) : LoadAsync(kind, key, tags, state, compute, cancellationToken);

    /// <summary>Whatever depends on this is gone, on every level and, within a second, on every host.</summary>
    public void Invalidate(CacheTag tag) => Raise(tag.Slot, tag.Reach);

    /// <summary>Likewise, what is kept under this key.</summary>
    public void Invalidate<T>(CacheKind<T> kind, string key)
    {
        var full = kind.Prefix + key;
        Raise(Generations.SlotOf(full, []), kind.Reach);
        _memory.Remove(full);
    }

    /// <summary>The state of everything.</summary>
    public CacheStatus Status()
    {
        var kinds = _metrics.Counters.Select(c => c.Status()).OrderBy(k => k.Name, StringComparer.Ordinal).ToList();
        var memory = _memory.Statistics;
        return new CacheStatus(
            [
                new("memory", true, kinds.Sum(k => k.MemoryHits), kinds.Sum(k => k.MemoryMisses), memory.CurrentEntryCount, memory.CurrentEstimatedSize, _memory.LimitBytes, _memory.Evictions),
                new("redis", _redis is not null, kinds.Sum(k => k.RedisHits), kinds.Sum(k => k.RedisMisses), null, null, null, 0),
                new("database", _database is not null, kinds.Sum(k => k.DatabaseHits), kinds.Sum(k => k.DatabaseMisses), _database?.Size.Entries, _database?.Size.Bytes, _database?.LimitBytes, _database?.Evictions ?? 0),
            ], kinds, _redis?.Status);
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>From the lower levels, or computed, with everybody who asks meanwhile.</summary>
    private async ValueTask<T> LoadAsync<T, TState>(
        CacheKind<T> kind, string key, CacheTag[] tags, TState state, Func<TState, CancellationToken, Task<T>> compute, CancellationToken cancellationToken)
    {
        var counters = _metrics.Of(kind);
        Interlocked.Increment(ref counters.MemoryMisses);
        if (key.Length > MaxKeyLength)
            return await compute(state, cancellationToken);
        var full = kind.Prefix + key;
        while (true)
        {
            if (_flights.Find(full) is Flight<T> running && _generations.StampOf(running.Slots) == running.Stamp && running.TryJoin())
            {
                Interlocked.Increment(ref counters.Joined);
                try
                {
                    return await running.WaitAsync(cancellationToken);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    // It was computed in the name of one who has gone: again, in another's.
                    continue;
                }
            }
            var slots = SlotsOf(kind, full, tags);
            var flight = new Flight<T>(full, slots, _generations.StampOf(slots));
            if (!_flights.TryBegin(flight, _generations))
                continue;
            // Whoever had it land between our look and our beginning has filled memory.
            if (TryGet(kind, key, out var value))
            {
                flight.Land(value);
                _flights.End(flight);
            }
            else
                _ = FlyAsync(kind, flight, counters, state, compute);
            return await flight.WaitAsync(cancellationToken);
        }
    }

    private async Task FlyAsync<T, TState>(CacheKind<T> kind, Flight<T> flight, KindCounters counters, TState state, Func<TState, CancellationToken, Task<T>> compute)
    {
        try
        {
            // Before anything is read: epoch before stamp.
            var redis = kind.Reach >= CacheReach.Redis && _redis is not null && _redis.IsCurrent(flight.Slots) ? _redis : null;
            var (epoch, stamp) = redis is null ? default : (redis.Epoch, redis.StampOf(flight.Slots));
            if (redis is not null)
            {
                var started = Stopwatch.GetTimestamp();
                var bytes = await redis.GetAsync(flight.Key);
                var isHit = Wire.Envelope.TryRead(kind, bytes, epoch, stamp, _time.GetUtcNow(), out var found, out var left);
                _metrics.Looked("redis", kind, isHit, started);
                Interlocked.Increment(ref isHit ? ref counters.RedisHits : ref counters.RedisMisses);
                if (isHit)
                {
                    Land(kind, flight, found, left, counters);
                    return;
                }
            }

            long? databaseStamp = null;
            if (kind.Reach == CacheReach.Database && _database is not null)
            {
                var started = Stopwatch.GetTimestamp();
                if (await _database.ReadAsync(flight.Key, flight.Slots, flight.Abandoned) is { Stamp: { } mark } read)
                {
                    databaseStamp = mark;
                    var isHit = Wire.Envelope.TryRead(kind, read.Value, 0, mark, _time.GetUtcNow(), out var found, out var left);
                    _metrics.Looked("database", kind, isHit, started);
                    Interlocked.Increment(ref isHit ? ref counters.DatabaseHits : ref counters.DatabaseMisses);
                    if (isHit)
                    {
                        Land(kind, flight, found, left, counters);
                        if (redis is not null)
                            Put(redis, kind, flight, found, epoch, stamp, left);
                        return;
                    }
                }
            }

            var begun = Stopwatch.GetTimestamp();
            var value = await compute(state, flight.Abandoned);
            _metrics.Looked("compute", kind, true, begun);
            Interlocked.Increment(ref counters.Computed);
            var verdict = kind.Judge?.Invoke(value) ?? CacheVerdict.Keep;
            if (verdict != CacheVerdict.Discard)
                Land(kind, flight, value, verdict == CacheVerdict.Keep ? TimeSpan.MaxValue : TimeSpan.FromSeconds(_options.NegativeTtlSeconds), counters);
            else
                Land(flight, value);
            if (verdict == CacheVerdict.Keep)
                Keep(kind, flight, value, redis, epoch, stamp, databaseStamp);
        }
        catch (Exception exception)
        {
            _flights.End(flight);
            flight.Crash(exception);
        }
    }

    /// <summary>Into memory first, then to those who wait: whoever comes after them finds it.</summary>
    private void Land<T>(CacheKind<T> kind, Flight<T> flight, T value, TimeSpan left, KindCounters counters)
    {
        if (_generations.StampOf(flight.Slots) != flight.Stamp)
            Interlocked.Increment(ref counters.NotKept);
        else
        {
            var ttl = kind.MemoryTtl ?? TimeSpan.FromSeconds(_options.L1TtlSeconds);
            _memory.Set(flight.Key, new Entry<T>(value, flight.Slots, flight.Stamp, _time.GetTimestamp()), kind.SizeOf(value), left < ttl ? left : ttl);
        }
        Land(flight, value);
    }

    private void Land<T>(Flight<T> flight, T value)
    {
        _flights.End(flight);
        flight.Land(value);
    }

    /// <summary>Into the lower levels; nobody waits for it.</summary>
    private void Keep<T>(CacheKind<T> kind, Flight<T> flight, T value, RedisLevel? redis, long epoch, long stamp, long? databaseStamp)
    {
        if (redis is not null)
            Put(redis, kind, flight, value, epoch, stamp, TimeSpan.MaxValue);
        if (databaseStamp is not { } mark)
            return;
        var expires = _time.GetUtcNow() + (kind.DatabaseTtl ?? TimeSpan.FromSeconds(_options.L3TtlSeconds));
        if (Wire.Envelope.Write(kind, value, 0, mark, expires, _options.CompressionThresholdBytes) is { } bytes)
            _database!.Write(new CacheRow(flight.Key, mark, bytes, expires.UtcDateTime));
    }

    private void Put<T>(RedisLevel redis, CacheKind<T> kind, Flight<T> flight, T value, long epoch, long stamp, TimeSpan left)
    {
        var ttl = kind.RedisTtl ?? TimeSpan.FromSeconds(_options.L2TtlSeconds);
        ttl = left < ttl ? left : ttl;
        if (redis.IsUsable && Wire.Envelope.Write(kind, value, epoch, stamp, _time.GetUtcNow() + ttl, _options.CompressionThresholdBytes) is { } bytes)
            redis.Set(flight.Key, bytes, ttl);
    }

    /// <summary>The lower levels are barred first, then memory: whoever sees memory's generation risen finds them barred.</summary>
    private void Raise(int slot, CacheReach reach)
    {
        if (reach == CacheReach.Database)
            _database?.Raise(slot);
        // Memory alone too: it is other hosts' memory as well.
        _redis?.Raise(slot);
        _generations.Raise(slot);
    }

    private static int[] SlotsOf(CacheKind kind, string full, CacheTag[] tags)
    {
        var slots = new int[tags.Length + 2];
        slots[0] = Generations.Everything;
        slots[1] = Generations.SlotOf(full, []);
        for (var i = 0; i < tags.Length; i++)
        {
            if (tags[i].Reach < kind.Reach)
                throw new ArgumentException($"{kind.Name} goes to {kind.Reach}, its tag only to {tags[i].Reach}: an invalidation would not follow it there.", nameof(tags));
            slots[i + 2] = tags[i].Slot;
        }
        return slots;
    }
}
