using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Proof;

/// <summary>The closures that EYE has computed and gringo and CLIPS confirm, before and after ten thousand replaced readings.</summary>
public sealed class ClosureTests
{
    private const string Names = "http://example.org/iot#";

    private static readonly string Shared = Path.Combine(Repository.Root, "..", "shared", "semantics-bench");

    [Theory]
    [InlineData("s1k", 1, true, 1)]
    [InlineData("s1k", 1, false, 1)]
    [InlineData("s1k", 17, true, 2)]
    [InlineData("s1k", 1, true, 5)]
    [InlineData("s10k", 1, true, 1)]
    [InlineData("s10k", 1_000, true, 2)]
    public void The_closure_is_what_the_other_engines_derive_before_and_after_the_updates(string size, int batchSize, bool compile, int threads)
    {
        var knowledge = Load(size, new EngineOptions { CompileRules = compile, Threads = threads, ParallelThreshold = threads switch { 1 => int.MaxValue, 2 => 500, _ => 1 } });
        Same($"{size}/closure.ttl", knowledge);
        var batches = File.ReadLines(Path.Combine(Shared, size, "updates.tsv")).Select(line => line.Split('\t')).Chunk(batchSize);
        foreach (var rows in batches)
        {
            using var batch = new FactBatch(knowledge);
            foreach (var row in rows)
                batch.Replace(knowledge.Terms.InternIri(Names + row[0]), knowledge.Terms.InternIri(Names + "reading"), knowledge.Terms.Intern(Term.Literal(row[2], Xsd.Decimal)));
            using var commit = knowledge.Change(batch);
            Knowledge.Check(commit.Error);
        }
        Same($"{size}/closure-after-updates.ttl", knowledge);
    }

    [Fact]
    public void Not_incremental_and_interpreted_it_is_the_same()
    {
        var knowledge = Load("s1k", new EngineOptions { CompileRules = false, Incremental = false });
        Same("s1k/closure.ttl", knowledge);
        foreach (var row in File.ReadLines(Path.Combine(Shared, "s1k", "updates.tsv")).Select(line => line.Split('\t')).Chunk(2_000))
        {
            using var batch = new FactBatch(knowledge);
            foreach (var update in row)
                batch.Replace(knowledge.Terms.InternIri(Names + update[0]), knowledge.Terms.InternIri(Names + "reading"), knowledge.Terms.Intern(Term.Literal(update[2], Xsd.Decimal)));
            using var commit = knowledge.Change(batch);
            Knowledge.Check(commit.Error);
        }
        Same("s1k/closure-after-updates.ttl", knowledge);
    }

    [Fact]
    public void Every_fact_of_a_closure_is_explained()
    {
        var knowledge = Load("s1k", new EngineOptions());
        using var rows = knowledge.Query();
        var facts = rows.ToDictionary(row => Spell(row.Fact), row => row.Degree);
        var asserted = rows.Where(row => row.IsAsserted).Select(row => Spell(row.Fact)).ToHashSet();
        var check = new ExplanationCheck(facts, asserted, [], product: false);
        foreach (var row in rows.Where(row => !row.IsAsserted))
            check.CheckShape(knowledge.Explain(row.Fact)!);

        Triple Spell(TripleId fact) => new(knowledge.Terms[fact.Subject], knowledge.Terms[fact.Predicate], knowledge.Terms[fact.Object]);
    }

    [Fact]
    public void A_model_in_one_piece_gives_the_same_as_rules_first_and_as_rules_last()
    {
        var first = new KnowledgeBase(new EngineOptions());
        PutRules(first, "s1k");
        PutModel(first, "s1k", _ => true);
        Same("s1k/closure.ttl", first);
        using (var commit = first.TakeRules("rules"))
            Assert.Equal(0, first.Derived);
        PutRules(first, "s1k");
        Same("s1k/closure.ttl", first);
        using (var commit = first.TakeFacts("model"))
            Assert.Equal((0, 0), (first.Derived, first.Asserted));
    }

    private static KnowledgeBase Load(string size, EngineOptions options)
    {
        var knowledge = new KnowledgeBase(options);
        PutModel(knowledge, size, line => !line.Contains(" :reading ", StringComparison.Ordinal));
        PutRules(knowledge, size);
        using var batch = new FactBatch(knowledge);
        foreach (var line in File.ReadLines(Path.Combine(Shared, size, "facts.ttl")).Where(line => line.Contains(" :reading ", StringComparison.Ordinal)))
        {
            var parts = line.TrimEnd('.').Split(' ');
            batch.Replace(knowledge.Terms.InternIri(Names + parts[0][1..]), knowledge.Terms.InternIri(Names + "reading"), knowledge.Terms.Intern(Term.Literal(parts[2], Xsd.Decimal)));
        }
        using var commit = knowledge.Change(batch);
        Knowledge.Check(commit.Error);
        return knowledge;
    }

    private static void PutModel(KnowledgeBase knowledge, string size, Func<string, bool> isWanted)
    {
        var text = string.Join('\n', File.ReadLines(Path.Combine(Shared, size, "facts.ttl")).Where(isWanted));
        using var commit = knowledge.Put(FactDocument.Parse(knowledge.Terms, "model", Encoding.UTF8.GetBytes(text), null, out _, CancellationToken.None)!);
        Knowledge.Check(commit.Error);
    }

    private static void PutRules(KnowledgeBase knowledge, string size)
    {
        using var commit = knowledge.Put(RuleParser.Parse("rules", File.ReadAllBytes(Path.Combine(Shared, size, "rules.n3")), null, out _)!);
        Knowledge.Check(commit.Error);
    }

    private static void Same(string closure, KnowledgeBase knowledge)
    {
        var expected = new KnowledgeBase(new EngineOptions());
        using (var stream = File.OpenRead(Path.Combine(Shared, closure)))
        using (var commit = expected.Put(FactDocument.Parse(expected.Terms, "closure", stream, null, out _, CancellationToken.None)!))
            Knowledge.Check(commit.Error);
        var (lines, found) = (expected.Lines().ToHashSet(), knowledge.Lines(FactKind.Derived).ToHashSet());
        Assert.True(lines.Count > 2_000);
        Assert.Equal(lines.Count.ToString(CultureInfo.InvariantCulture), found.Count.ToString(CultureInfo.InvariantCulture));
        Assert.Empty(lines.Except(found));
        Assert.Empty(found.Except(lines));
    }
}
