namespace IoT.Modules.Caching.Memory;

/// <summary>
/// Invalidations that a lower level has not been told of: while a slot has one, this host takes nothing of it from there. However many there
/// are, it is one number a slot.
/// </summary>
internal sealed class Undelivered : IDisposable
{
    private readonly int[] _counts = new int[Generations.Slots];
    private readonly SemaphoreSlim _signal = new(0);
    private int _isSignalled;

    public void Add(int slot)
    {
        Interlocked.Increment(ref _counts[slot]);
        Signal();
    }

    public bool HasAny(int[] slots)
    {
        foreach (var slot in slots)
        {
            if (Volatile.Read(ref _counts[slot]) != 0)
                return true;
        }
        return false;
    }

    /// <summary>The slots, with how many each has had by now.</summary>
    public List<(int Slot, int Count)> Take(int most)
    {
        var taken = new List<(int, int)>();
        for (var slot = 0; slot < _counts.Length && taken.Count < most; slot++)
        {
            if (Volatile.Read(ref _counts[slot]) is var count and > 0)
                taken.Add((slot, count));
        }
        return taken;
    }

    /// <summary>After they were told, and what was answered has been taken in.</summary>
    public void Delivered(IEnumerable<(int Slot, int Count)> slots)
    {
        foreach (var (slot, count) in slots)
            Interlocked.Add(ref _counts[slot], -count);
    }

    public int Count => _counts.Count(count => count > 0);

    public void Signal()
    {
        if (Interlocked.Exchange(ref _isSignalled, 1) == 0)
            _signal.Release();
    }

    /// <summary>Returns when there may be something new, or after that time.</summary>
    public async Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        await _signal.WaitAsync(longest, cancellationToken);
        Volatile.Write(ref _isSignalled, 0);
    }

    public void Dispose() => _signal.Dispose();
}
