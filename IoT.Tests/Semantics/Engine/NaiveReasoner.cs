using System.Globalization;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics.Engine;

/// <summary>
/// What follows, found by trying everything until nothing new comes: slow, and so plain that it can be believed. Shares nothing with the
/// engine but the neutral form of rules. Levels of rules are given, not found out.
/// </summary>
internal sealed class NaiveReasoner(bool isProduct)
{
    private readonly Dictionary<Triple, double> _facts = [];

    public static Dictionary<Triple, double> Closure(IEnumerable<Triple> asserted, IEnumerable<(int Level, Rule Rule)> rules, bool isProduct)
    {
        var reasoner = new NaiveReasoner(isProduct);
        foreach (var triple in asserted)
            reasoner._facts[triple] = 1;
        foreach (var level in rules.GroupBy(rule => rule.Level).OrderBy(group => group.Key))
        {
            var isNew = true;
            while (isNew)
            {
                isNew = false;
                foreach (var (_, rule) in level)
                    isNew |= reasoner.Apply(rule);
            }
        }
        return reasoner._facts;
    }

    private bool Apply(Rule rule)
    {
        var isNew = false;
        foreach (var (values, degrees) in Solve(rule.Body, new Dictionary<string, object>(StringComparer.Ordinal)).ToList())
        {
            var degree = degrees.Append(rule.Confidence).Aggregate(1.0, Combine);
            foreach (var head in rule.Head)
            {
                var triple = new Triple((Term)Value(head.Subject, values)!, (Term)Value(head.Predicate, values)!, (Term)Value(head.Object, values)!);
                if (triple.Subject.Kind == TermKind.Literal || triple.Predicate.Kind != TermKind.Iri || _facts.GetValueOrDefault(triple) >= degree)
                    continue;
                _facts[triple] = degree;
                isNew = true;
            }
        }
        return isNew;
    }

    private double Combine(double left, double right) => isProduct ? left * right : Math.Min(left, right);

    // All ways to satisfy the parts, with the degrees of the premises in the order of the parts.
    private List<(Dictionary<string, object> Values, List<double> Degrees)> Solve(IReadOnlyList<BodyPart> parts, Dictionary<string, object> given)
    {
        var solutions = new List<(Dictionary<string, object> Values, Dictionary<int, double> Degrees)> { (given, []) };
        foreach (var part in parts.OfType<PatternPart>())
            solutions = [.. solutions.SelectMany(solution => Match(part.Pattern, solution.Values).Select(found => (found.Values, new Dictionary<int, double>(solution.Degrees) { [IndexOf(parts, part)] = found.Degree })))];
        var waiting = parts.Where(part => part is not PatternPart).ToList();
        while (waiting.Count > 0 && solutions.Count > 0)
        {
            // What shares no unbound variable with the rest of the body may go last.
            var next = waiting.FirstOrDefault(part => part is BuiltinPart builtin && IsReady(builtin, solutions[0].Values))
                ?? waiting.FirstOrDefault(part => part is CollectPart)
                ?? waiting.First();
            waiting.Remove(next);
            solutions = [.. solutions.SelectMany(solution => Evaluate(next, solution.Values).Select(found => (found.Values, found.Degree is { } degree ? new Dictionary<int, double>(solution.Degrees) { [IndexOf(parts, next)] = degree } : solution.Degrees)))];
        }
        return [.. solutions.Select(solution => (solution.Values, solution.Degrees.OrderBy(pair => pair.Key).Select(pair => pair.Value).ToList()))];
    }

    private static int IndexOf(IReadOnlyList<BodyPart> parts, BodyPart part) => parts.ToList().FindIndex(other => ReferenceEquals(other, part));

    private IEnumerable<(Dictionary<string, object> Values, double Degree)> Match(TriplePattern pattern, Dictionary<string, object> values)
    {
        foreach (var (triple, degree) in _facts)
        {
            var bound = new Dictionary<string, object>(values, StringComparer.Ordinal);
            if (Unify(pattern.Subject, triple.Subject, bound) && Unify(pattern.Predicate, triple.Predicate, bound) && Unify(pattern.Object, triple.Object, bound))
                yield return (bound, degree);
        }
    }

    private static bool Unify(RuleTerm term, object value, Dictionary<string, object> values)
    {
        if (Value(term, values) is { } bound)
            return bound.Equals(value);
        values[((VariableTerm)term).Name] = value;
        return true;
    }

    private static object? Value(RuleTerm term, Dictionary<string, object> values) => term switch
    {
        ConstantTerm constant => constant.Value,
        VariableTerm variable => values.GetValueOrDefault(variable.Name),
        ListTerm list => list.Items.Select(item => Value(item, values)).ToList(),
        _ => throw new NotSupportedException(term.ToString()),
    };

    private static bool IsReady(BuiltinPart part, Dictionary<string, object> values) =>
        IsBound(part.Subject, values) && (part.Builtin.Shape != BuiltinShape.Test || IsBound(part.Object, values));

    private static bool IsBound(RuleTerm term, Dictionary<string, object> values) =>
        term is ListTerm list ? list.Items.All(item => IsBound(item, values)) : Value(term, values) is not null;

    private IEnumerable<(Dictionary<string, object> Values, double? Degree)> Evaluate(BodyPart part, Dictionary<string, object> values)
    {
        switch (part)
        {
            case NegationPart negation:
                if (Solve(negation.Parts, values).Count == 0)
                    yield return (values, null);
                break;
            case CollectPart collect:
                var members = Solve(collect.Parts, values);
                var bound = new Dictionary<string, object>(values, StringComparer.Ordinal);
                if (Unify(collect.List, members.ConvertAll(member => Value(collect.Template, member.Values)), bound))
                    yield return (bound, members.Select(member => member.Degrees.Aggregate(1.0, Combine)).Aggregate(1.0, Combine));
                break;
            case BuiltinPart { Builtin.Code: BuiltinCode.Greater } test:
                if (Number(Value(test.Subject, values)) > Number(Value(test.Object, values)))
                    yield return (values, null);
                break;
            case BuiltinPart { Builtin.Code: BuiltinCode.NotGreater } test:
                if (Number(Value(test.Subject, values)) <= Number(Value(test.Object, values)))
                    yield return (values, null);
                break;
            case BuiltinPart { Builtin.Code: BuiltinCode.NumberEqual } test:
                if (Number(Value(test.Subject, values)) == Number(Value(test.Object, values)))
                    yield return (values, null);
                break;
            case BuiltinPart { Builtin.Code: BuiltinCode.NotSame } test:
                if (!Value(test.Subject, values)!.Equals(Value(test.Object, values)))
                    yield return (values, null);
                break;
            case BuiltinPart function:
                if (Compute(function.Builtin.Code, (List<object?>)Value(function.Subject, values)!) is { } result)
                {
                    var with = new Dictionary<string, object>(values, StringComparer.Ordinal);
                    if (Value(function.Object, values) is { } wanted ? Number(wanted) == Number(result) : Unify(function.Object, result, with))
                        yield return (with, null);
                }
                break;
            default:
                throw new NotSupportedException(part.ToString());
        }
    }

    private static Term? Compute(BuiltinCode code, List<object?> arguments)
    {
        if (code == BuiltinCode.Length)
            return Term.Integer(arguments.Count);
        var numbers = arguments.ConvertAll(Number);
        if (numbers.Contains(null) || (numbers.Count == 0 && code == BuiltinCode.Max))
            return null;
        var value = code switch
        {
            BuiltinCode.Sum => numbers.Sum(),
            BuiltinCode.Difference => numbers[0] - numbers[1],
            BuiltinCode.Max => numbers.Max(),
            _ => throw new NotSupportedException(code.ToString()),
        };
        return Term.Integer((long)value!.Value);
    }

    private static decimal? Number(object? value) =>
        value is Term { Kind: TermKind.Literal, Datatype: Xsd.Integer } term ? decimal.Parse(term.Value, CultureInfo.InvariantCulture) : null;
}
