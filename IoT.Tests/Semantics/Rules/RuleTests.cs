using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Tests.Semantics.Turtle;
using Xunit;

namespace IoT.Tests.Semantics.Rules;

/// <summary>The rule language by its cases: what rules derive, and which are refused.</summary>
public sealed class RuleTests
{
    public static TheoryData<string> Reasoning => [.. Cases("Reasoning.txt").Select(item => item.Title)];

    public static TheoryData<string> Refused => [.. Cases("Refused.txt").Select(item => item.Title)];

    [Theory]
    [MemberData(nameof(Reasoning))]
    public void Rules_derive_what_they_say_and_nothing_else(string title)
    {
        var parts = Cases("Reasoning.txt").Single(item => item.Title == title).Text.Split("---");
        var expected = TurtleCases.Expected(parts[2]).Order(StringComparer.Ordinal).ToList();
        foreach (var compiled in new[] { true, false })
        {
            var knowledge = new KnowledgeBase(new EngineOptions { CompileRules = compiled, Threads = 1 });
            knowledge.PutRules(parts[1]);
            knowledge.PutFacts(parts[0]);
            Assert.Equal(expected, knowledge.Lines(FactKind.Derived));
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_is_not_supported_or_makes_no_sense_is_named_with_its_place(string title)
    {
        var parts = title.Split(" | ");
        var text = Cases("Refused.txt").Single(item => item.Title == title).Text.TrimEnd('\n');
        Assert.Null(RuleParser.Parse("test", Encoding.UTF8.GetBytes(Knowledge.Prefixes + text), null, out var error));
        Assert.NotNull(error);
        Assert.All(parts[2].Split(", "), words => Assert.Contains(words, error.Message, StringComparison.Ordinal));
        Assert.Equal(parts[1], FormattableString.Invariant($"{error.Line - 1}:{error.Column}"));
    }

    [Fact]
    public void A_rule_takes_its_name_its_confidence_and_its_delays_from_the_comments_above_it()
    {
        const string Text =
            """
            # A file of rules. @name is explained elsewhere.
            @prefix : <http://e/> .
            # @prefix old: <http://old/> .

            # @name overheating, quickly
            # @confidence 0.95
            # what it is about
            # @for 30s
            #@clear-after 1500ms
            { ?x :v ?y . # @name not this one
            } => { ?x a :Hot } . # @name nor this one
            { ?x :w ?y } => { ?x a :Wet } .
            # @confidence .5
            { ?x a :Dry } <= { ?x :u ?y } .
            """;
        var rules = RuleParser.Parse("plant", Encoding.UTF8.GetBytes(Text), null, out var error);
        Assert.True(rules is not null, error?.ToString());
        Assert.Equal(
            [
                new RuleInfo("plant", "overheating, quickly", 0.95, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(1.5)),
                new RuleInfo("plant", "plant#2", 1, default, default),
                new RuleInfo("plant", "plant#3", 0.5, default, default),
            ],
            rules.Rules.Select(rule => rule.Info));
        Assert.Equal([10, 12, 14], rules.Rules.Select(rule => rule.Line));
    }

    [Fact]
    public void A_blank_node_in_a_head_is_one_for_each_way_to_bind_the_heads_variables()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
        knowledge.PutRules("{ ?x :p ?y } => { [] :of ?x ; :is _:b . _:b :of ?y } .");
        knowledge.PutFacts(":a :p 1 . :b :p 2 .");
        var before = knowledge.Lines(FactKind.Derived);
        Assert.Equal(6, before.Count);
        Assert.Equal(4, before.Select(line => line.Split(' ')[0]).Distinct().Count());
        // The same again: the same nodes.
        knowledge.PutFacts(":a :p 1 . :b :p 2 . :c :p 3 .");
        Assert.Equal(9, knowledge.Lines(FactKind.Derived).Count);
        knowledge.PutFacts(":a :p 1 . :b :p 2 .");
        Assert.Equal(before, knowledge.Lines(FactKind.Derived));
        var again = new KnowledgeBase(new EngineOptions { Threads = 1, CompileRules = false });
        again.PutFacts(":a :p 1 . :b :p 2 .");
        again.PutRules("{ ?x :p ?y } => { [] :of ?x ; :is _:b . _:b :of ?y } .");
        Assert.Equal(before, again.Lines(FactKind.Derived));
    }

    [Fact]
    public void A_rule_that_negates_what_depends_on_it_is_refused_and_the_cycle_is_named()
    {
        const string Text =
            """
            # @name on
            { ?x a :D . ?s log:notIncludes { ?x :is :off } } => { ?x :is :on } .
            # @name off
            { ?x :is :warm } => { ?x :is :off } .
            # @name warm
            { ?x :is :on } => { ?x :is :warm } .
            """;
        var knowledge = new KnowledgeBase(new EngineOptions());
        var error = knowledge.TryPutRules(Text)!;
        Assert.Equal(EngineErrorKind.NotStratified, error.Kind);
        Assert.All(["'on'", "'off'", "'warm'"], name => Assert.Contains(name, error.Message, StringComparison.Ordinal));
        Assert.Equal(3, error.Line);
    }

    [Fact]
    public void A_rule_that_collects_what_depends_on_it_is_refused()
    {
        var knowledge = new KnowledgeBase(new EngineOptions());
        Assert.Equal(EngineErrorKind.NotStratified, knowledge.TryPutRules("{ ?x a :D . (?y { ?y :n ?z } ?l) log:collectAllIn ?s . ?l list:length ?n } => { ?x :n ?n } .")!.Kind);
    }

    [Fact]
    public void A_rule_that_never_ends_is_stopped_and_nothing_of_it_stays()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { DerivationLimit = 10_000 });
        knowledge.PutFacts(":a :n 1 .");
        var error = knowledge.TryPutRules("{ ?x :n ?v . (?v 1) math:sum ?w } => { ?x :n ?w } .")!;
        Assert.Equal(EngineErrorKind.DerivationLimit, error.Kind);
        Assert.Contains("10000", error.Message, StringComparison.Ordinal);
        Assert.Equal(EngineErrorKind.DerivationLimit, knowledge.TryPutRules("{ ?x :n ?v } => { _:b :n ?v ; :of ?x } .")!.Kind);
        Assert.Empty(knowledge.Lines(FactKind.Derived));
        Assert.Equal(1, knowledge.Asserted);
        knowledge.PutRules("{ ?x :n ?v } => { ?x :m ?v } .");
        Assert.Single(knowledge.Lines(FactKind.Derived));
    }

    [Fact]
    public void Rules_of_a_megabyte_are_read_in_a_moment()
    {
        var text = string.Concat(Enumerable.Range(0, 10_000).Select(i => FormattableString.Invariant($"# @name r{i}\n{{ ?x :p{i} ?v . ?v math:greaterThan {i}.5 }} => {{ ?x a :C{i} }} .\n")));
        Assert.Equal(10_000, Knowledge.Rules(text).Rules.Count);
    }

    [Fact]
    public void Formulas_that_are_nested_too_deeply_are_refused()
    {
        foreach (var open in new[] { "{ ", "( ", "[ :p " })
        {
            Assert.Null(RuleParser.Parse("test", Encoding.UTF8.GetBytes(Knowledge.Prefixes + string.Concat(Enumerable.Repeat(open, 100_000))), null, out var error));
            Assert.Contains("nested more than", error!.Message, StringComparison.Ordinal);
        }
    }

    private static IEnumerable<(string Title, string Text)> Cases(string file) => TurtleCases.Read(file, "Rules");
}
