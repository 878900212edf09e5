using IoT.Modules.Semantics.Rules;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Puts rules into strata: each only needs what earlier ones and itself derive, and what it negates or collects is complete before.
/// One rule needs another when a condition of it can match a conclusion of the other, constants considered.
/// </summary>
internal static class Stratifier
{
    /// <summary>Numbers the strata; answers what is wrong when a rule negates or collects what depends on it.</summary>
    public static EngineError? Assign(IReadOnlyList<CompiledRule> rules, out List<Stratum> strata)
    {
        var edges = Edges(rules);
        var component = Components(rules.Count, edges, out var count);
        strata = [];
        for (var from = 0; from < rules.Count; from++)
        {
            foreach (var (to, isStrict) in edges[from])
            {
                if (isStrict && component[from] == component[to])
                    return Cycle(rules, edges, component, from, to);
            }
        }
        // Tarjan finds a component after all that it leads to: backwards they are in the order of evaluation.
        for (var i = 0; i < count; i++)
            strata.Add(new Stratum());
        for (var i = 0; i < rules.Count; i++)
        {
            rules[i].Stratum = count - 1 - component[i];
            strata[rules[i].Stratum].Rules.Add(rules[i]);
        }
        for (var from = 0; from < rules.Count; from++)
        {
            if (edges[from].Any(edge => component[edge.To] == component[from]))
                strata[rules[from].Stratum].IsRecursive = true;
        }
        return null;
    }

    public static bool CanMatch(CompiledRule rule, AtomPart pattern, CompiledRule other, AtomPart head) =>
        CanBe(rule, pattern.S, other, head.S) && CanBe(rule, pattern.P, other, head.P) && CanBe(rule, pattern.O, other, head.O);

    private static bool CanBe(CompiledRule rule, int operand, CompiledRule other, int otherOperand) =>
        !Operand.IsConstant(operand) || (Operand.IsConstant(otherOperand) ? rule.Resolve(operand) == other.Resolve(otherOperand) : !Operand.IsSkolem(otherOperand));

    private static List<(int To, bool IsStrict)>[] Edges(IReadOnlyList<CompiledRule> rules)
    {
        var readers = new Dictionary<int, List<(int Rule, AtomPart Atom, bool IsStrict)>>();
        for (var i = 0; i < rules.Count; i++)
        {
            foreach (var (atom, isStrict) in Atoms(rules[i].Body, false))
            {
                var key = Operand.IsConstant(atom.P) ? rules[i].Resolve(atom.P) : 0;
                if (!readers.TryGetValue(key, out var list))
                    readers.Add(key, list = []);
                list.Add((i, atom, isStrict));
            }
        }
        var edges = new List<(int, bool)>[rules.Count];
        for (var i = 0; i < rules.Count; i++)
        {
            var found = new Dictionary<int, bool>();
            foreach (var head in rules[i].Heads)
            {
                IEnumerable<(int Rule, AtomPart Atom, bool IsStrict)> candidates = Operand.IsConstant(head.P)
                    ? readers.GetValueOrDefault(rules[i].Resolve(head.P), []).Concat(readers.GetValueOrDefault(0, []))
                    : readers.Values.SelectMany(list => list);
                foreach (var (reader, atom, isStrict) in candidates)
                {
                    if (CanMatch(rules[reader], atom, rules[i], head))
                        found[reader] = found.GetValueOrDefault(reader) || isStrict;
                }
            }
            edges[i] = [.. found.Select(pair => (pair.Key, pair.Value))];
        }
        return edges;
    }

    private static IEnumerable<(AtomPart Atom, bool IsStrict)> Atoms(IEnumerable<CompiledPart> parts, bool isStrict) => parts.SelectMany(part => part switch
    {
        AtomPart atom => [(atom, isStrict)],
        AbsentPart absent => Atoms(absent.Parts, true),
        GatherPart gather => Atoms(gather.Parts, true),
        WalkPart walk => [(walk.First, isStrict), (walk.Rest, isStrict)],
        _ => [],
    });

    // Tarjan's algorithm with a stack of its own: chains of rules may be long.
    private static int[] Components(int nodes, List<(int To, bool IsStrict)>[] edges, out int count)
    {
        var (component, index, low) = (new int[nodes], new int[nodes], new int[nodes]);
        Array.Fill(component, -1);
        var (stack, calls) = (new Stack<int>(), new Stack<(int Node, int Edge)>());
        var next = 1;
        count = 0;
        for (var root = 0; root < nodes; root++)
        {
            if (index[root] != 0)
                continue;
            calls.Push((root, 0));
            while (calls.Count > 0)
            {
                var (node, edge) = calls.Pop();
                if (edge == 0)
                {
                    index[node] = low[node] = next++;
                    stack.Push(node);
                }
                else
                    low[node] = Math.Min(low[node], low[edges[node][edge - 1].To]);
                while (edge < edges[node].Count)
                {
                    var to = edges[node][edge].To;
                    if (index[to] == 0)
                        break;
                    if (component[to] < 0)
                        low[node] = Math.Min(low[node], index[to]);
                    edge++;
                }
                if (edge < edges[node].Count)
                {
                    calls.Push((node, edge + 1));
                    calls.Push((edges[node][edge].To, 0));
                    continue;
                }
                if (low[node] != index[node])
                    continue;
                int member;
                do
                {
                    member = stack.Pop();
                    component[member] = count;
                }
                while (member != node);
                count++;
            }
        }
        return component;
    }

    private static EngineError Cycle(IReadOnlyList<CompiledRule> rules, List<(int To, bool IsStrict)>[] edges, int[] component, int from, int to)
    {
        // The shortest way back from the rule that negates to the one whose conclusion it negates.
        var before = new Dictionary<int, int> { [to] = -1 };
        var queue = new Queue<int>([to]);
        while (queue.TryDequeue(out var node) && node != from)
        {
            foreach (var (next, _) in edges[node])
            {
                if (component[next] == component[from] && before.TryAdd(next, node))
                    queue.Enqueue(next);
            }
        }
        var path = new List<string>();
        for (var node = from; node != -1; node = before[node])
            path.Add(Name(node));
        path.Reverse();
        path.Add(Name(to));
        var rule = rules[to].Source;
        return new EngineError(
            EngineErrorKind.NotStratified,
            $"the rules are not stratified: '{rule.Name}' negates or collects what depends on itself: {string.Join(" -> ", path)}",
            rule.Line,
            rule.Column) { Document = rule.Document };

        string Name(int index) => $"'{rules[index].Source.Name}'";
    }
}

/// <summary>Rules that are evaluated together.</summary>
internal sealed class Stratum
{
    public List<CompiledRule> Rules { get; } = [];

    /// <summary>One of its rules needs what one of them derives.</summary>
    public bool IsRecursive { get; set; }

    /// <summary>Rows whose support may be found among the conclusions of these rules.</summary>
    public List<int> Retries { get; } = [];
}
