using System.Globalization;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Caching.Memory;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace IoT.Modules.Caching.Redis;

/// <summary>
/// L2 and the way invalidations reach other hosts. Redis counts the generations in one hash; every host holds a copy of it and lets only
/// values in whose stamp is that of its copy. The copy follows publish and subscribe, and once a second a counter tells whether anything was
/// missed. Values carry an epoch besides: the server's run and a number that the hash itself holds, so that nothing from before a restart, a
/// flush or an eviction of that hash is taken for new.
/// <para>Nobody waits for Redis longer than the soft timeout; three failures in a row open the circuit, and only the probe asks until it
/// answers again. Then what was not delivered is delivered before anything is read.</para>
/// </summary>
internal sealed partial class RedisLevel : IAsyncDisposable
{
    private const int FailuresToOpen = 3;
    private const int MostKeysDropped = 1_000_000;

    private readonly ConfigurationOptions _options;
    private readonly RedisKey _values;
    private readonly TimeSpan _patience;
    private readonly Generations _local;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Generations _shared = new();
    private readonly Undelivered _undelivered = new();
    private IConnectionMultiplexer? _connection;
    private IDatabase? _database;
    private long _epoch;
    private int _failures;
    private volatile bool _isClosed;
    private volatile string? _trouble;
    private long _since;

    public RedisLevel(ConfigurationOptions options, CachingOptions caching, Generations local, TimeProvider time, ILogger logger)
    {
        (_options, _local, _time, _logger) = (options, local, time, logger);
        _values = $"{caching.RedisPrefix}:value:";
        _hash = $"{caching.RedisPrefix}:generations";
        _channel = RedisChannel.Literal($"{caching.RedisPrefix}:invalidations");
        _patience = TimeSpan.FromMilliseconds(caching.RedisTimeoutMs);
        Endpoint = string.Join(",", options.EndPoints.Select(e => e.ToString()?.Replace("Unspecified/", "", StringComparison.Ordinal)));
        _since = time.GetUtcNow().Ticks;
    }

    public string Endpoint { get; }

    /// <summary>Whether it may be asked.</summary>
    public bool IsUsable => _isClosed;

    public long Epoch => Volatile.Read(ref _epoch);

    /// <summary>Of this host's copy; read after <see cref="Epoch"/>.</summary>
    public long StampOf(int[] slots) => _shared.StampOf(slots);

    /// <summary>Whether values of these slots may be taken from there, and put there.</summary>
    public bool IsCurrent(int[] slots) => _isClosed && !_undelivered.HasAny(slots);

    public bool IsDelivered => _undelivered.Count == 0;

    public RedisStatus Status => new(
        _isClosed ? "connected" : _trouble is null ? "connecting" : "open", Endpoint, new DateTime(Volatile.Read(ref _since), DateTimeKind.Utc), _isClosed ? null : _trouble, _undelivered.Count);

    /// <summary>Another host dropped what begins like this.</summary>
    public Action<string>? PrefixDropped { get; set; }

    /// <summary>Null: not there, or it did not answer in time.</summary>
    public async ValueTask<byte[]?> GetAsync(string key)
    {
        if (_database is not { } database)
            return null;
        try
        {
            var value = await database.StringGetAsync(_values.Append(key)).WaitAsync(_patience, _time);
            if (_failures != 0)
                Volatile.Write(ref _failures, 0);
            return value;
        }
        catch (Exception exception)
        {
            Failed(exception);
            return null;
        }
    }

    /// <summary>Nobody waits for it.</summary>
    public void Set(string key, byte[] value, TimeSpan ttl) =>
        _ = _database?.StringSetAsync(_values.Append(key), value, ttl, flags: CommandFlags.FireAndForget);

    /// <summary>Told to Redis, and by it to the other hosts, as soon as it can be.</summary>
    public void Raise(int slot) => _undelivered.Add(slot);

    public void Failed(Exception exception)
    {
        if (Interlocked.Increment(ref _failures) >= FailuresToOpen)
            Open(exception is TimeoutException
                ? string.Create(CultureInfo.InvariantCulture, $"it does not answer within {_patience.TotalMilliseconds:0} ms (Caching__RedisTimeoutMs)")
                : Reason(exception));
    }

    private void Open(string reason)
    {
        _trouble = reason;
        if (!_isClosed)
            return;
        _isClosed = false;
        Volatile.Write(ref _since, _time.GetUtcNow().UtcTicks);
        LogOpened(Endpoint, reason);
        _undelivered.Signal();
    }

    private void Close()
    {
        Volatile.Write(ref _failures, 0);
        if (_isClosed)
            return;
        Volatile.Write(ref _since, _time.GetUtcNow().UtcTicks);
        _isClosed = true;
        LogClosed(Endpoint);
    }

    /// <summary>The library's messages go on for lines, with the state of every thread; the first sentence says it.</summary>
    private static string Reason(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            foreach (var word in new[] { "WRONGPASS", "NOAUTH", "NOPERM", "ERR AUTH" })
            {
                if (cause.Message.Contains(word, StringComparison.Ordinal))
                    return "it refuses the user name or password of ConnectionStrings__Redis";
            }
        }
        if (exception is TimeoutException)
            return "it does not answer in time";
        if (exception is RedisConnectionException)
            return "there is no connection to it";
        var text = exception.Message.AsSpan();
        var end = text.IndexOfAny(';', '\n');
        text = end < 0 ? text : text[..end];
        return new string(text.Length > 200 ? text[..200] : text);
    }

    [LoggerMessage(5000, LogLevel.Warning, "Redis at {Endpoint} is not used until it answers again: {Reason}")]
    private partial void LogOpened(string endpoint, string reason);

    [LoggerMessage(5001, LogLevel.Information, "Redis at {Endpoint} is in use")]
    private partial void LogClosed(string endpoint);
}
