using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics;

/// <summary>Shorthand for tests: texts in, lines of N-Triples out.</summary>
internal static class Knowledge
{
    public const string Prefixes =
        "@prefix : <http://e/> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> . " +
        "@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix math: <http://www.w3.org/2000/10/swap/math#> . @prefix string: <http://www.w3.org/2000/10/swap/string#> . " +
        "@prefix log: <http://www.w3.org/2000/10/swap/log#> . @prefix list: <http://www.w3.org/2000/10/swap/list#> . @prefix time: <http://www.w3.org/2000/10/swap/time#> .\n";

    public static RuleSet Rules(string text, string name = "test") =>
        RuleParser.Parse(name, Encoding.UTF8.GetBytes(Prefixes + text), null, out var error) ?? throw new InvalidOperationException($"{error}\n{text}");

    public static FactDocument Facts(KnowledgeBase knowledge, string text, string name = "facts") =>
        FactDocument.Parse(knowledge.Terms, name, Encoding.UTF8.GetBytes(Prefixes + text), null, out var error, CancellationToken.None) ?? throw new InvalidOperationException(error!.ToString());

    /// <summary>What is wrong, null when nothing is.</summary>
    public static EngineError? TryPutRules(this KnowledgeBase knowledge, string text, string name = "test")
    {
        using var commit = knowledge.Put(Rules(text, name));
        return commit.Error;
    }

    public static EngineError? TryPutFacts(this KnowledgeBase knowledge, string text, string name = "facts")
    {
        using var commit = knowledge.Put(Facts(knowledge, text, name));
        return commit.Error;
    }

    public static void PutRules(this KnowledgeBase knowledge, string text, string name = "test") => Check(knowledge.TryPutRules(text, name));

    public static void PutFacts(this KnowledgeBase knowledge, string text, string name = "facts") => Check(knowledge.TryPutFacts(text, name));

    public static Commit Change(this KnowledgeBase knowledge, FactBatch batch) => knowledge.Apply(batch);

    public static Commit TakeFacts(this KnowledgeBase knowledge, string name) => knowledge.RemoveFacts(name);

    public static Commit TakeRules(this KnowledgeBase knowledge, string name) => knowledge.RemoveRules(name);

    public static void Check(EngineError? error)
    {
        if (error is not null)
            throw new InvalidOperationException(error.Message);
    }

    public static string Line(this TermDictionary terms, TripleId fact) => $"{terms[fact.Subject]} {terms[fact.Predicate]} {terms[fact.Object]} .";

    /// <summary>Facts in order, as lines.</summary>
    public static List<string> Lines(this KnowledgeBase knowledge, FactKind kind = FactKind.All)
    {
        using var rows = knowledge.Query(kind: kind);
        return [.. rows.Select(row => knowledge.Terms.Line(row.Fact)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Facts with their degrees.</summary>
    public static Dictionary<string, double> Degrees(this KnowledgeBase knowledge, FactKind kind = FactKind.All)
    {
        using var rows = knowledge.Query(kind: kind);
        return rows.ToDictionary(row => knowledge.Terms.Line(row.Fact), row => row.Degree, StringComparer.Ordinal);
    }

    public static TermId Name(this KnowledgeBase knowledge, string local) => knowledge.Terms.InternIri("http://e/" + local);

    public static TermId Number(this KnowledgeBase knowledge, long value) => knowledge.Terms.Intern(Term.Integer(value));
}
