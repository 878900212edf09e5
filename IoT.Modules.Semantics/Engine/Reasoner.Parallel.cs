using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>Steps over many rows, shared among threads.</summary>
internal sealed partial class Reasoner
{
    /// <summary>Parts are taken one after the other by whoever is free: some are more work than others.</summary>
    private const int PartsPerThread = 8;

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

    // The plan with the rows of its first step given; null when they are too few.
    private Plan? Split(Plan plan, ref List<int> rows, int high)
    {
        if (plan.Steps is not [ScanStep first, ..])
            return null;
        if (first.Access == Access.Given)
            return rows.Count >= options.ParallelThreshold ? plan : null;
        if (!Operand.IsConstant(first.P) || store.PredicateCount(plan.Rule.Resolve(first.P)) < options.ParallelThreshold)
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
        if (_split.Count < options.ParallelThreshold)
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
        var parts = Math.Min(given.Length, options.Threads * PartsPerThread);
        while (_parts.Count < parts)
            _parts.Add([]);
        var next = -1;
        try
        {
            Parallel.For(0, options.Threads, new ParallelOptions { MaxDegreeOfParallelism = options.Threads }, worker =>
            {
                var evaluator = _workers[worker];
                (evaluator.Low, evaluator.High, evaluator.Given) = (low, high, given);
                while (Interlocked.Increment(ref next) is var part && part < parts)
                {
                    evaluator.Candidates = _parts[part];
                    evaluator.GivenFrom = (int)((long)given.Length * part / parts);
                    evaluator.GivenTo = (int)((long)given.Length * (part + 1) / parts);
                    evaluator.Run(plan);
                }
            });
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
        finally
        {
            foreach (var worker in _workers)
                worker.Candidates = [];
        }
    }

    // What has been found goes into the store.
    private void Flush(int stamp)
    {
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
            LinkAdded();
        }
    }

    // Until here new rows are in no list but that of their predicate.
    private void LinkAdded()
    {
        if (options.Threads > 1 && _added.Count >= options.ParallelThreshold)
            Parallel.Invoke(() => store.LinkSubjects(CollectionsMarshal.AsSpan(_added)), () => store.LinkObjects(CollectionsMarshal.AsSpan(_added)));
        else
        {
            store.LinkSubjects(CollectionsMarshal.AsSpan(_added));
            store.LinkObjects(CollectionsMarshal.AsSpan(_added));
        }
        _added.Clear();
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
            ref var row = ref store.Rows[index];
            if (row.Degree >= candidate.Degree)
                continue;
            Touch(index);
            if (!row.Holds && (++added & 0xFFF) == 0)
                _workload.CheckDerived(added);
            // Once in the list, even if the same round finds something better.
            if (row.Stamp != stamp)
                _changed.Add(index);
            Set(ref row, candidate.Degree, candidate.Rule, candidate.Witness, StampOf(index, candidate.Degree, stamp));
        }
        candidates.Clear();
        return added;
    }
}
