using System.Runtime.CompilerServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>Lists of rows by two terms: where each begins and how long it is. Open addressing, linear probing; 0 is no term.</summary>
internal sealed class PairIndex
{
    private readonly Lock _lock = new();
    private Entry[] _entries = new Entry[1024];
    private int _used;
    private int _live;
    private Dictionary<int, int>? _chains;

    /// <summary>Keys with rows.</summary>
    public int Keys => _live;

    public long Bytes => _entries.Length * 20L;

    /// <summary>The first row with both terms; 0: none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Head(int first, int second)
    {
        var entries = _entries;
        var mask = entries.Length - 1;
        for (var slot = Hash(first, second) & mask; ; slot = (slot + 1) & mask)
        {
            ref var entry = ref entries[slot];
            if (entry.First == first && entry.Second == second)
                return entry.Head;
            if (entry.First == 0)
                return 0;
        }
    }

    public int Count(int first, int second)
    {
        var slot = Find(first, second);
        return slot < 0 ? 0 : _entries[slot].Count;
    }

    /// <summary>Puts a row before the others of its key; answers the one that was first. <paramref name="isNew"/>: it had none.</summary>
    public int Push(int first, int second, int row, out bool isNew)
    {
        if ((_used + 1) * 5L > _entries.Length * 3L)
            Rehash();
        var mask = _entries.Length - 1;
        var slot = Hash(first, second) & mask;
        while (true)
        {
            ref var entry = ref _entries[slot];
            if (entry.First == first && entry.Second == second)
                break;
            if (entry.First == 0)
            {
                entry = new Entry { First = first, Second = second };
                _used++;
                if (_chains is not null)
                    Chain(_chains, slot);
                break;
            }
            slot = (slot + 1) & mask;
        }
        ref var found = ref _entries[slot];
        var head = found.Head;
        found.Head = row;
        isNew = found.Count++ == 0;
        if (isNew)
            _live++;
        return head;
    }

    /// <summary>Takes a row away; <paramref name="newHead"/> when it was the first one. Whether it was the last one.</summary>
    public bool Remove(int first, int second, bool wasHead, int newHead)
    {
        ref var entry = ref _entries[Find(first, second)];
        if (wasHead)
            entry.Head = newHead;
        if (--entry.Count != 0)
            return false;
        _live--;
        return true;
    }

    /// <summary>The heads of all lists with a first term. Several threads may ask at once.</summary>
    public IEnumerable<int> Heads(int first)
    {
        var chains = Volatile.Read(ref _chains) ?? MakeChains();
        for (var slot = chains.GetValueOrDefault(first, -1); slot >= 0; slot = _entries[slot].Next)
        {
            if (_entries[slot].Head != 0)
                yield return _entries[slot].Head;
        }
    }

    private Dictionary<int, int> MakeChains()
    {
        lock (_lock)
        {
            if (_chains is { } made)
                return made;
            var chains = new Dictionary<int, int>();
            for (var slot = 0; slot < _entries.Length; slot++)
            {
                if (_entries[slot].First != 0)
                    Chain(chains, slot);
            }
            Volatile.Write(ref _chains, chains);
            return chains;
        }
    }

    private void Chain(Dictionary<int, int> chains, int slot)
    {
        ref var entry = ref _entries[slot];
        entry.Next = chains.GetValueOrDefault(entry.First, -1);
        chains[entry.First] = slot;
    }

    private int Find(int first, int second)
    {
        var mask = _entries.Length - 1;
        for (var slot = Hash(first, second) & mask; ; slot = (slot + 1) & mask)
        {
            ref var entry = ref _entries[slot];
            if (entry.First == first && entry.Second == second)
                return slot;
            if (entry.First == 0)
                return -1;
        }
    }

    /// <summary>In as much memory as it needs.</summary>
    public void Rehash()
    {
        var old = _entries;
        var size = 1024;
        while (size < _live * 4L)
            size *= 2;
        _entries = new Entry[size];
        _used = _live;
        _chains?.Clear();
        foreach (ref var entry in old.AsSpan())
        {
            if (entry.Count == 0)
                continue;
            var slot = Hash(entry.First, entry.Second) & (size - 1);
            while (_entries[slot].First != 0)
                slot = (slot + 1) & (size - 1);
            _entries[slot] = entry;
            if (_chains is not null)
                Chain(_chains, slot);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Hash(int first, int second)
    {
        var hash = (((ulong)(uint)first << 32) | (uint)second) * 0x9E3779B97F4A7C15;
        return (int)(hash >> 33);
    }

    private struct Entry
    {
        public int First;
        public int Second;
        public int Head;
        public int Count;
        public int Next;
    }
}
