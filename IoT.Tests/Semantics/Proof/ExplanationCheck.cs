using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Proof;

/// <summary>
/// Whether an explanation is one: each step is an instance of its rule whose conditions are the premises and nothing else, it yields the
/// degree that is told, nothing stands on itself, and everything comes down to what is asserted.
/// </summary>
internal sealed class ExplanationCheck(Dictionary<Triple, double> facts, HashSet<Triple> asserted, IReadOnlyList<Rule> rules, bool product)
{
    private readonly HashSet<Explanation> _done = new(ReferenceEqualityComparer.Instance);

    public void Check(Explanation explanation) => Check(explanation, [], withSteps: true);

    /// <summary>All of it but whether each step is one of its rule.</summary>
    public void CheckShape(Explanation explanation) => Check(explanation, [], withSteps: false);

    private void Check(Explanation explanation, HashSet<Triple> above, bool withSteps)
    {
        var fact = explanation.Fact;
        Assert.True(facts.TryGetValue(fact, out var degree), $"{fact} does not hold, and explains something.");
        Assert.Equal(degree, explanation.Degree, 1e-12);
        Assert.Equal(asserted.Contains(fact), explanation.IsAsserted);
        if (explanation.IsAsserted)
        {
            Assert.Null(explanation.Rule);
            Assert.Empty(explanation.Premises);
            return;
        }
        Assert.True(above.Add(fact), $"{fact} stands on itself.");
        foreach (var premise in explanation.Premises)
            Check(premise, above, withSteps);
        above.Remove(fact);
        Assert.NotNull(explanation.Rule);
        if (withSteps && _done.Add(explanation))
            CheckStep(explanation);
    }

    private void CheckStep(Explanation explanation)
    {
        var bindings = explanation.Bindings.ToDictionary(binding => binding.Variable, binding => (object)binding.Value);
        var premises = explanation.Premises.Select(premise => premise.Fact).ToList();
        Assert.Equal(premises.Count, premises.Distinct().Count());
        var least = explanation.Premises.Aggregate(1.0, (degree, premise) => product ? degree * premise.Degree : Math.Min(degree, premise.Degree));
        // Rules of tests have no names: one of them must do.
        Assert.Contains(rules, rule => IsStep(rule, explanation, bindings, premises, least));
    }

    private bool IsStep(Rule rule, Explanation explanation, Dictionary<string, object> bindings, List<Triple> premises, double least)
    {
        if (rule.Confidence != explanation.Rule!.Confidence || !rule.Head.Any(head => Instance(head, bindings) == explanation.Fact))
            return false;
        var patterns = rule.Body.OfType<PatternPart>().Select(part => Instance(part.Pattern, bindings)).ToHashSet();
        if (patterns.Contains(null) || !patterns.All(pattern => premises.Contains(pattern!.Value)))
            return false;
        // Only an aggregation has more premises than patterns, its members', and what looks at lists: the facts of these.
        if (!rule.Body.OfType<CollectPart>().Any() && premises.Any(premise => !patterns.Contains(premise) && !IsOfList(rule, premise)))
            return false;
        if (ReferenceReasoner.Holds(facts, rule.Body, bindings, product) is not { } degree)
            return false;
        var reached = product ? degree * rule.Confidence : Math.Min(degree, rule.Confidence);
        var told = product ? least * rule.Confidence : Math.Min(least, rule.Confidence);
        // A premise that stands for two conditions counts twice in a product.
        return Math.Abs(reached - explanation.Degree) < 1e-12 && (product || Math.Abs(told - explanation.Degree) < 1e-12);
    }

    private static bool IsOfList(Rule rule, Triple premise) =>
        premise.Predicate.Value is Rdf.First or Rdf.Rest && rule.Body.OfType<BuiltinPart>().Any(part => part.ListArgument is VariableTerm or ConstantTerm);

    private static Triple? Instance(TriplePattern pattern, Dictionary<string, object> bindings) =>
        Value(pattern.Subject, bindings) is { } subject && Value(pattern.Predicate, bindings) is { } predicate && Value(pattern.Object, bindings) is { } @object
            ? new Triple(subject, predicate, @object)
            : null;

    private static Term? Value(RuleTerm term, Dictionary<string, object> bindings) => term switch
    {
        ConstantTerm constant => constant.Value,
        VariableTerm variable => bindings.GetValueOrDefault(variable.Name) as Term,
        _ => null,
    };
}
