using System.Runtime.InteropServices;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>What a transaction has come to.</summary>
internal sealed partial class Reasoner
{
    private Dictionary<int, CompiledRule>? _gone;

    /// <summary>Rules that are no longer in force, for telling what has vanished with them.</summary>
    public void Remember(IEnumerable<CompiledRule> gone) => _gone = gone.ToDictionary(rule => rule.Id);

    /// <summary>What has changed since <see cref="Begin"/>; derived facts are those that aren't asserted.</summary>
    public (List<FactChange> Derived, List<TripleId> Asserted) Changes()
    {
        if (IsManyFor(_log.Count))
            return ChangesTogether();
        var (derived, asserted) = (new List<FactChange>(), new List<TripleId>());
        derived.EnsureCapacity(Math.Min(_log.Count, (int)Math.Min(int.MaxValue, _workload.Derived + Derived)));
        foreach (ref readonly var entry in CollectionsMarshal.AsSpan(_log))
        {
            ref var row = ref store.Rows[entry.Row];
            if (entry.WasAsserted != row.IsAsserted)
                asserted.Add(new TripleId(row.S, row.P, row.O));
            if (IsOther(entry, row))
                derived.Add(ChangeOf(entry, row));
        }
        return (derived, asserted);
    }

    private (List<FactChange> Derived, List<TripleId> Asserted) ChangesTogether()
    {
        var parts = Together.Parts(options.Threads, _log.Count);
        // First how many, so that each thread knows where to write.
        var (derivedTo, assertedTo) = (new int[parts + 1], new int[parts + 1]);
        Together.Ranges(options.Threads, parts, _log.Count, (_, part, from, to) =>
        {
            foreach (ref readonly var entry in CollectionsMarshal.AsSpan(_log)[from..to])
            {
                ref var row = ref store.Rows[entry.Row];
                assertedTo[part + 1] += entry.WasAsserted != row.IsAsserted ? 1 : 0;
                derivedTo[part + 1] += IsOther(entry, row) ? 1 : 0;
            }
        });
        for (var part = 0; part < parts; part++)
        {
            derivedTo[part + 1] += derivedTo[part];
            assertedTo[part + 1] += assertedTo[part];
        }
        var (allDerived, allAsserted) = (new List<FactChange>(), new List<TripleId>());
        CollectionsMarshal.SetCount(allDerived, derivedTo[parts]);
        CollectionsMarshal.SetCount(allAsserted, assertedTo[parts]);
        Together.Ranges(options.Threads, parts, _log.Count, (_, part, from, to) =>
        {
            var derived = CollectionsMarshal.AsSpan(allDerived)[derivedTo[part]..];
            var asserted = CollectionsMarshal.AsSpan(allAsserted)[assertedTo[part]..];
            var (derivedCount, assertedCount) = (0, 0);
            foreach (ref readonly var entry in CollectionsMarshal.AsSpan(_log)[from..to])
            {
                ref var row = ref store.Rows[entry.Row];
                if (entry.WasAsserted != row.IsAsserted)
                    asserted[assertedCount++] = new TripleId(row.S, row.P, row.O);
                if (IsOther(entry, row))
                    derived[derivedCount++] = ChangeOf(entry, row);
            }
        });
        return (allDerived, allAsserted);
    }

    /// <summary>How many derived facts have appeared and vanished since <see cref="Begin"/>.</summary>
    public (long Appeared, long Vanished) Count()
    {
        var (appeared, vanished) = (0L, 0L);
        foreach (var entry in _log)
        {
            var (was, isNow) = (entry.WasDerived, store.Rows[entry.Row].IsDerived);
            appeared += isNow && !was ? 1 : 0;
            vanished += was && !isNow ? 1 : 0;
        }
        return (appeared, vanished);
    }

    /// <summary>What has changed stays.</summary>
    public void Commit()
    {
        if (IsManyFor(_log.Count))
            CommitTogether();
        else
        {
            foreach (ref readonly var entry in CollectionsMarshal.AsSpan(_log))
            {
                var (derived, asserted) = Difference(entry);
                (Derived, Asserted) = (Derived + derived, Asserted + asserted);
                if (!Keep(entry.Row))
                    store.Remove(entry.Row);
            }
        }
        EndTransaction();
    }

    private void CommitTogether()
    {
        var (allDerived, allAsserted) = (0L, 0L);
        var gone = new List<int>();
        Together.Ranges(options.Threads, _log.Count, (from, to) =>
        {
            var (derived, asserted) = (0L, 0L);
            foreach (ref readonly var entry in CollectionsMarshal.AsSpan(_log)[from..to])
            {
                var difference = Difference(entry);
                (derived, asserted) = (derived + difference.Derived, asserted + difference.Asserted);
                if (Keep(entry.Row))
                    continue;
                lock (gone)
                    gone.Add(entry.Row);
            }
            Interlocked.Add(ref allDerived, derived);
            Interlocked.Add(ref allAsserted, asserted);
        });
        (Derived, Asserted) = (Derived + allDerived, Asserted + allAsserted);
        // In an order that depends on no schedule: in this order rows are used again.
        gone.Sort();
        gone.ForEach(store.Remove);
    }

    private (int Derived, int Asserted) Difference(in LogEntry entry)
    {
        ref var row = ref store.Rows[entry.Row];
        return ((row.IsDerived ? 1 : 0) - (entry.WasDerived ? 1 : 0), (row.IsAsserted ? 1 : 0) - (entry.WasAsserted ? 1 : 0));
    }

    // False: it doesn't hold any more.
    private bool Keep(int index)
    {
        ref var row = ref store.Rows[index];
        if (!row.Holds)
            return false;
        row.Info = (row.Info & Row.AssertedMask) | Row.Old;
        return true;
    }

    // Whether what a fact is as a derived one has changed.
    private static bool IsOther(in LogEntry entry, in Row row)
    {
        var (was, isNow) = (entry.WasDerived, row.IsDerived);
        return was != isNow || (isNow && entry.Degree != row.Degree);
    }

    private FactChange ChangeOf(in LogEntry entry, in Row row)
    {
        var (was, isNow) = (entry.WasDerived, row.IsDerived);
        return new FactChange(
            new TripleId(row.S, row.P, row.O),
            !was ? ChangeKind.Appeared : !isNow ? ChangeKind.Vanished : ChangeKind.DegreeChanged,
            isNow ? row.Degree : 0,
            was ? entry.Degree : 0,
            (isNow ? Rules[row.Rule] : RuleBefore(entry.Rule))?.Source.Info);
    }

    private CompiledRule? RuleBefore(int id) => Rules[id] ?? (_gone?.GetValueOrDefault(id));
}
