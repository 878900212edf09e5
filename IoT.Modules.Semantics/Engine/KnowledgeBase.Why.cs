using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

internal sealed partial class KnowledgeBase
{
    /// <summary>Facts in one explanation; what would be one more is there without its premises.</summary>
    private const int MostSteps = 10_000;

    /// <summary>Why a fact holds; null when it doesn't.</summary>
    public Explanation? Explain(TripleId fact)
    {
        lock (_lock)
        {
            var root = _store.Find(fact.Subject.Value, fact.Predicate.Value, fact.Object.Value);
            if (root == 0 || !_store.Rows[root].Holds)
                return null;
            var steps = new Dictionary<int, Derivation>();
            var done = new Dictionary<int, Explanation>();
            var stack = new Stack<int>([root]);
            // Without recursion: chains of derivations may be long.
            while (stack.TryPeek(out var index))
            {
                if (done.ContainsKey(index))
                {
                    stack.Pop();
                    continue;
                }
                if (!steps.TryGetValue(index, out var step))
                {
                    step = steps.Count < MostSteps ? _reasoner.Why(index) : new Derivation(index, _reasoner.Rules[_store.Rows[index].Rule], [], []);
                    steps.Add(index, step);
                    foreach (var premise in step.Premises)
                    {
                        if (!done.ContainsKey(premise))
                            stack.Push(premise);
                    }
                    if (step.Premises.Count > 0)
                        continue;
                }
                stack.Pop();
                done.Add(index, Spell(step, [.. step.Premises.Select(premise => done[premise])]));
            }
            return done[root];
        }
    }

    private Explanation Spell(Derivation step, IReadOnlyList<Explanation> premises)
    {
        ref var row = ref _store.Rows[step.Row];
        var bindings = new List<Binding>();
        if (step.Rule is { } rule)
        {
            for (var slot = 0; slot < step.Values.Length; slot++)
            {
                var name = rule.Names[slot];
                if (name.StartsWith("_:", StringComparison.Ordinal) || !rule.Shown.Contains(slot) || Terms.Kind(step.Values[slot]) == TermKind.List)
                    continue;
                bindings.Add(new Binding(name, Terms.Get(step.Values[slot])));
            }
        }
        return new Explanation(
            new Triple(Terms.Get(row.S), Terms.Get(row.P), Terms.Get(row.O)), row.Degree, row.IsAsserted, TagOf(step.Row), step.Rule?.Source.Info, bindings, premises);
    }
}
