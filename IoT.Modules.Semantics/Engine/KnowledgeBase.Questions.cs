using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

internal sealed partial class KnowledgeBase
{
    /// <summary>Facts that match; a term that is none matches any.</summary>
    public FactSnapshot Query(TermId subject = default, TermId predicate = default, TermId @object = default, FactKind kind = FactKind.All)
    {
        lock (_lock)
        {
            var rows = new List<FactRow>();
            foreach (var index in Matching(subject.Value, predicate.Value, @object.Value))
            {
                ref var row = ref _store.Rows[index];
                if (!row.Holds || (kind == FactKind.Asserted && !row.IsAsserted) || (kind == FactKind.Derived && row.IsAsserted))
                    continue;
                rows.Add(new FactRow(new TripleId(row.S, row.P, row.O), row.IsAsserted, row.Degree, RuleOf(row)));
            }
            return new FactSnapshot(rows, Terms.Lease());
        }
    }

    public FactState Find(TripleId fact)
    {
        lock (_lock)
        {
            var index = _store.Find(fact.Subject.Value, fact.Predicate.Value, fact.Object.Value);
            if (index == 0 || !_store.Rows[index].Holds)
                return default;
            ref var row = ref _store.Rows[index];
            return new FactState(true, row.IsAsserted, row.Degree, RuleOf(row), TagOf(index));
        }
    }

    private Rules.RuleInfo? RuleOf(in Row row) => row.IsAsserted ? null : _reasoner.Rules[row.Rule]?.Source.Info;

    private long TagOf(int row) => _store.Rows[row].IsAsserted ? _store.TagOf(row) : 0;

    private IEnumerable<int> Matching(int s, int p, int o)
    {
        if (s != 0 && p != 0 && o != 0)
        {
            if (_store.Find(s, p, o) is var found and not 0)
                yield return found;
        }
        else if (s != 0)
        {
            foreach (var head in p != 0 ? [_store.BySubject.Head(s, p)] : _store.BySubject.Heads(s))
            {
                for (var row = head; row != 0; row = _store.Rows[row].NextSp)
                {
                    if (o == 0 || _store.Rows[row].O == o)
                        yield return row;
                }
            }
        }
        else if (o != 0)
        {
            foreach (var head in p != 0 ? [_store.ByObject.Head(o, p)] : _store.ByObject.Heads(o))
            {
                for (var row = head; row != 0; row = _store.Rows[row].NextPo)
                    yield return row;
            }
        }
        else if (p != 0)
        {
            for (var row = _store.PredicateHead(p); row != 0; row = _store.Rows[row].NextP)
                yield return row;
        }
        else
        {
            for (var row = 1; row < _store.Limit; row++)
            {
                if (_store.Rows[row].S != 0)
                    yield return row;
            }
        }
    }
}
