using System.Runtime.InteropServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>Steps over many rows, shared among threads.</summary>
internal sealed partial class Reasoner
{
    private readonly List<Evaluator> _workers = [];
    private readonly List<List<Candidate>> _parts = [];
    private readonly List<int> _split = [];
    private readonly List<int> _added = [];

    // What is found is put together in the order of the rows: it is what one thread would have found.
    private void Evaluate(Plan plan, List<int> rows, int low, int high)
    {
        if (options.Threads > 1 && Split(plan, ref rows, high) is { } shared)
        {
            Share(shared, rows, low, high);
            return;
        }
        var evaluator = Evaluator;
        (evaluator.Low, evaluator.High) = (low, high);
        evaluator.Give(rows);
        evaluator.Run(plan);
    }

    // The plan with the rows of its first step given; null when it is too little work. A few rows may lead to many.
    private Plan? Split(Plan plan, ref List<int> rows, int high)
    {
        if (plan.Steps is not [ScanStep first, ..])
            return null;
        if (first.Access == Access.Given)
            return rows.Count > 1 && rows.Count * plan.Looks >= options.ParallelThreshold ? plan : null;
        if (!Operand.IsConstant(first.P) || plan.Looks < options.ParallelThreshold)
            return null;
        _split.Clear();
        var predicate = plan.Rule.Resolve(first.P);
        switch (first.Access)
        {
            case Access.Predicate:
                for (var row = store.PredicateHead(predicate); row != 0; row = store.Rows[row].NextP)
                    AddSeen(row);
                break;
            case Access.ObjectPredicate when Operand.IsConstant(first.O):
                for (var row = store.ByObject.Head(plan.Rule.Resolve(first.O), predicate); row != 0; row = store.Rows[row].NextPo)
                    AddSeen(row);
                break;
            default:
                return null;
        }
        if (_split.Count < 2)
            return null;
        rows = _split;
        return plan.Shared ??= new Plan(plan.Rule, plan.Goal, [first with { Access = Access.Given }, .. plan.Steps[1..]]);

        void AddSeen(int row)
        {
            if (store.Rows[row].Stamp <= high)
                _split.Add(row);
        }
    }

    private void Share(Plan plan, List<int> rows, int low, int high)
    {
        while (_workers.Count < options.Threads)
            _workers.Add(new Evaluator(store, terms, options, _workload, _compiler));
        var given = rows.ToArray();
        var parts = Math.Min(given.Length, options.Threads * Together.PartsPerThread);
        while (_parts.Count < parts)
            _parts.Add([]);
        try
        {
            Together.Ranges(options.Threads, parts, given.Length, (worker, part, from, to) =>
            {
                var evaluator = _workers[worker];
                (evaluator.Low, evaluator.High, evaluator.Given) = (low, high, given);
                evaluator.Candidates = _parts[part];
                (evaluator.GivenFrom, evaluator.GivenTo) = (from, to);
                evaluator.Run(plan);
            });
        }
        finally
        {
            foreach (var worker in _workers)
                worker.Candidates = [];
        }
    }

    private bool IsManyFor(int facts) => options.Threads > 1 && facts >= options.ParallelThreshold;

    // What has been found goes into the store.
    private void Flush(int stamp)
    {
        var count = Evaluator.Candidates.Count + _parts.Sum(part => part.Count);
        if (count == 0)
            return;
        if (IsManyFor(count))
        {
            FlushTogether(stamp);
            return;
        }
        try
        {
            var added = Flush(Evaluator.Candidates, stamp, 0);
            foreach (var part in _parts)
                added = Flush(part, stamp, added);
            _workload.CheckDerived(added);
            _workload.Derived += added;
        }
        finally
        {
            // Until here new rows are in no list.
            store.LinkSubjects(CollectionsMarshal.AsSpan(_added));
            store.LinkOthers(CollectionsMarshal.AsSpan(_added));
            _added.Clear();
        }
    }

    private int Flush(List<Candidate> candidates, int stamp, int added)
    {
        foreach (ref readonly var candidate in CollectionsMarshal.AsSpan(candidates))
        {
            var index = store.GetOrAddUnlinked(candidate.S, candidate.P, candidate.O, out var isNew);
            if (isNew)
            {
                _added.Add(index);
                if (terms.IsSweeping)
                    terms.Keep(candidate.S, candidate.P, candidate.O);
            }
            if (Raise(index, candidate, stamp) && (++added & 0xFFF) == 0)
                _workload.CheckDerived(added);
        }
        candidates.Clear();
        return added;
    }

    // Whether the fact has come to hold.
    private bool Raise(int index, in Candidate candidate, int stamp)
    {
        ref var row = ref store.Rows[index];
        if (row.Degree >= candidate.Degree)
            return false;
        Touch(index);
        var hasHeld = row.Holds;
        // Once in the list, even if the same round finds something better.
        if (row.Stamp != stamp)
            _changed.Add(index);
        Set(ref row, candidate.Degree, candidate.Rule, candidate.Witness, StampOf(index, candidate.Degree, stamp));
        return !hasHeld;
    }

    private void FlushTogether(int stamp)
    {
        List<Candidate>[] parts = [Evaluator.Candidates, .. _parts];
        var count = store.FindAll(parts, options.Threads);
        var added = count;
        var (number, changed) = (0, 0);
        Enter(
            parts,
            count,
            stamp,
            () =>
            {
                foreach (var part in parts)
                {
                    foreach (ref readonly var candidate in CollectionsMarshal.AsSpan(part))
                    {
                        if (store.Found[number++] is var index and > 0 && Raise(index, candidate, stamp) && (++added & 0xFFF) == 0)
                            _workload.CheckDerived(added);
                    }
                }
                _workload.CheckDerived(added);
                _workload.CheckMemory(count * (long)Evaluator.BytesPerCandidate);
                changed = _changed.Count;
                CollectionsMarshal.SetCount(_changed, changed + count);
            },
            rows => rows.CopyTo(CollectionsMarshal.AsSpan(_changed)[changed..]));
        _workload.Derived += added;
        foreach (var part in parts)
            part.Clear();
    }

    private void AssertNew(List<AssertedFact> facts, List<int> rows)
    {
        List<AssertedFact>[] parts = [facts];
        var count = store.FindAll(parts, options.Threads);
        Enter(
            parts,
            count,
            0,
            () =>
            {
                foreach (var index in store.Found)
                {
                    if (index <= 0)
                        continue;
                    Touch(index);
                    store.Rows[index].Info++;
                    if (Once(index) != 0)
                        rows.Add(index);
                }
                Unlist(rows);
            },
            rows.AddRange);
    }

    // What is new gets its rows, once nothing can go wrong any more, and goes to the log and into the lists.
    private void Enter<T>(List<T>[] parts, int count, int stamp, Action first, Action<int[]> told)
        where T : struct, IBulkFact<T>
    {
        int[] rows;
        var logged = 0;
        var isReady = false;
        try
        {
            first();
            rows = new int[count];
            store.MakeRoom(options.Threads);
            if (_logOf.Length < store.Rows.Length)
                Array.Resize(ref _logOf, store.Rows.Length);
            logged = _log.Count;
            CollectionsMarshal.SetCount(_log, logged + count);
            isReady = true;
        }
        finally
        {
            if (!isReady)
                store.ForgetFound(parts);
        }
        store.AddFound(parts, rows, stamp, options.Threads, (from, to) =>
        {
            var log = CollectionsMarshal.AsSpan(_log)[logged..];
            for (var i = from; i < to; i++)
            {
                _logOf[rows[i]] = logged + i;
                log[i] = new LogEntry(rows[i], Row.Hidden, 0, Row.Created, 0, 0);
            }
        });
        if (terms.IsSweeping)
        {
            foreach (var index in rows)
                terms.Keep(store.Rows[index].S, store.Rows[index].P, store.Rows[index].O);
        }
        Together.Run(2, side =>
        {
            if (side == 0)
                store.LinkSubjects(rows);
            else
                store.LinkOthers(rows);
        });
        told(rows);
    }
}
