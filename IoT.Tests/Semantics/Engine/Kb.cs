using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics.Engine;

/// <summary>A knowledge base written and read as text.</summary>
internal sealed class Kb
{
    public const string Prefixes = "@prefix : <http://e/>. @prefix math: <http://www.w3.org/2000/10/swap/math#>. @prefix log: <http://www.w3.org/2000/10/swap/log#>. @prefix list: <http://www.w3.org/2000/10/swap/list#>. @prefix string: <http://www.w3.org/2000/10/swap/string#>. @prefix time: <http://www.w3.org/2000/10/swap/time#>. @prefix xsd: <http://www.w3.org/2001/XMLSchema#>.\n";

    public Kb(string facts = "", string rules = "", EngineOptions? options = null)
    {
        Base = new KnowledgeBase(options ?? new EngineOptions());
        using var commit = Base.Load([Facts(facts)], [Rules(rules)]);
        Error = commit.Error;
    }

    public KnowledgeBase Base { get; }

    public EngineError? Error { get; }

    public FactDocument Facts(string text, string name = "model") =>
        FactDocument.Parse(Base.Terms, name, Encoding.UTF8.GetBytes(Prefixes + text), null, out var error, default) ?? throw new InvalidOperationException($"{error}");

    public static RuleSet Rules(string text, string name = "rules") =>
        RuleParser.Parse(name, Encoding.UTF8.GetBytes(Prefixes + text), null, out var error) ?? throw new InvalidOperationException($"{error}");

    public Commit Put(FactDocument facts) => Base.Put(facts);

    public Commit Put(RuleSet rules) => Base.Put(rules);

    public void PutCanceled(RuleSet rules)
    {
        using var commit = Base.Put(rules, new CancellationToken(canceled: true));
    }

    public Commit RemoveFacts(string name) => Base.RemoveFacts(name);

    public Commit RemoveRules(string name) => Base.RemoveRules(name);

    public Commit Apply(FactBatch batch) => Base.Apply(batch);

    public CheckResult Check(FactDocument facts) => Base.Check(facts);

    public CheckResult Check(RuleSet rules) => Base.Check(rules);

    public CheckResult CheckRemoveRules(string name) => Base.CheckRemoveRules(name);

    /// <summary>What would be derived.</summary>
    public string? DerivedWith(FactBatch batch) => Base.Overlay(batch, _ => Derived(), out _);

    /// <summary>Turtle's short form of a term; <c>:a</c> is in the example's namespace.</summary>
    public TermId Term(string text) => Base.Terms.Intern(text[0] == ':' ? Modules.Semantics.Terms.Term.Iri("http://e/" + text[1..]) : Modules.Semantics.Terms.Term.Literal(text, text.Contains('.', StringComparison.Ordinal) ? Xsd.Decimal : Xsd.Integer));

    public TripleId Triple(string text) => text.Split(' ') is [var s, var p, var o] ? new TripleId(Term(s), Term(p), Term(o)) : throw new FormatException(text);

    /// <summary>What changed, as <see cref="Derived"/>, with the degree before where it isn't a new one.</summary>
    public string Replace(string text, long tag = 0)
    {
        using var batch = new FactBatch(Base);
        var (s, p, o) = Triple(text);
        batch.Replace(s, p, o, tag);
        using var commit = Base.Apply(batch);
        return commit.Error?.Message ?? string.Join(", ", commit.Derived.Select(change => $"{change.Kind} {Text(change.Fact)}").Order(StringComparer.Ordinal));
    }

    /// <summary>Derived facts, in order, with degrees below 1.</summary>
    public string Derived()
    {
        using var rows = Base.Query(kind: FactKind.Derived);
        return string.Join(", ", rows.Select(row => Text(row.Fact) + (row.Degree < 1 ? string.Create(CultureInfo.InvariantCulture, $" {row.Degree:0.####}") : "")).Order(StringComparer.Ordinal));
    }

    public double Degree(string fact) => Base.Find(Triple(fact)).Degree;

    public string Text(TripleId fact) => $"{Text(Base.Terms[fact.Subject])} {Text(Base.Terms[fact.Predicate])} {Text(Base.Terms[fact.Object])}";

    public static string Text(Term term) => term.Kind switch
    {
        TermKind.Iri => term.Value.Replace("http://e/", ":", StringComparison.Ordinal),
        TermKind.Blank => "_:b",
        _ => term.Value,
    };

    /// <summary>Rule and premises, one within the other; asserted facts with their tags.</summary>
    public static string Text(Explanation step)
    {
        var fact = $"{Text(step.Fact.Subject)} {Text(step.Fact.Predicate)} {Text(step.Fact.Object)}";
        return step.Rule is null ? fact + (step.Tag != 0 ? $" #{step.Tag}" : "") : $"{fact} by {step.Rule.Name} ({string.Join("; ", step.Premises.Select(Text))})";
    }
}
