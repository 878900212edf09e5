using System.Runtime.InteropServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Where a fact's row is, by a hash of its terms. The table is in shards, by the first bits of the hash, so that several threads can look
/// up and enter facts at once, each in shards of its own.
/// </summary>
internal sealed partial class FactStore
{
    private const int Shards = 16;

    /// <summary>A hash has 31 bits.</summary>
    private const int ShardShift = 27;
    private const int LeastSlots = 128;

    private readonly Slot[][] _slots = [.. Enumerable.Range(0, Shards).Select(_ => new Slot[LeastSlots])];
    private readonly Shard[] _shards = new Shard[Shards];

    private void Place(int hash, int index, int[]? found)
    {
        ref var shard = ref _shards[hash >> ShardShift];
        if ((shard.Used + 1) * 5L > _slots[hash >> ShardShift].Length * 3L)
            Rehash(hash >> ShardShift, found);
        shard.Live++;
        Settle(_slots[hash >> ShardShift], ref shard, hash, index, found);
    }

    private void Rehash(int number, int[]? found)
    {
        ref var shard = ref _shards[number];
        var old = _slots[number];
        var size = LeastSlots;
        while (size < shard.Live * 3L)
            size *= 2;
        var slots = new Slot[size];
        shard.Used = 0;
        foreach (var entry in old)
        {
            if (entry.Row is > 0 or < Gone)
                Settle(slots, ref shard, entry.Hash, entry.Row, found);
        }
        _slots[number] = slots;
    }

    // Of a fact that has no row yet it is noted where it stands.
    private static void Settle(Slot[] slots, ref Shard shard, int hash, int index, int[]? found)
    {
        var mask = slots.Length - 1;
        var slot = hash & mask;
        while (slots[slot].Row is > 0 or < Gone)
            slot = (slot + 1) & mask;
        if (slots[slot].Row == 0)
            shard.Used++;
        slots[slot] = new Slot { Hash = hash, Row = index };
        if (index < Gone)
            found![Waiting - index] = ~slot;
    }

    /// <summary><see cref="Slot.Row"/> where there was one.</summary>
    private const int Gone = -1;

    /// <summary>From here on downward: <see cref="Slot.Row"/> of a fact that waits for a row, the first, the second and so on of those that came.</summary>
    private const int Waiting = -2;

    private struct Slot
    {
        public int Hash;
        public int Row;
    }

    /// <summary>In cache lines of its own: other threads write to the neighbours.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private struct Shard
    {
        /// <summary>Slots that aren't empty, those whose row is gone included.</summary>
        public int Used;

        public int Live;
    }
}
