using System.Globalization;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics.Proof;

/// <summary>
/// What follows from facts, worked out as plainly as possible: every rule over all facts, again and again until nothing is new, one
/// level of rules after the other. Shares nothing with the engine but the form of rules. Integers are the only numbers it knows.
/// </summary>
internal sealed class ReferenceReasoner(bool product)
{
    private readonly Dictionary<Triple, double> _facts = [];
    private Dictionary<string, List<(Triple Fact, double Degree)>> _byPredicate = [];

    /// <summary>All facts with their degrees.</summary>
    /// <param name="levels">Rules in the order in which they need one another; those that negate or collect come after what they look at.</param>
    public static Dictionary<Triple, double> Run(IEnumerable<Triple> asserted, IEnumerable<IReadOnlyList<Rule>> levels, bool product)
    {
        var reasoner = new ReferenceReasoner(product);
        foreach (var fact in asserted)
            reasoner._facts[fact] = 1;
        foreach (var level in levels)
            reasoner.Saturate(level);
        return reasoner._facts;
    }

    /// <summary>Whether the conditions hold in these facts with these values, and in which degree; null when they don't.</summary>
    public static double? Holds(IReadOnlyDictionary<Triple, double> facts, IReadOnlyList<BodyPart> body, Dictionary<string, object> bindings, bool product)
    {
        var reasoner = new ReferenceReasoner(product);
        foreach (var (fact, degree) in facts)
            reasoner._facts[fact] = degree;
        reasoner.Index();
        double? best = null;
        foreach (var (_, degree) in reasoner.Solve(Ordered(body, bindings.Keys), 0, bindings, 1))
            best = Math.Max(best ?? 0, degree);
        return best;
    }

    private void Saturate(IReadOnlyList<Rule> rules)
    {
        bool isNew;
        do
        {
            isNew = false;
            Index();
            foreach (var rule in rules)
            {
                foreach (var (bindings, degree) in Solve(Ordered(rule.Body, []), 0, [], 1).ToList())
                {
                    foreach (var head in rule.Head)
                    {
                        var fact = new Triple((Term)Value(head.Subject, bindings)!, (Term)Value(head.Predicate, bindings)!, (Term)Value(head.Object, bindings)!);
                        var found = Combine(degree, rule.Confidence);
                        if (fact.Subject.Kind == TermKind.Literal || found <= _facts.GetValueOrDefault(fact))
                            continue;
                        _facts[fact] = found;
                        isNew = true;
                    }
                }
            }
        }
        while (isNew);
    }

    private void Index() => _byPredicate = _facts.GroupBy(pair => pair.Key.Predicate.Value).ToDictionary(group => group.Key, group => group.Select(pair => (pair.Key, pair.Value)).ToList());

    // Patterns in the order of writing, everything else as soon as its variables have values.
    private static List<BodyPart> Ordered(IReadOnlyList<BodyPart> parts, IEnumerable<string> bound)
    {
        var known = new HashSet<string>(bound);
        var waiting = parts.ToList();
        var ordered = new List<BodyPart>();
        var outside = RuleSafety.Outside(parts, known.ToList());
        while (waiting.Count > 0)
        {
            var next = waiting.Find(part => part is not PatternPart && RuleSafety.Needs(part, known, outside).All(known.Contains) && (part is BuiltinPart || waiting.TrueForAll(other => other is not PatternPart)))
                ?? waiting.Find(part => part is PatternPart) ?? throw new InvalidOperationException("No order of the conditions.");
            waiting.Remove(next);
            ordered.Add(next);
            known.UnionWith(RuleSafety.Gives(next));
        }
        return ordered;
    }

    private IEnumerable<(Dictionary<string, object> Bindings, double Degree)> Solve(List<BodyPart> parts, int index, Dictionary<string, object> bindings, double degree)
    {
        if (index == parts.Count)
        {
            yield return (new(bindings), degree);
            yield break;
        }
        foreach (var (next, with) in Apply(parts[index], bindings))
        {
            foreach (var solution in Solve(parts, index + 1, next, Combine(degree, with)))
                yield return solution;
        }
    }

    private IEnumerable<(Dictionary<string, object> Bindings, double Degree)> Apply(BodyPart part, Dictionary<string, object> bindings)
    {
        switch (part)
        {
            case PatternPart { Pattern: var pattern }:
                var candidates = Value(pattern.Predicate, bindings) is Term predicate ? _byPredicate.GetValueOrDefault(predicate.Value, []) : _facts.Select(pair => (pair.Key, pair.Value));
                foreach (var (fact, degree) in candidates)
                {
                    if (Match(pattern.Subject, fact.Subject, bindings) is { } a && Match(pattern.Predicate, fact.Predicate, a) is { } b && Match(pattern.Object, fact.Object, b) is { } c)
                        yield return (c, degree);
                }
                break;
            case NegationPart negation:
                if (!Solve(Ordered(negation.Parts, bindings.Keys), 0, Within(bindings), 1).Any())
                    yield return (bindings, 1);
                break;
            case CollectPart collect:
                var solutions = Solve(Ordered(collect.Parts, bindings.Keys), 0, Within(bindings), 1).ToList();
                var list = solutions.Select(solution => (Term)Value(collect.Template, solution.Bindings)!).OrderBy(term => term.Value, StringComparer.Ordinal).ToList();
                yield return (With(bindings, collect.List.Name, list), solutions.Aggregate(1.0, (degree, solution) => Combine(degree, solution.Degree)));
                break;
            case BuiltinPart { ListArgument: (VariableTerm or ConstantTerm) and var argument } builtin when Value(argument, bindings) is Term node:
                // One list for all conditions that name it; each way to read it is a solution of its own.
                var key = $"list {argument}";
                var lists = bindings.TryGetValue(key, out var read) ? [((List<Term>)read, 1.0)] : Lists(node, []).ToList();
                foreach (var (items, degree) in lists)
                {
                    foreach (var next in Compute(builtin, bindings, items))
                        yield return (With(next, key, items), degree);
                }
                break;
            case BuiltinPart builtin:
                foreach (var next in Compute(builtin, bindings))
                    yield return (next, 1);
                break;
        }
    }

    private static Dictionary<string, object> Within(Dictionary<string, object> bindings) =>
        bindings.Where(pair => !pair.Key.StartsWith("list ", StringComparison.Ordinal)).ToDictionary(StringComparer.Ordinal);

    // By the definition: the empty one, or a first member and the rest of it, in which the node doesn't come again.
    private IEnumerable<(List<Term> Items, double Degree)> Lists(Term node, HashSet<Term> above)
    {
        if (node == Term.Iri(Rdf.Nil))
        {
            yield return ([], 1);
            yield break;
        }
        if (above.Contains(node))
            yield break;
        foreach (var (first, a) in _byPredicate.GetValueOrDefault(Rdf.First, []).Where(fact => fact.Fact.Subject == node))
        {
            foreach (var (rest, b) in _byPredicate.GetValueOrDefault(Rdf.Rest, []).Where(fact => fact.Fact.Subject == node))
            {
                foreach (var (items, c) in Lists(rest.Object, [.. above, node]))
                    yield return ([first.Object, .. items], Combine(Combine(a, b), c));
            }
        }
    }

    private static IEnumerable<Dictionary<string, object>> Compute(BuiltinPart part, Dictionary<string, object> bindings, List<Term>? list = null)
    {
        var (left, right) = (Value(part.Subject, bindings), Value(part.Object, bindings));
        if (list is not null && ReferenceEquals(part.ListArgument, part.Subject))
            left = list;
        else if (list is not null)
            right = list;
        switch (part.Builtin.Code)
        {
            case BuiltinCode.Greater:
                return Number(left) > Number(right) ? [bindings] : [];
            case BuiltinCode.Less:
                return Number(left) < Number(right) ? [bindings] : [];
            case BuiltinCode.NotSame:
                return !Equals(left, right) ? [bindings] : [];
            case BuiltinCode.Same:
                return left is null ? [With(bindings, ((VariableTerm)part.Subject).Name, right!)]
                    : right is null ? [With(bindings, ((VariableTerm)part.Object).Name, left)]
                    : Equals(left, right) ? [bindings] : [];
            case BuiltinCode.In when part.Builtin.ListIsSubject:
                return ((List<Term>)left!).Select(item => Match(part.Object, item, bindings)).OfType<Dictionary<string, object>>();
            case BuiltinCode.In:
                return ((List<Term>)right!).Select(item => Match(part.Subject, item, bindings)).OfType<Dictionary<string, object>>();
        }
        var arguments = ((IEnumerable<Term>)left!).ToList();
        if (part.Builtin.Code == BuiltinCode.Length)
            return Result(arguments.Count);
        var numbers = arguments.Select(Number).ToList();
        if (numbers.Contains(null))
            return [];
        return part.Builtin.Code switch
        {
            BuiltinCode.Sum => Result(numbers.Sum()),
            BuiltinCode.Difference => Result(numbers[0] - numbers[1]),
            BuiltinCode.Max => Result(numbers.Max()),
            BuiltinCode.Min => Result(numbers.Min()),
            _ => throw new NotSupportedException(part.Builtin.Iri),
        };

        IEnumerable<Dictionary<string, object>> Result(long? value)
        {
            if (value is not { } number)
                return [];
            var term = Term.Integer(number);
            return right is null ? [With(bindings, ((VariableTerm)part.Object).Name, term)] : Equals(right, term) ? [bindings] : [];
        }
    }

    private static Dictionary<string, object>? Match(RuleTerm pattern, Term term, Dictionary<string, object> bindings) => Value(pattern, bindings) switch
    {
        null => With(bindings, ((VariableTerm)pattern).Name, term),
        var value => Equals(value, term) ? bindings : null,
    };

    private static object? Value(RuleTerm term, Dictionary<string, object> bindings) => term switch
    {
        ConstantTerm constant => constant.Value,
        VariableTerm variable => bindings.GetValueOrDefault(variable.Name),
        ListTerm list => list.Items.Select(item => (Term)Value(item, bindings)!).ToList(),
        _ => throw new NotSupportedException(term.ToString()),
    };

    private static Dictionary<string, object> With(Dictionary<string, object> bindings, string name, object value) => new(bindings) { [name] = value };

    private static long? Number(object? term) => term is Term { Datatype: Xsd.Integer, Value: var text } ? long.Parse(text, CultureInfo.InvariantCulture) : null;

    private double Combine(double left, double right) => product ? left * right : Math.Min(left, right);
}
