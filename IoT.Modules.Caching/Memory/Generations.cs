namespace IoT.Modules.Caching.Memory;

/// <summary>
/// How often what hashes to each slot was invalidated. A value remembers the sum over its slots from before it was computed. No generation
/// ever falls, so that the sum is the same only when none has changed: whatever happens between computing, keeping and finding a value, one
/// older than an invalidation is never taken for good. Nothing is kept by key; the price is that keys of one slot go together.
/// </summary>
internal sealed class Generations
{
    public const int Slots = 16_384;

    /// <summary>The slot that every value has.</summary>
    public const int Everything = 0;

    private readonly long[] _generations = new long[Slots];

    public long this[int slot] => Volatile.Read(ref _generations[slot]);

    public void Raise(int slot) => Interlocked.Increment(ref _generations[slot]);

    /// <summary>To at least that.</summary>
    public void RaiseTo(int slot, long generation)
    {
        var seen = Volatile.Read(ref _generations[slot]);
        while (generation > seen)
        {
            var before = Interlocked.CompareExchange(ref _generations[slot], generation, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    public void Set(int slot, long generation) => Volatile.Write(ref _generations[slot], generation);

    public long StampOf(int[] slots)
    {
        var stamp = 0L;
        foreach (var slot in slots)
            stamp += Volatile.Read(ref _generations[slot]);
        return stamp;
    }

    /// <summary>FNV-1a over the texts with a colon between: the same on every host, and never <see cref="Everything"/>.</summary>
    public static int SlotOf(ReadOnlySpan<char> first, ReadOnlySpan<char> second)
    {
        var hash = Mix(14_695_981_039_346_656_037, first);
        if (second.Length > 0)
            hash = Mix(Mix(hash, ":"), second);
        return 1 + (int)((hash ^ (hash >> 32)) % (Slots - 1));
    }

    private static ulong Mix(ulong hash, ReadOnlySpan<char> text)
    {
        foreach (var character in text)
            hash = (hash ^ character) * 1_099_511_628_211;
        return hash;
    }
}
