using IoT.Modules.Semantics.Turtle;

namespace IoT.Modules.Semantics.Rules;

/// <summary>Whether the conditions of a rule can be evaluated in some order, and what they bind.</summary>
internal static class RuleSafety
{
    /// <summary>Adds what the parts bind; fails at the part that nothing gives its variables to.</summary>
    /// <param name="outside">For a negation or an aggregation among the parts: variables that also stand outside of it.</param>
    public static void Check(IReadOnlyList<BodyPart> parts, HashSet<string> bound, Func<BodyPart, HashSet<string>> outside)
    {
        foreach (var pattern in parts.OfType<PatternPart>())
            bound.UnionWith(Variables(pattern));
        var waiting = parts.Where(part => part is not PatternPart).ToList();
        while (waiting.Count > 0)
        {
            var next = waiting.FindIndex(part => IsReady(part, bound, outside));
            if (next < 0)
            {
                var part = waiting[0];
                var missing = Needs(part, bound, outside).Where(name => !bound.Contains(name)).Select(name => "?" + name);
                throw new SyntaxException(new SyntaxError(part.Line, part.Column, $"{string.Join(" and ", missing)} must be bound by another condition for this one to be evaluated"));
            }
            bound.UnionWith(Gives(waiting[next]));
            waiting.RemoveAt(next);
        }
        foreach (var part in parts)
        {
            var (inner, template) = part switch
            {
                NegationPart negation => (negation.Parts, null),
                CollectPart collect => (collect.Parts, collect.Template),
                _ => (null, null),
            };
            if (inner is null)
                continue;
            var shared = outside(part);
            var within = new HashSet<string>(Inner(inner).Where(shared.Contains), StringComparer.Ordinal);
            Check(inner, within, Outside(inner, shared.Concat(template is null ? [] : Variables(template))));
            if (template is not null && Variables(template).FirstOrDefault(name => !within.Contains(name) && !bound.Contains(name)) is { } unbound)
                throw new SyntaxException(new SyntaxError(part.Line, part.Column, $"?{unbound}, which is to be collected, is bound by none of the conditions"));
        }
    }

    /// <summary>The variables of a part that must have values before it can be evaluated.</summary>
    public static IEnumerable<string> Needs(BodyPart part, HashSet<string> bound, Func<BodyPart, HashSet<string>> outside)
    {
        switch (part)
        {
            case BuiltinPart { Builtin.Shape: BuiltinShape.Test } test:
                return Variables(test.Subject).Concat(Variables(test.Object));
            case BuiltinPart { Builtin.Shape: BuiltinShape.Function } function:
                return function.Object is VariableTerm ? Variables(function.Subject) : Variables(function.Subject).Concat(Variables(function.Object));
            case BuiltinPart { Builtin.Shape: BuiltinShape.Equality } equality:
                var isBound = Variables(equality.Subject).All(bound.Contains);
                return isBound && equality.Object is VariableTerm ? [] : Variables(equality.Object).All(bound.Contains) && equality.Subject is VariableTerm ? [] : Variables(equality.Subject).Concat(Variables(equality.Object));
            case BuiltinPart { Builtin.ListIsSubject: true } members:
                return Variables(members.Subject);
            case BuiltinPart members:
                return Variables(members.Object);
            case NegationPart negation:
                return Inner(negation.Parts).Where(outside(part).Contains);
            case CollectPart collect:
                return Inner(collect.Parts).Concat(Variables(collect.Template)).Where(outside(part).Contains);
            default:
                return [];
        }
    }

    /// <summary>The variables that a part binds.</summary>
    public static IEnumerable<string> Gives(BodyPart part) => part switch
    {
        PatternPart pattern => Variables(pattern),
        BuiltinPart { Builtin.Shape: BuiltinShape.Test } => [],
        BuiltinPart { Builtin.Shape: BuiltinShape.Equality } equality => Variables(equality.Subject).Concat(Variables(equality.Object)),
        BuiltinPart { Builtin.ListIsSubject: true } members => Variables(members.Object),
        BuiltinPart { Builtin.Shape: BuiltinShape.Members } members => Variables(members.Subject),
        BuiltinPart function => Variables(function.Object),
        CollectPart collect => [collect.List.Name],
        _ => [],
    };

    /// <summary>For each part of a body, the variables that stand in other parts or in the head.</summary>
    public static Func<BodyPart, HashSet<string>> Outside(IReadOnlyList<BodyPart> parts, IEnumerable<string> head)
    {
        var all = head.ToList();
        return part => [.. all, .. parts.Where(other => other is not NegationPart && !ReferenceEquals(other, part)).SelectMany(Shown)];
    }

    /// <summary>Variables that have lists as values: those of aggregations, and what is equal to one.</summary>
    public static HashSet<string> ListsOf(IReadOnlyList<BodyPart> parts)
    {
        var lists = parts.OfType<CollectPart>().Select(part => part.List.Name).ToHashSet(StringComparer.Ordinal);
        int before;
        do
        {
            before = lists.Count;
            foreach (var equality in parts.OfType<BuiltinPart>().Where(part => part.Builtin.Shape == BuiltinShape.Equality))
            {
                if (Variables(equality.Subject).Concat(Variables(equality.Object)).Any(lists.Contains))
                    lists.UnionWith(Variables(equality.Subject).Concat(Variables(equality.Object)));
            }
        }
        while (lists.Count > before);
        return lists;
    }

    public static IEnumerable<string> Variables(RuleTerm term) => term switch
    {
        VariableTerm variable => [variable.Name],
        ListTerm list => list.Items.SelectMany(Variables),
        _ => [],
    };

    public static IEnumerable<string> Variables(PatternPart part) =>
        Variables(part.Pattern.Subject).Concat(Variables(part.Pattern.Predicate)).Concat(Variables(part.Pattern.Object));

    /// <summary>All variables within the parts of a negation or an aggregation.</summary>
    public static IEnumerable<string> Inner(IEnumerable<BodyPart> parts) => parts.SelectMany(part => part switch
    {
        PatternPart pattern => Variables(pattern),
        BuiltinPart builtin => Variables(builtin.Subject).Concat(Variables(builtin.Object)),
        NegationPart negation => Inner(negation.Parts),
        CollectPart collect => Inner(collect.Parts).Concat(Variables(collect.Template)).Append(collect.List.Name),
        _ => [],
    });

    // What a part shows to the others: of an aggregation only its list.
    private static IEnumerable<string> Shown(BodyPart part) => part switch
    {
        PatternPart pattern => Variables(pattern),
        BuiltinPart builtin => Variables(builtin.Subject).Concat(Variables(builtin.Object)),
        CollectPart collect => [collect.List.Name],
        _ => [],
    };

    private static bool IsReady(BodyPart part, HashSet<string> bound, Func<BodyPart, HashSet<string>> outside) => Needs(part, bound, outside).All(bound.Contains);
}
