using System.Runtime.InteropServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>What may become a row, one of many.</summary>
internal interface IBulkFact<TSelf>
    where TSelf : struct, IBulkFact<TSelf>
{
    int Subject { get; }

    int Predicate { get; }

    int Object { get; }

    /// <summary>Whether it says more than the row that there is.</summary>
    bool IsNews(in Row row);

    /// <summary>The same fact has come again.</summary>
    void Join(in TSelf again);

    /// <summary>The row that it becomes, in the transaction's log already.</summary>
    Row AsRow(int stamp);
}

/// <summary>
/// Many facts at once, by several threads, with the same outcome whatever the schedule. First each thread looks up or enters the facts
/// that fall to its shards; then what is new gets its rows, in the order in which it came.
/// </summary>
internal sealed partial class FactStore
{
    private const int LargestIdle = 1 << 16;

    private int[] _found = [];
    private int[] _came = [];
    private int[] _offsets = [];
    private int _coming;

    /// <summary>
    /// Of each fact that has come: the row that there is, if the fact is news to it; 0: nothing is to be done; below 0: it is new, and
    /// waits for <see cref="AddFound"/> or <see cref="ForgetFound"/>.
    /// </summary>
    public ReadOnlySpan<int> Found => _found.AsSpan(0, _offsets[^1]);

    /// <summary>Looks up facts, and enters what is new; how much that is.</summary>
    public int FindAll<T>(List<T>[] parts, int threads)
        where T : struct, IBulkFact<T>
    {
        _offsets = new int[parts.Length + 1];
        for (var part = 0; part < parts.Length; part++)
            _offsets[part + 1] = _offsets[part] + parts[part].Count;
        var count = _offsets[^1];
        if (_found.Length < count)
            (_found, _came) = (GC.AllocateUninitializedArray<int>(count), GC.AllocateUninitializedArray<int>(count));
        var workers = Math.Min(threads, Shards);
        Together.Run(workers, worker =>
        {
            for (var part = 0; part < parts.Length; part++)
                FindAll(parts, part, worker, workers);
        });
        _coming = 0;
        for (var i = 0; i < count; i++)
        {
            if (_found[i] < 0)
                _came[_coming++] = i;
        }
        return _coming;
    }

    private void FindAll<T>(List<T>[] parts, int part, int worker, int workers)
        where T : struct, IBulkFact<T>
    {
        var facts = CollectionsMarshal.AsSpan(parts[part]);
        for (var i = 0; i < facts.Length; i++)
        {
            ref var fact = ref facts[i];
            var hash = Hash(fact.Subject, fact.Predicate, fact.Object);
            // The thread that has a fact's shard has all facts that are the same.
            if ((hash >> ShardShift) * workers / Shards == worker)
                FindOrEnter(parts, in fact, hash, _offsets[part] + i);
        }
    }

    private void FindOrEnter<T>(List<T>[] parts, in T fact, int hash, int number)
        where T : struct, IBulkFact<T>
    {
        var slots = _slots[hash >> ShardShift];
        var mask = slots.Length - 1;
        for (var slot = hash & mask; slots[slot].Row != 0; slot = (slot + 1) & mask)
        {
            var entry = slots[slot];
            if (entry.Hash != hash || entry.Row == Gone)
                continue;
            if (entry.Row > 0)
            {
                ref var row = ref Rows[entry.Row];
                if (row.S != fact.Subject || row.P != fact.Predicate || row.O != fact.Object)
                    continue;
                _found[number] = fact.IsNews(row) ? entry.Row : 0;
                return;
            }
            ref var first = ref At(parts, Waiting - entry.Row);
            if (first.Subject != fact.Subject || first.Predicate != fact.Predicate || first.Object != fact.Object)
                continue;
            first.Join(fact);
            _found[number] = 0;
            return;
        }
        Place(hash, Waiting - number, _found);
    }

    private ref T At<T>(List<T>[] parts, int number)
    {
        var part = PartOf(number);
        return ref At(parts, number, ref part);
    }

    // The part is that of a smaller number, or the same.
    private ref T At<T>(List<T>[] parts, int number, scoped ref int part)
    {
        while (_offsets[part + 1] <= number)
            part++;
        return ref CollectionsMarshal.AsSpan(parts[part])[number - _offsets[part]];
    }

    // Or an empty one before it.
    private int PartOf(int number)
    {
        var part = Array.BinarySearch(_offsets, number);
        return part < 0 ? ~part - 1 : part;
    }

    /// <summary>Room for what is new, so that nothing can go wrong any more.</summary>
    public void MakeRoom(int threads) => Grow(Limit + _coming, threads);

    /// <summary>
    /// Gives what is new its rows. No list has them until <see cref="LinkSubjects"/> and <see cref="LinkOthers"/>.
    /// </summary>
    /// <param name="rows">Gets them, in the order in which they came.</param>
    /// <param name="told">Is called with ranges of <paramref name="rows"/> that are there, by several threads.</param>
    public void AddFound<T>(List<T>[] parts, int[] rows, int stamp, int threads, Action<int, int> told)
        where T : struct, IBulkFact<T>
    {
        var free = 0;
        for (; _free != 0 && free < _coming; free++)
        {
            rows[free] = _free;
            _free = Rows[_free].NextSp;
        }
        var first = Limit;
        Limit += _coming - free;
        Count += _coming;
        var predicates = new HashSet<int>();
        Together.Ranges(threads, _coming, (from, to) =>
        {
            var (predicate, part) = (0, from == to ? 0 : PartOf(_came[from]));
            for (var i = from; i < to; i++)
            {
                var number = _came[i];
                ref var fact = ref At(parts, number, ref part);
                if (i >= free)
                    rows[i] = first + i - free;
                Rows[rows[i]] = fact.AsRow(stamp);
                _slots[Hash(fact.Subject, fact.Predicate, fact.Object) >> ShardShift][~_found[number]].Row = rows[i];
                if (fact.Predicate == predicate)
                    continue;
                predicate = fact.Predicate;
                lock (predicates)
                    predicates.Add(predicate);
            }
            told(from, to);
        });
        foreach (var predicate in predicates)
            Know(predicate);
        LetGo();
    }

    /// <summary>Nothing new has come.</summary>
    public void ForgetFound<T>(List<T>[] parts)
        where T : struct, IBulkFact<T>
    {
        for (var i = 0; i < _coming; i++)
        {
            ref var fact = ref At(parts, _came[i]);
            var shard = Hash(fact.Subject, fact.Predicate, fact.Object) >> ShardShift;
            _slots[shard][~_found[_came[i]]].Row = Gone;
            _shards[shard].Live--;
        }
        LetGo();
    }

    private void LetGo()
    {
        _coming = 0;
        if (_found.Length > LargestIdle)
            (_found, _came) = ([], []);
    }

    private void Grow(int limit, int threads)
    {
        if (limit <= Rows.Length)
            return;
        var size = Rows.Length;
        while (size < limit)
            size *= 2;
        var (old, rows, used) = (Rows, GC.AllocateUninitializedArray<Row>(size), Math.Min(Limit, Rows.Length));
        Together.Ranges(used < LargestIdle ? 1 : threads, used, (from, to) => Array.Copy(old, from, rows, from, to - from));
        Rows = rows;
    }
}
