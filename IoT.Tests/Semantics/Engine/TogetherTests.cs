using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Engine;

/// <summary>Several threads enter facts into the store: it comes to what one thread makes of them, whatever the schedule.</summary>
public sealed class TogetherTests
{
    // Facts come in several ways and degrees: many are found more than once in one round, some in a better degree than before.
    private const string Rules = """
        # @confidence 0.9
        { ?x :next ?y } => { ?x :reaches ?y }.
        # @confidence 0.6
        { ?x :far ?y } => { ?x :reaches ?y }.
        { ?x :reaches ?y. ?y :reaches ?z } => { ?x :reaches ?z }.
        # @confidence 0.7
        { ?x :reaches ?y. ?y :kind ?k } => { ?x :meets ?k. ?k :metBy ?x }.
        # @confidence 0.8
        { ?x :meets ?k. ?s log:notIncludes { ?x :kind ?k } } => { ?x :meetsOther ?k }.
        """;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(20)]
    public void Facts_degrees_and_reports_are_those_of_one_thread(int threads)
    {
        var random = new Random(threads);
        var alone = new Kb(options: new EngineOptions { Threads = 1 });
        var together = new[] { 0, 10, int.MaxValue }.Select(after => new Kb(options: Together(threads, after))).ToArray();
        Both(kb => kb.Put(Kb.Rules(Rules)));
        var least = 0L;
        for (var step = 0; step < 12; step++)
        {
            var (name, text) = (random.Next(3), step % 4 == 3 ? "" : Model(random, 60));
            Both(kb => kb.Put(kb.Facts(text, $"model{name}")));
            least = Math.Max(least, alone.Base.Derived);
        }
        Assert.True(least > 1_000, $"only {least} facts were derived");

        void Both(Func<Kb, Commit> change)
        {
            var (expected, report) = Changed(alone, change);
            foreach (var kb in together)
            {
                var (found, told) = Changed(kb, change);
                Assert.Equal(expected, found);
                Assert.Equal(report, told);
                Assert.Equal((alone.Base.Asserted, alone.Base.Derived), (kb.Base.Asserted, kb.Base.Derived));
            }
        }
    }

    // Not only the facts: which of several equal reasons a fact has, and the order in which facts are told.
    [Fact]
    public void It_is_the_same_every_time()
    {
        var text = Model(new Random(1), 80);
        var runs = Enumerable.Range(0, 6).Select(_ =>
        {
            var kb = new Kb(text, Rules, Together(4, 0));
            using var rows = kb.Base.Query(kind: FactKind.Derived);
            return string.Join('\n', rows.Select(row => $"{row.Degree} {Kb.Text(kb.Base.Explain(row.Fact)!)}"));
        }).ToList();
        Assert.All(runs, run => Assert.Equal(runs[0], run));
        Assert.True(runs[0].Length > 100_000);
    }

    // What was entered and has no row yet is taken out again.
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void What_goes_over_a_limit_leaves_nothing_behind(int threads)
    {
        var kb = new Kb(Model(new Random(2), 20), Rules, Together(threads, 0) with { DerivationLimit = 2_000 });
        Assert.Null(kb.Error);
        var before = Facts(kb);
        for (var round = 0; round < 3; round++)
        {
            using (var refused = kb.Put(kb.Facts(Model(new Random(round), 200), "more")))
                Assert.Equal(EngineErrorKind.DerivationLimit, refused.Error?.Kind);
            Assert.Equal(before, Facts(kb));
        }
        using (var commit = kb.Put(kb.Facts(":n0 :next :n1. :a :next :b.", "more")))
            Assert.Null(commit.Error);
        Assert.Contains("<http://e/a> <http://e/reaches> <http://e/b> . 0.9", Facts(kb));
        using (kb.RemoveFacts("more"))
            Assert.Equal(before, Facts(kb));
    }

    [Fact]
    public void A_fact_that_is_written_twice_is_asserted_once()
    {
        var kb = new Kb(options: Together(2, 0));
        var text = string.Concat(Enumerable.Repeat(Model(new Random(3), 100), 2));
        foreach (var name in new[] { "one", "two" })
        {
            using var commit = kb.Put(kb.Facts(text, name));
        }
        var asserted = kb.Base.Asserted;
        using (kb.RemoveFacts("one"))
            Assert.Equal(asserted, kb.Base.Asserted);
        using (kb.RemoveFacts("two"))
            Assert.Equal(0, kb.Base.Asserted);
    }

    private static EngineOptions Together(int threads, int compileAfter) =>
        new() { Threads = threads, ParallelThreshold = 1, CompileAfter = compileAfter };

    private static (List<string> Facts, List<string> Report) Changed(Kb kb, Func<Kb, Commit> change)
    {
        using var commit = change(kb);
        Assert.Null(commit.Error);
        return (Facts(kb), [.. commit.Derived.Select(change => $"{change.Kind} {kb.Base.Terms.Line(change.Fact)} {change.Before} {change.Degree}")
            .Concat(commit.Asserted.Select(fact => kb.Base.Terms.Line(fact))).Order(StringComparer.Ordinal)]);
    }

    private static List<string> Facts(Kb kb)
    {
        using var rows = kb.Base.Query();
        return [.. rows.Select(row => string.Create(CultureInfo.InvariantCulture, $"{kb.Base.Terms.Line(row.Fact)} {row.Degree}")).Order(StringComparer.Ordinal)];
    }

    private static string Model(Random random, int nodes)
    {
        var text = new StringBuilder();
        for (var i = 0; i < nodes; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} :next :n{random.Next(nodes)}; :far :n{random.Next(nodes)}; :kind :k{random.Next(5)}.\n");
        return text.ToString();
    }
}
