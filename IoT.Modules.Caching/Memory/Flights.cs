using System.Collections.Concurrent;

namespace IoT.Modules.Caching.Memory;

/// <summary>The computations that run, by key: as many as there are requests that wait for them, at most.</summary>
internal sealed class Flights
{
    private readonly ConcurrentDictionary<string, Flight> _running = new(StringComparer.Ordinal);
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public Flight? Find(string key) => _running.GetValueOrDefault(key);

    /// <summary>False: another has begun meanwhile, of the same generations. One of older ones goes on for those who wait for it, and is found no more.</summary>
    public bool TryBegin(Flight flight, Generations generations)
    {
        while (true)
        {
            if (_running.TryAdd(flight.Key, flight))
                break;
            if (!_running.TryGetValue(flight.Key, out var other))
                continue;
            if (!other.Abandoned.IsCancellationRequested && generations.StampOf(other.Slots) == other.Stamp)
                return false;
            if (_running.TryUpdate(flight.Key, flight, other))
                break;
        }
        Interlocked.Increment(ref _count);
        return true;
    }

    public void End(Flight flight)
    {
        if (!flight.TryEnd())
            return;
        Interlocked.Decrement(ref _count);
        _running.TryRemove(new KeyValuePair<string, Flight>(flight.Key, flight));
    }

    public List<string> KeysFrom(string prefix) => [.. _running.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal))];
}
