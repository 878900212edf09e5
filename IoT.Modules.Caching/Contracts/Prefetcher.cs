using System.Diagnostics.CodeAnalysis;
using IoT.Modules.Caching.Prefetch;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Caching.Contracts;

/// <summary>How busy what computes the values is; without one, never.</summary>
public interface ICacheLoad
{
    /// <summary>0: idle, 1: as busy as it may be.</summary>
    double Load { get; }
}

/// <summary>
/// Loads what will probably be asked for next: what came next most of the times that a key was asked for, when memory does not hold it and
/// those who compute it have time. Off unless <c>Caching__PrefetchEnabled</c>.
/// </summary>
public sealed partial class Prefetcher : IDisposable
{
    private const int MostAtOnce = 4;
    private const int MostAwaited = 1_024;

    // What comes later is the next round of whoever polls: by then the value would have gone again.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    // Unasked for by then, it was loaded for nothing.
    private static readonly TimeSpan LongestAwaited = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Successors _successors = new();
    private readonly Dictionary<string, Prefetched> _awaited = new(StringComparer.Ordinal);
    private readonly Queue<Prefetched> _byAge = new();
    private readonly AsyncLocal<bool> _isPrefetching = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationToken _stopping;
    private readonly TieredCache _cache;
    private readonly ICacheLoad? _load;
    private readonly TimeProvider _time;
    private readonly ILogger<Prefetcher> _logger;
    private readonly double _confidence;
    private readonly double _mostLoad;
    private int _running;
    private long _started;
    private long _used;
    private long _wasted;
    private long _leftForLoad;
    private long _failed;

    internal Prefetcher(CachingOptions options, TieredCache cache, ICacheLoad? load, CacheMetrics metrics, TimeProvider time, ILogger<Prefetcher> logger)
    {
        (_cache, _load, _time, _logger) = (cache, load, time, logger);
        _stopping = _stop.Token;
        IsOn = options.PrefetchEnabled;
        _confidence = options.PrefetchConfidencePercent / 100d;
        _mostLoad = options.PrefetchLoadPercent / 100d;
        if (IsOn)
            metrics.Watch(this);
    }

    public bool IsOn { get; }

    /// <summary>Loads ahead of time that run now.</summary>
    internal int Running
    {
        get
        {
            lock (_lock)
                return _running;
        }
    }

    public PrefetchStatus Status
    {
        get
        {
            lock (_lock)
                return new PrefetchStatus(IsOn, _successors.Count, _started, _used, _wasted, _leftForLoad, _failed);
        }
    }

    /// <summary>Somebody asks for a value: what may be asked for next is loaded, if it is worth it. Nobody waits for that.</summary>
    /// <param name="client">Who, as a hash: what one asks for after the other is learnt within a client. It decides nothing else.</param>
    /// <param name="wasThere">Whether it was in memory.</param>
    /// <param name="load">Asks for the same again, on nobody's behalf.</param>
    public void Asked<T>(int client, CacheKind<T> kind, string key, bool wasThere, Func<CancellationToken, Task> load)
    {
        if (!IsOn || _isPrefetching.Value || kind.Prefix.Length + key.Length > Successors.LongestKey)
            return;
        var full = kind.Prefix + key;
        Successors.Node? next;
        lock (_lock)
        {
            if (_awaited.Remove(full, out var prefetched))
            {
                prefetched.IsSettled = true;
                if (wasThere || prefetched.IsRunning)
                    _used++;
                else
                    _wasted++;
            }
            var node = _successors.Asked(client, full, _time.GetTimestamp(), at => _time.GetElapsedTime(at) <= Soon);
            node.Load = load;
            next = Successors.Next(node, _confidence);
            if (next is null || _running >= MostAtOnce || _awaited.ContainsKey(next.Key) || _cache.Has(next.Key))
                return;
            if (_load?.Load > _mostLoad)
            {
                _leftForLoad++;
                return;
            }
            Begin(next);
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <summary>Under the lock.</summary>
    private void Begin(Successors.Node node)
    {
        while (_byAge.TryPeek(out var oldest) && (oldest.IsSettled || _byAge.Count >= MostAwaited || _time.GetElapsedTime(oldest.At) > LongestAwaited))
        {
            _byAge.Dequeue();
            if (!oldest.IsSettled && _awaited.Remove(oldest.Key))
                _wasted++;
        }
        var prefetched = new Prefetched(node.Key, _time.GetTimestamp());
        _awaited[node.Key] = prefetched;
        _byAge.Enqueue(prefetched);
        _started++;
        _running++;
        // Nothing of the request that led to it goes along.
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Prefetcher.LoadAsync(work.Prefetched, work.Load), (Prefetcher: this, Prefetched: prefetched, node.Load), preferLocal: false);
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whoever asks for it will be told; here it is counted.")]
    private async Task LoadAsync(Prefetched prefetched, Func<CancellationToken, Task> load)
    {
        _isPrefetching.Value = true;
        Exception? failure = null;
        try
        {
            await load(_stopping);
        }
        catch (Exception exception)
        {
            failure = exception;
        }
        lock (_lock)
        {
            _running--;
            prefetched.IsRunning = false;
            if (failure is null)
                return;
            _failed++;
        }
        if (!_stopping.IsCancellationRequested)
            LogFailed(prefetched.Key, failure);
    }

    private sealed class Prefetched(string key, long at)
    {
        public string Key => key;

        public long At => at;

        public bool IsRunning { get; set; } = true;

        public bool IsSettled { get; set; }
    }

    [LoggerMessage(5030, LogLevel.Debug, "{Key} could not be loaded ahead of time")]
    private partial void LogFailed(string key, Exception exception);
}
