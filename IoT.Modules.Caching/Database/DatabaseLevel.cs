using System.Threading.Channels;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Caching.Memory;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Caching.Database;

/// <summary>
/// L3. The database keeps its own generations and compares them itself, in the statement that reads: a value from before an invalidation
/// does not come back, whoever wrote it and whenever it landed. Writes wait in a queue that drops; invalidations never do.
/// </summary>
internal sealed partial class DatabaseLevel(ICacheDatabase database, long limitBytes, TimeProvider time, ILogger logger) : IDisposable
{
    /// <summary>Larger values go no further than Redis.</summary>
    public const int MaxValueBytes = 1024 * 1024;

    private const int QueueLength = 64;

    private static readonly TimeSpan CleanPeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(1);

    private readonly Undelivered _undelivered = new();
    private readonly Channel<CacheRow> _writes = Channel.CreateBounded<CacheRow>(new BoundedChannelOptions(QueueLength) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private CacheTableSize _size;
    private long _cleaned;
    private long _evictions;
    private bool _isInTrouble;

    public long LimitBytes => limitBytes;

    public CacheTableSize Size => _size;

    public long Evictions => Volatile.Read(ref _evictions);

    public bool IsDelivered => _undelivered.Count == 0;

    /// <summary>Null: it can't be asked now, and nothing computed may be written.</summary>
    public async ValueTask<CacheRead?> ReadAsync(string key, int[] slots, CancellationToken cancellationToken)
    {
        if (!database.IsReady || _undelivered.HasAny(slots))
            return null;
        try
        {
            return await database.ReadAsync(key, slots, cancellationToken);
        }
        catch (System.Data.Common.DbException)
        {
            // The computation will say what is wrong with it.
            return null;
        }
    }

    public void Write(CacheRow row)
    {
        if (row.Value.Length <= MaxValueBytes && _writes.Writer.TryWrite(row))
            _undelivered.Signal();
    }

    public void Raise(int slot) => _undelivered.Add(slot);

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (database.IsReady)
                {
                    await FlushAsync(stop);
                    await CleanAsync(stop);
                    _isInTrouble = false;
                    await _undelivered.WaitAsync(CleanPeriod, stop);
                }
                else
                    await Task.Delay(RetryPeriod, time, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                if (!_isInTrouble)
                    LogTrouble(exception.Message);
                _isInTrouble = true;
                await Task.Delay(RetryPeriod, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    public async Task FlushAsync(CancellationToken stop)
    {
        while (_undelivered.Take(Generations.Slots) is { Count: > 0 } slots)
        {
            await database.RaiseAsync([.. slots.Select(s => s.Slot)], stop);
            _undelivered.Delivered(slots);
        }
        var rows = new List<CacheRow>();
        while (rows.Count < QueueLength && _writes.Reader.TryRead(out var row))
            rows.Add(row);
        // Of two values of one key, the later one.
        if (rows.Count > 0)
            await database.WriteAsync([.. rows.GroupBy(r => r.Key).Select(g => g.Last())], stop);
    }

    public Task<IReadOnlyList<string>> KeysAsync(string prefix, int most, CancellationToken stop) => database.KeysAsync(prefix, most, stop);

    public Task<int> RemoveAsync(IReadOnlyList<string> keys, CancellationToken stop) => database.RemoveAsync(keys, stop);

    public bool IsReady => database.IsReady;

    public void Dispose() => _undelivered.Dispose();

    private async Task CleanAsync(CancellationToken stop)
    {
        if (_cleaned != 0 && time.GetElapsedTime(_cleaned) < CleanPeriod)
            return;
        var before = _size.Entries;
        _size = await database.CleanAsync(limitBytes, stop);
        if (_size.Entries < before)
            Interlocked.Add(ref _evictions, before - _size.Entries);
        _cleaned = time.GetTimestamp();
    }

    [LoggerMessage(5010, LogLevel.Warning, "The database's cache table can't be used for now: {Reason}")]
    private partial void LogTrouble(string reason);
}
