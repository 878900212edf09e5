using System.Globalization;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Engine;

public sealed class KnowledgeBaseTests
{
    private const string Hot = "# @name hot\n# @confidence 0.9\n{ ?d :t ?v. ?v math:greaterThan 30 } => { ?d a :Hot }.\n";

    [Fact]
    public void A_degree_is_the_best_over_derivations_of_the_weakest_premise()
    {
        var kb = new Kb(":a :p :b. :b :p :c. :a :q :c.", """
            # @confidence 0.5
            { ?x :p ?y } => { ?x :r ?y }.
            # @confidence 0.8
            { ?x :r ?y. ?y :r ?z } => { ?x :s ?z }.
            # @confidence 0.7
            { ?x :q ?y } => { ?x :s ?y }.
            """);
        Assert.Equal(":a :r :b 0.5, :a :s :c 0.7, :b :r :c 0.5", kb.Derived());
        using (kb.Put(kb.Facts(":a :p :b. :b :p :c.")))
            Assert.Equal(0.5, kb.Degree(":a :s :c"));
    }

    [Fact]
    public void Degrees_are_multiplied_when_set_so()
    {
        var kb = new Kb(":a :p :b. :b :p :c.", """
            # @confidence 0.5
            { ?x :p ?y } => { ?x :r ?y }.
            # @confidence 0.8
            { ?x :r ?y. ?y :r ?z } => { ?x :s ?z }.
            """, new EngineOptions { Product = true });
        Assert.Equal(":a :r :b 0.5, :a :s :c 0.2, :b :r :c 0.5", kb.Derived());
    }

    [Fact]
    public void A_value_that_stays_on_its_side_of_a_threshold_changes_nothing_but_the_reason()
    {
        var kb = new Kb(rules: Hot);
        Assert.Equal("", kb.Replace(":d :t 20", 1));
        Assert.Equal("Appeared :d http://www.w3.org/1999/02/22-rdf-syntax-ns#type :Hot", kb.Replace(":d :t 31", 2));
        Assert.Equal("", kb.Replace(":d :t 40.5", 3));
        var fact = new TripleId(kb.Term(":d"), kb.Base.Terms.InternIri(Rdf.Type), kb.Term(":Hot"));
        Assert.EndsWith("by hot (:d :t 40.5 #3)", Kb.Text(kb.Base.Explain(fact)!), StringComparison.Ordinal);
        Assert.Equal(0.9, kb.Base.Find(fact).Degree);
        Assert.Equal("Vanished :d http://www.w3.org/1999/02/22-rdf-syntax-ns#type :Hot", kb.Replace(":d :t 30", 4));
    }

    [Fact]
    public void A_value_that_a_rule_concludes_itself_is_looked_at_whenever_it_changes()
    {
        var kb = new Kb(":d :t 35.", Hot);
        // From now on :t is derived too; the rule about it is made anew.
        using (kb.Put(Kb.Rules("{ ?x :u ?v } => { ?x :t ?v }.", "more")))
            Assert.Contains(":Hot 0.9", kb.Derived(), StringComparison.Ordinal);
        kb.Replace(":d :u 50");
        using (kb.Put(kb.Facts("")))
            Assert.Contains(":Hot 0.9", kb.Derived(), StringComparison.Ordinal);
        Assert.Contains("Vanished", kb.Replace(":d :u 10"), StringComparison.Ordinal);
        using (kb.RemoveRules("more"))
            Assert.Equal("", kb.Derived());
    }

    [Fact]
    public void A_thousand_thresholds_are_told_only_of_what_crosses_them()
    {
        var kb = new Kb(rules: string.Concat(Enumerable.Range(0, 1_000).Select(i => $"{{ ?d :t ?v. ?v math:greaterThan {i} }} => {{ ?d :above {i} }}.\n")));
        kb.Replace(":d :t 500");
        Assert.Equal(500, kb.Base.Derived);
        Assert.Equal("Appeared :d :above 500, Appeared :d :above 501", kb.Replace(":d :t 502"));
        Assert.Equal("", kb.Replace(":d :t 501.5"));
        Assert.Equal("Vanished :d :above 500, Vanished :d :above 501", kb.Replace(":d :t 499.5"));
    }

    [Fact]
    public void Rules_that_negate_or_collect_what_depends_on_them_are_refused_and_the_circle_is_named()
    {
        var kb = new Kb(":a :p :b.", "# @name one\n{ ?x :p ?y } => { ?x :q ?y }.");
        using var commit = kb.Put(Kb.Rules("""
            # @name two
            { ?x :p ?y. ?S log:notIncludes { ?x :s ?y } } => { ?x :r ?y }.
            # @name three
            { ?x :r ?y } => { ?x :s ?y }.
            """, "more"));
        Assert.Equal(EngineErrorKind.NotStratified, commit.Error?.Kind);
        Assert.Contains("'two' -> 'three' -> 'two'", commit.Error!.Message, StringComparison.Ordinal);
        Assert.Equal(3, commit.Error.Line);
        Assert.Equal(":a :q :b", kb.Derived());
    }

    [Fact]
    public void What_is_not_there_and_what_is_collected_is_followed()
    {
        var kb = new Kb(":r a :Room. :s1 :in :r. :s2 :in :r.", """
            { ?r a :Room. (?v { ?s :in ?r. ?s :t ?v } ?l) log:collectAllIn ?S. ?l list:length ?n. ?n math:greaterThan 0. ?l math:sum ?t. (?t ?n) math:quotient ?mean } => { ?r :mean ?mean }.
            { ?r a :Room. ?S log:notIncludes { ?r :mean ?any } } => { ?r a :Silent }.
            """);
        Assert.Contains(":Silent", kb.Derived(), StringComparison.Ordinal);
        kb.Replace(":s1 :t 20");
        Assert.Equal(":r :mean 20.0", kb.Derived());
        kb.Replace(":s2 :t 25");
        Assert.Equal(":r :mean 22.5", kb.Derived());
    }

    [Fact]
    public void An_explanation_goes_down_to_what_is_asserted()
    {
        var kb = new Kb(":s a :Sensor. :s :in :room. :room :in :floor.", """
            # @name transitive
            { ?a :in ?b. ?b :in ?c } => { ?a :in ?c }.
            # @name hot
            # @confidence 0.9
            { ?s a :Sensor; :t ?v; :in ?place. ?v math:greaterThan 30 } => { ?place :has :Heat }.
            """);
        kb.Replace(":s :t 35", 7);
        var explanation = kb.Base.Explain(kb.Triple(":floor :has :Heat"))!;
        Assert.Equal(":floor :has :Heat by hot (:s http://www.w3.org/1999/02/22-rdf-syntax-ns#type :Sensor; :s :t 35 #7; :s :in :floor by transitive (:s :in :room; :room :in :floor))", Kb.Text(explanation));
        Assert.Equal(["place=:floor", "s=:s", "v=35"], explanation.Bindings.Select(binding => $"{binding.Variable}={Kb.Text(binding.Value)}").Order(StringComparer.Ordinal));
        Assert.Null(kb.Base.Explain(kb.Triple(":s :has :Heat")));
    }

    [Fact]
    public void A_long_chain_takes_no_stack()
    {
        var chain = string.Concat(Enumerable.Range(0, 100_000).Select(i => $":n{i} :next :n{i + 1}.\n"));
        var kb = new Kb(chain + ":n0 a :Reached.", "{ ?x a :Reached. ?x :next ?y } => { ?y a :Reached }.");
        Assert.Equal(100_000, kb.Base.Derived);
        using (kb.Put(kb.Facts(":n50000 :next :n50001. :n0 a :Reached.")))
            Assert.Equal(0, kb.Base.Derived);
        using (kb.Put(kb.Facts(chain + ":n99000 a :Reached.")))
            Assert.Equal(1_000, kb.Base.Derived);
        Assert.NotNull(kb.Base.Explain(new TripleId(kb.Term(":n100000"), kb.Base.Terms.InternIri(Rdf.Type), kb.Term(":Reached"))));
    }

    [Theory]
    [InlineData("{ ?x :n ?v. (?v 1) math:sum ?w } => { ?x :n ?w }.", nameof(EngineErrorKind.DerivationLimit))]
    [InlineData("{ ?x :n ?v } => { _:b :n ?v. ?x :made _:b }.", nameof(EngineErrorKind.DerivationLimit))]
    [InlineData("{ ?x :n ?v. (?v 2) math:sum ?w } => { ?x :m ?w }. { ?x :m ?v. (?v ?v) math:product ?w } => { ?x :m ?w }.", nameof(EngineErrorKind.StepLimit))]
    [InlineData("{ ?x :n ?v } => { ?x :m 'aa' }. { ?x :m ?v. (?v ?v) string:concatenation ?w } => { ?x :m ?w }.", nameof(EngineErrorKind.StepLimit))]
    [InlineData("{ ?a :p ?b. ?c :p ?d. ?e :p ?f. ?g :p ?h. ?b :never ?d. ?f :never ?h } => { ?a :q ?h }.", null)]
    [InlineData("{ ?a :p ?b. ?c :p ?d. ?e :p ?f. (?a ?c ?e) list:length 4 } => { ?a :q ?f }.", nameof(EngineErrorKind.StepLimit))]
    public void What_never_ends_is_refused_and_what_was_stays(string rules, string? kind)
    {
        var kb = new Kb(":d :n 1. " + string.Concat(Enumerable.Range(0, 300).Select(i => $":x{i} :p :y{i}.\n")), "{ ?x :n 1 } => { ?x :is :One }.", new EngineOptions { DerivationLimit = 20_000, StepLimit = 5_000_000 });
        using (var commit = kb.Put(Kb.Rules(rules, "more")))
            Assert.Equal(kind, commit.Error?.Kind.ToString());
        Assert.Equal(":d :is :One", kb.Derived());
        Assert.Equal(301, kb.Base.Asserted);
        Assert.Equal("Appeared :e :is :One", kb.Replace(":e :n 1"));
    }

    [Fact]
    public void Over_the_memory_limit_documents_are_refused_and_readings_go_on()
    {
        var kb = new Kb(rules: Hot, options: new EngineOptions { MemoryLimitBytes = 4 << 20 });
        var many = string.Concat(Enumerable.Range(0, 100_000).Select(i => $":x{i} :p :y{i}.\n"));
        using (var commit = kb.Put(kb.Facts(many)))
            Assert.Equal(EngineErrorKind.MemoryLimit, commit.Error?.Kind);
        Assert.Equal(0, kb.Base.Asserted);
        Assert.StartsWith("Appeared", kb.Replace(":d :t 31"), StringComparison.Ordinal);
        // What was refused takes no memory: what is smaller fits.
        Assert.InRange(kb.Base.Bytes, 0, 4 << 20);
        using (var commit = kb.Put(kb.Facts(":a :p :b.")))
            Assert.Null(commit.Error);
    }

    [Fact]
    public void A_change_that_is_given_up_leaves_no_trace()
    {
        var kb = new Kb(string.Concat(Enumerable.Range(0, 2_000).Select(i => $":x{i} :p :y{i % 50}.\n")), "{ ?x :p ?y } => { ?y :of ?x }.");
        var before = kb.Derived();
        Assert.ThrowsAny<OperationCanceledException>(() => kb.PutCanceled(Kb.Rules("{ ?x :p ?y. ?z :p ?y } => { ?x :with ?z }.", "more")));
        Assert.Equal(before, kb.Derived());
        Assert.Equal("Appeared :y :of :x", kb.Replace(":x :p :y"));
    }

    [Fact]
    public void A_check_says_what_would_come_and_go_and_changes_nothing()
    {
        var kb = new Kb(":a :p :b. :b :p :c.", "{ ?x :p ?y } => { ?x :q ?y }.");
        var check = kb.Check(Kb.Rules("{ ?x :p ?y } => { ?y :q ?x }. { ?x :p ?y } => { ?y :r ?x }."));
        Assert.Equal((4L, 2L), (check.Appear, check.Vanish));
        using (var facts = kb.Facts(":a :p :b."))
            Assert.Equal((0L, 1L), (kb.Check(facts).Appear, kb.Check(facts).Vanish));
        Assert.Equal((0L, 2L), (kb.CheckRemoveRules("rules").Appear, kb.CheckRemoveRules("rules").Vanish));
        Assert.Equal(":a :q :b, :b :q :c", kb.Derived());
    }

    [Fact]
    public void An_overlay_sees_other_readings_and_leaves_none()
    {
        var kb = new Kb(rules: Hot);
        kb.Replace(":d :t 40");
        using var batch = new FactBatch(kb.Base);
        batch.TakeAllReplaced();
        batch.Replace(kb.Term(":e"), kb.Term(":t"), kb.Term("50"));
        Assert.Equal(":e http://www.w3.org/1999/02/22-rdf-syntax-ns#type :Hot 0.9", kb.DerivedWith(batch));
        Assert.Equal(":d http://www.w3.org/1999/02/22-rdf-syntax-ns#type :Hot 0.9", kb.Derived());
    }

    [Fact]
    public void Values_that_are_gone_are_forgotten_and_those_that_are_used_are_not()
    {
        var kb = new Kb(":keep :p 123456.", Hot);
        var held = kb.Base.Query(subject: kb.Term(":keep"));
        for (var i = 0; i < 200_000; i++)
        {
            using var batch = new FactBatch(kb.Base);
            batch.Replace(kb.Term(":d"), kb.Term(":t"), kb.Base.Terms.InternLiteral(System.Text.Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture)), new TermId(Known.Integer)));
            using var commit = kb.Apply(batch);
            if (i == 100_000)
            {
                // While somebody holds what there was, nothing goes.
                Assert.InRange(kb.Base.Terms.Count, 100_000, 110_000);
                held.Dispose();
            }
        }
        Assert.InRange(kb.Base.Terms.Count, 1, 160_000);
        Assert.Equal(":keep :p 123456", kb.Text(new TripleId(kb.Term(":keep"), kb.Term(":p"), kb.Base.Query(subject: kb.Term(":keep"))[0].Fact.Object)));
        Assert.Equal("Vanished :d http://www.w3.org/1999/02/22-rdf-syntax-ns#type :Hot", kb.Replace(":d :t 1"));
    }
}
