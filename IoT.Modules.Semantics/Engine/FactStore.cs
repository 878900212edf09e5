using System.Runtime.CompilerServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// A fact, in one cache line: its terms, since when it holds, its neighbours in the lists of three indexes, and what holds it up.
/// </summary>
internal struct Row
{
    public const int Hidden = int.MaxValue;

    /// <summary><see cref="Rule"/> of what is asserted.</summary>
    public const int ByAssertion = -1;

    public const int AssertedMask = 0x00FF_FFFF;

    /// <summary>It held when the transaction began.</summary>
    public const int Old = 1 << 24;

    /// <summary>Its earlier state is in the transaction's log.</summary>
    public const int Logged = 1 << 25;

    /// <summary>It has come into the store with this transaction.</summary>
    public const int Created = 1 << 26;

    /// <summary>In the transaction's list of what is to be looked at again.</summary>
    public const int Listed = 1 << 27;

    /// <summary>A value that has taken the place of another with this transaction, or the other.</summary>
    public const int Replaced = 1 << 28;

    public int S;
    public int P;
    public int O;

    /// <summary>The step at which it came to hold, or <see cref="Hidden"/>.</summary>
    public int Stamp;
    public int NextSp;
    public int PreviousSp;
    public int NextPo;
    public int PreviousPo;
    public int NextP;
    public int PreviousP;

    /// <summary>Above 0, at most 1.</summary>
    public double Degree;

    /// <summary>Which way to satisfy the rule's body holds it up.</summary>
    public ulong Witness;

    /// <summary>The rule that holds it up.</summary>
    public int Rule;

    /// <summary>How many assert it, and flags.</summary>
    public int Info;

    public readonly bool Holds => Stamp != Hidden;

    public readonly bool Held => (Info & Old) != 0;

    public readonly bool IsAsserted => (Info & AssertedMask) != 0;

    /// <summary>It holds, and only by a rule.</summary>
    public readonly bool IsDerived => Holds && !IsAsserted;
}

/// <summary>All facts, by each combination of their terms.</summary>
internal sealed partial class FactStore
{
    private const int SmallestTrimmed = 1 << 14;

    private int _free;
    private long[] _tags = [];
    private readonly Dictionary<int, int> _predicateIndex = [];
    private PredicateList[] _predicates = new PredicateList[64];
    private int _predicateCount;

    public Row[] Rows { get; private set; } = new Row[1024];

    /// <summary>One more than the greatest row in use.</summary>
    public int Limit { get; private set; } = 1;

    /// <summary>Rows in use, those that don't hold at the moment included.</summary>
    public int Count { get; private set; }

    public PairIndex BySubject { get; } = new();

    public PairIndex ByObject { get; } = new();

    public long Bytes => (Rows.Length * 68L) + (_tags.Length * 8L) + _slots.Sum(slots => slots.Length * 8L) + BySubject.Bytes + ByObject.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(int s, int p, int o)
    {
        var hash = Hash(s, p, o);
        var (slots, rows) = (_slots[hash >> ShardShift], Rows);
        var mask = slots.Length - 1;
        for (var slot = hash & mask; ; slot = (slot + 1) & mask)
        {
            ref var entry = ref slots[slot];
            if (entry.Row == 0)
                return 0;
            if (entry.Hash != hash || entry.Row < 0)
                continue;
            ref var row = ref rows[entry.Row];
            if (row.S == s && row.P == p && row.O == o)
                return entry.Row;
        }
    }

    /// <summary>The row of a fact; a new one doesn't hold yet.</summary>
    public int GetOrAdd(int s, int p, int o, out bool isNew)
    {
        var index = GetOrAddUnlinked(s, p, o, out isNew);
        if (isNew)
        {
            LinkSubjects([index]);
            LinkOthers([index]);
        }
        return index;
    }

    /// <summary>The same; the lists learn of new ones by <see cref="LinkSubjects"/> and <see cref="LinkOthers"/>.</summary>
    public int GetOrAddUnlinked(int s, int p, int o, out bool isNew)
    {
        var found = Find(s, p, o);
        isNew = found == 0;
        return isNew ? Add(s, p, o) : found;
    }

    /// <summary>Puts new rows into the lists by subject. May run beside <see cref="LinkOthers"/>.</summary>
    public void LinkSubjects(ReadOnlySpan<int> added)
    {
        // What both threads write to is written seldom: rows of one predicate mostly come together.
        var (predicate, keys) = (0, 0);
        foreach (var index in added)
        {
            ref var row = ref Rows[index];
            if (row.P != predicate)
            {
                AddSubjects(predicate, keys);
                (predicate, keys) = (row.P, 0);
            }
            row.NextSp = BySubject.Push(row.S, row.P, index, out var isNew);
            if (isNew)
                keys++;
            if (row.NextSp != 0)
                Rows[row.NextSp].PreviousSp = index;
        }
        AddSubjects(predicate, keys);
    }

    /// <summary>Into those by object and by predicate; from behind, so that two threads seldom write to the same rows at the same time.</summary>
    public void LinkOthers(ReadOnlySpan<int> added)
    {
        ref var list = ref _predicates[0];
        var predicate = 0;
        for (var i = added.Length - 1; i >= 0; i--)
        {
            var index = added[i];
            ref var row = ref Rows[index];
            if (row.P != predicate)
            {
                list = ref _predicates[_predicateIndex[row.P]];
                predicate = row.P;
            }
            row.NextP = list.Head;
            list.Head = index;
            list.Count++;
            if (row.NextP != 0)
                Rows[row.NextP].PreviousP = index;
            row.NextPo = ByObject.Push(row.O, row.P, index, out var isNew);
            if (isNew)
                list.Objects++;
            if (row.NextPo != 0)
                Rows[row.NextPo].PreviousPo = index;
        }
    }

    private void AddSubjects(int predicate, int keys)
    {
        if (keys > 0)
            _predicates[_predicateIndex[predicate]].Subjects += keys;
    }

    /// <summary>What a row was asserted with.</summary>
    public long TagOf(int index) => index < _tags.Length ? _tags[index] : 0;

    public void SetTag(int index, long tag)
    {
        if (index >= _tags.Length)
        {
            if (tag == 0)
                return;
            Array.Resize(ref _tags, Rows.Length);
        }
        _tags[index] = tag;
    }

    /// <summary>Rows of a predicate: the first of their list.</summary>
    public int PredicateHead(int predicate) => _predicateIndex.TryGetValue(predicate, out var index) ? _predicates[index].Head : 0;

    public int PredicateCount(int predicate) => _predicateIndex.TryGetValue(predicate, out var index) ? _predicates[index].Count : 0;

    /// <summary>Different subjects with a predicate.</summary>
    public int SubjectCount(int predicate) => _predicateIndex.TryGetValue(predicate, out var index) ? _predicates[index].Subjects : 0;

    public int ObjectCount(int predicate) => _predicateIndex.TryGetValue(predicate, out var index) ? _predicates[index].Objects : 0;

    public int Predicates => Math.Max(_predicateCount, 1);

    public void Remove(int index)
    {
        ref var row = ref Rows[index];
        var hash = Hash(row.S, row.P, row.O);
        var slots = _slots[hash >> ShardShift];
        var mask = slots.Length - 1;
        var slot = hash & mask;
        while (slots[slot].Row != index)
            slot = (slot + 1) & mask;
        slots[slot].Row = -1;
        _shards[hash >> ShardShift].Live--;

        ref var list = ref _predicates[_predicateIndex[row.P]];
        if (BySubject.Remove(row.S, row.P, row.PreviousSp == 0, row.NextSp))
            list.Subjects--;
        if (row.PreviousSp != 0)
            Rows[row.PreviousSp].NextSp = row.NextSp;
        if (row.NextSp != 0)
            Rows[row.NextSp].PreviousSp = row.PreviousSp;
        if (ByObject.Remove(row.O, row.P, row.PreviousPo == 0, row.NextPo))
            list.Objects--;
        if (row.PreviousPo != 0)
            Rows[row.PreviousPo].NextPo = row.NextPo;
        if (row.NextPo != 0)
            Rows[row.NextPo].PreviousPo = row.PreviousPo;
        if (row.PreviousP != 0)
            Rows[row.PreviousP].NextP = row.NextP;
        else
            list.Head = row.NextP;
        if (row.NextP != 0)
            Rows[row.NextP].PreviousP = row.PreviousP;
        list.Count--;
        if (index < _tags.Length)
            _tags[index] = 0;
        row = new Row { Stamp = Row.Hidden, NextSp = _free };
        _free = index;
        Count--;
    }

    /// <summary>Gives memory back after much has been removed.</summary>
    public void Trim()
    {
        if (Count > Rows.Length / 4 || Rows.Length <= SmallestTrimmed)
            return;
        while (Limit > 1 && Rows[Limit - 1].S == 0)
            Limit--;
        // What was free above is gone; below, the list is made anew.
        _free = 0;
        for (var index = Limit - 1; index > 0; index--)
        {
            if (Rows[index].S != 0)
                continue;
            Rows[index].NextSp = _free;
            _free = index;
        }
        var size = SmallestTrimmed;
        while (size < Limit + 1)
            size *= 2;
        if (size < Rows.Length)
        {
            Rows = Rows.AsSpan(0, size).ToArray();
            if (_tags.Length > size)
                Array.Resize(ref _tags, size);
        }
        for (var shard = 0; shard < Shards; shard++)
            Rehash(shard, null);
        BySubject.Rehash();
        ByObject.Rehash();
    }

    private int Add(int s, int p, int o)
    {
        int index;
        if (_free != 0)
        {
            index = _free;
            _free = Rows[index].NextSp;
        }
        else
        {
            Grow(Limit + 1, 1);
            index = Limit++;
        }
        Count++;
        var hash = Hash(s, p, o);
        Place(hash, index, null);
        Rows[index] = new Row { S = s, P = p, O = o, Stamp = Row.Hidden, Info = Row.Created };
        Know(p);
        return index;
    }

    private void Know(int predicate)
    {
        if (!_predicateIndex.TryAdd(predicate, _predicateCount))
            return;
        if (++_predicateCount > _predicates.Length)
            Array.Resize(ref _predicates, _predicates.Length * 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Hash(int s, int p, int o)
    {
        var hash = ((((ulong)(uint)s << 32) | (uint)o) * 0x9E3779B97F4A7C15) ^ ((ulong)(uint)p * 0xC2B2AE3D27D4EB4F);
        hash ^= hash >> 29;
        return (int)((hash * 0xBF58476D1CE4E5B9) >> 33);
    }

    private struct PredicateList
    {
        public int Head;
        public int Count;
        public int Subjects;
        public int Objects;
    }
}
