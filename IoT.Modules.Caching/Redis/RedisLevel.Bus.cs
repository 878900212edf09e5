using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using IoT.Modules.Caching.Memory;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace IoT.Modules.Caching.Redis;

/// <summary>Connecting, probing, and keeping the copy of the generations.</summary>
internal sealed partial class RedisLevel
{
    private const int SlotsPerCall = 1_000;
    private const string EpochField = "epoch";
    private const string CountField = "count";

    /// <summary>The epoch, making one where there is none, then every generation.</summary>
    private const string ReadAll =
        """
        redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
        return redis.call('HGETALL', KEYS[1])
        """;

    /// <summary>Raises generations and tells everybody: all or nothing. Answers epoch, count, then a generation for each slot.</summary>
    private const string RaiseAll =
        """
        redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
        local answer = { redis.call('HGET', KEYS[1], 'epoch'), redis.call('HINCRBY', KEYS[1], 'count', 1) }
        local news = {}
        for i = 4, #ARGV do
            local generation = redis.call('HINCRBY', KEYS[1], ARGV[i], 1)
            answer[#answer + 1] = generation
            news[#news + 1] = ARGV[i] .. ':' .. string.format('%.0f', generation)
        end
        redis.call('PUBLISH', ARGV[3], ARGV[2] .. ' ' .. answer[1] .. ' ' .. string.format('%.0f', answer[2]) .. ' ' .. table.concat(news, ','))
        return answer
        """;

    private static readonly TimeSpan ProbePeriod = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(1);

    private readonly RedisKey _hash;
    private readonly RedisChannel _channel;
    private readonly string _self = Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
    private string _token = "";
    private long _count;
    private volatile bool _isBehind = true;

    /// <summary>Until it is cancelled. Connects, delivers, probes; nothing that Redis does ends it.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await TurnAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                _isBehind = true;
                Open(Reason(exception));
                await Task.Delay(ProbePeriod, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>One last try to deliver what is undelivered.</summary>
    public async Task FlushAsync(CancellationToken stop)
    {
        if (_isClosed)
            await DeliverAsync(stop);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
            await _connection.DisposeAsync();
        _undelivered.Dispose();
    }

    private async Task TurnAsync(CancellationToken stop)
    {
        if (_connection is null)
            await ConnectAsync();
        if (!_isClosed || _isBehind || await HasMissedAsync(stop))
        {
            // As quick as requests expect it, before they are let at it again.
            if (!_isClosed)
                await _database!.PingAsync().WaitAsync(_patience, _time, stop);
            await CatchUpAsync(stop);
        }
        var started = _time.GetTimestamp();
        do
        {
            await DeliverAsync(stop);
            Close();
            await _undelivered.WaitAsync(ProbePeriod, stop);
        }
        while (_isClosed && !_isBehind && _time.GetElapsedTime(started) < ProbePeriod);
        if (!_isClosed)
            await Task.Delay(ProbePeriod, _time, stop);
    }

    private async Task ConnectAsync()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(_options);
        connection.ConnectionFailed += (_, failed) =>
        {
            _isBehind = true;
            Open(failed.Exception is { } exception ? Reason(exception) : "the connection is lost");
        };
        // What was published meanwhile is lost; the copy has to be read anew.
        connection.ConnectionRestored += (_, _) => Behind();
        (_connection, _database) = (connection, connection.GetDatabase());
        await connection.GetSubscriber().SubscribeAsync(_channel, (_, message) => Hear(message.ToString()));
    }

    private void Behind()
    {
        _isBehind = true;
        _undelivered.Signal();
    }

    /// <summary>Whether more was raised than this host has heard of.</summary>
    private async Task<bool> HasMissedAsync(CancellationToken stop)
    {
        var now = await AskAsync(database => database.HashGetAsync(_hash, [EpochField, CountField]), stop);
        return now[0] != _token || (long)now[1] != Volatile.Read(ref _count);
    }

    /// <summary>Reads every generation. Of the same epoch, those that have risen take their values with them; of another, all go.</summary>
    private async Task CatchUpAsync(CancellationToken stop)
    {
        _isBehind = false;
        var database = _database!;
        var info = (string?)await AskAsync(_ => database.ExecuteAsync("INFO", "server"), stop) ?? "";
        var run = info.Split('\n').FirstOrDefault(line => line.StartsWith("run_id:", StringComparison.Ordinal)) ?? "";
        var pairs = (RedisResult[])(await AskAsync(_ => database.ScriptEvaluateAsync(ReadAll, [_hash], [NewToken()]), stop))!;
        var (token, count) = ("", 0L);
        var generations = new Dictionary<int, long>();
        for (var i = 0; i + 1 < pairs.Length; i += 2)
        {
            switch ((string?)pairs[i])
            {
                case EpochField: token = (string?)pairs[i + 1] ?? ""; break;
                case CountField: count = (long)pairs[i + 1]; break;
                case var slot: generations[int.Parse(slot!, CultureInfo.InvariantCulture)] = (long)pairs[i + 1]; break;
            }
        }
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{run} {token}"), hash);
        var epoch = BinaryPrimitives.ReadInt64LittleEndian(hash);
        if (epoch == Epoch)
        {
            foreach (var (slot, generation) in generations)
            {
                if (generation > _shared[slot])
                    Raised(slot, generation);
            }
        }
        else
        {
            // The copy first, the epoch after it: whoever sees this epoch sees its generations.
            for (var slot = 0; slot < Generations.Slots; slot++)
                _shared.Set(slot, generations.GetValueOrDefault(slot));
            Volatile.Write(ref _epoch, epoch);
            _local.Raise(Generations.Everything);
        }
        Volatile.Write(ref _count, count);
        _token = token;
    }

    private async Task DeliverAsync(CancellationToken stop)
    {
        while (_undelivered.Take(SlotsPerCall) is { Count: > 0 } slots)
        {
            RedisValue[] arguments = [NewToken(), _self, _channel.ToString(), .. slots.Select(s => (RedisValue)s.Slot)];
            var answer = (RedisResult[])(await AskAsync(database => database.ScriptEvaluateAsync(RaiseAll, [_hash], arguments), stop))!;
            if ((string?)answer[0] != _token)
            {
                // Flushed meanwhile: these generations are of an epoch that this host has not read yet.
                Behind();
                await CatchUpAsync(stop);
            }
            else
            {
                for (var i = 0; i < slots.Count; i++)
                    _shared.RaiseTo(slots[i].Slot, (long)answer[i + 2]);
                CountTo((long)answer[1]);
            }
            _undelivered.Delivered(slots);
        }
    }

    /// <summary>Counts that come one after the other are known; a gap is found by the probe.</summary>
    private void CountTo(long count) => Interlocked.CompareExchange(ref _count, count, count - 1);

    /// <summary>Host, epoch, count, then slot:generation,… or, instead of those, * and a prefix.</summary>
    private void Hear(string message)
    {
        var parts = message.Split(' ', 4);
        if (parts.Length != 4 || parts[0] == _self)
            return;
        if (parts[3].StartsWith('*'))
        {
            PrefixDropped?.Invoke(parts[3][1..]);
            return;
        }
        if (parts[1] != _token || !long.TryParse(parts[2], CultureInfo.InvariantCulture, out var count))
        {
            Behind();
            return;
        }
        foreach (var raised in parts[3].Split(','))
        {
            var pair = raised.Split(':');
            if (pair.Length == 2 && int.TryParse(pair[0], CultureInfo.InvariantCulture, out var slot) && slot is >= 0 and < Generations.Slots
                && long.TryParse(pair[1], CultureInfo.InvariantCulture, out var generation))
                Raised(slot, generation);
        }
        CountTo(count);
    }

    /// <summary>The copy before this host's own: whoever sees the latter risen sees the former risen.</summary>
    private void Raised(int slot, long generation)
    {
        _shared.RaiseTo(slot, generation);
        _local.Raise(slot);
    }

    /// <summary>Removes values from Redis and tells the other hosts. Null while it is away.</summary>
    public async Task<IReadOnlyList<string>?> DropAsync(string prefix, CancellationToken stop)
    {
        if (!_isClosed || _connection is not { } connection || _database is not { } database)
            return null;
        try
        {
            var start = _values.ToString();
            var dropped = new List<string>();
            foreach (var server in connection.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
            {
                await foreach (var key in server.KeysAsync(database.Database, Escape(start + prefix) + "*", pageSize: 1_000).WithCancellation(stop))
                {
                    dropped.Add(key.ToString()[start.Length..]);
                    if (dropped.Count == MostKeysDropped)
                        break;
                }
            }
            foreach (var chunk in dropped.Chunk(1_000))
                await AskAsync(d => d.KeyDeleteAsync([.. chunk.Select(key => _values.Append(key))]), stop);
            await AskAsync(d => d.PublishAsync(_channel, $"{_self} {_token} 0 *{prefix}"), stop);
            return dropped;
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            Failed(exception);
            return null;
        }
    }

    private static string Escape(string text) => string.Concat(text.Select(c => c is '*' or '?' or '[' or ']' or '\\' or '^' ? $"\\{c}" : c.ToString()));

    private async Task<T> AskAsync<T>(Func<IDatabase, Task<T>> ask, CancellationToken stop) => await ask(_database!).WaitAsync(ProbePatience, _time, stop);

    private static string NewToken() => Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
}
