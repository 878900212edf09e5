using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Engine;

/// <summary>Lists in facts under builtins: followed as they change, explained, and bounded.</summary>
public sealed class ListTests
{
    private const string Rule = "{ ?x :allowed ?l ; :v ?v . ?v list:in ?l } => { ?x a :Ok } .";

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void What_a_list_allows_follows_the_list_and_the_value(bool compile, bool incremental)
    {
        var knowledge = new KnowledgeBase(new EngineOptions { CompileRules = compile, CompileAfter = 0, Incremental = incremental, Threads = 1 });
        knowledge.PutRules(Rule);
        knowledge.PutFacts(":a :allowed (1 2 3) . :b :allowed (1 2 3) .");
        Replace("a", 2);
        Replace("b", 4);
        Assert.Equal(["a"], Ok());
        // Another list, the same name of the document.
        knowledge.PutFacts(":a :allowed (1 3) . :b :allowed (4 5 6 7 8 9 4) .");
        Assert.Equal(["b"], Ok());
        Replace("a", 3);
        Assert.Equal(["a", "b"], Ok());
        // Members in other documents than the list's owner: the last one, the one in the middle, the first one.
        knowledge.PutFacts(":a :allowed :l .");
        knowledge.PutFacts(":l rdf:first 1 ; rdf:rest :m .", "first");
        knowledge.PutFacts(":m rdf:first 2 ; rdf:rest :n .", "middle");
        Assert.Empty(Ok());
        knowledge.PutFacts(":n rdf:first 3 ; rdf:rest rdf:nil .", "last");
        Assert.Equal(["a"], Ok());
        knowledge.PutFacts(":n rdf:first 9 ; rdf:rest rdf:nil .", "last");
        Assert.Empty(Ok());
        knowledge.PutFacts(":m rdf:first 3 ; rdf:rest rdf:nil .", "middle");
        Assert.Equal(["a"], Ok());
        knowledge.TakeFacts("first").Dispose();
        Assert.Empty(Ok());

        void Replace(string name, long value)
        {
            using var batch = new FactBatch(knowledge);
            batch.Replace(knowledge.Name(name), knowledge.Name("v"), knowledge.Number(value));
            using var commit = knowledge.Change(batch);
            Knowledge.Check(commit.Error);
        }

        IEnumerable<string> Ok() => knowledge.Lines(FactKind.Derived).Where(line => line.EndsWith("<http://e/Ok> .", StringComparison.Ordinal)).Select(line => line["<http://e/".Length..line.IndexOf('>', StringComparison.Ordinal)]);
    }

    [Theory]
    [InlineData(false, 0.7, 0.7)]
    [InlineData(true, 0.7 * 0.9 * 0.9, 0.9 * 0.7 * 0.9)]
    public void A_lists_facts_are_premises_and_count_in_the_degree(bool product, double expected, double again)
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Product = product });
        knowledge.PutRules("# @confidence 0.7\n{ ?n :then ?r } => { ?n rdf:rest ?r } .\n# @confidence 0.9\n{ ?n :item ?v } => { ?n rdf:first ?v } .\n# @confidence 0.9\n" + Rule);
        knowledge.PutFacts(":a :allowed :l ; :v 2 . :l rdf:first 1 ; :then :m . :m :item 2 ; rdf:rest () .");
        var explanation = knowledge.Explain(new TripleId(knowledge.Name("a"), knowledge.Terms.InternIri(Rdf.Type), knowledge.Name("Ok")))!;
        Assert.Equal(expected, explanation.Degree, 12);
        Assert.Equal(again, explanation.Degree, 12);
        Assert.Equal(
            [":a :allowed :l", ":a :v 2", ":l rdf:first 1", ":l rdf:rest :m", ":m rdf:first 2", ":m rdf:rest rdf:nil"],
            explanation.Premises.Select(premise => Short(premise.Fact)).Order(StringComparer.Ordinal));
        Assert.Equal([("l", ":l"), ("v", "2"), ("x", ":a")], explanation.Bindings.Select(binding => (binding.Variable, Short(binding.Value))).Order());
        var rest = explanation.Premises.Single(premise => Short(premise.Fact) == ":l rdf:rest :m");
        Assert.Equal(":l :then :m", Short(Assert.Single(rest.Premises).Fact));
        // Asserted, it no longer weakens what stands on it.
        knowledge.PutFacts(":l rdf:rest :m .", "sure");
        Assert.Equal(product ? 0.9 * 0.9 : 0.9, knowledge.Degrees()["<http://e/a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://e/Ok> ."], 12);

        static string Short(object fact) => (fact is Triple triple ? $"{triple.Subject} {triple.Predicate} {triple.Object}" : fact.ToString()!)
            .Replace("<http://www.w3.org/1999/02/22-rdf-syntax-ns#", "rdf:", StringComparison.Ordinal).Replace("<http://e/", ":", StringComparison.Ordinal)
            .Replace("^^<http://www.w3.org/2001/XMLSchema#integer>", "", StringComparison.Ordinal).Replace(">", "", StringComparison.Ordinal).Replace("\"", "", StringComparison.Ordinal);
    }

    [Fact]
    public void Of_two_readings_of_a_list_the_better_one_counts_until_it_is_gone()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
        knowledge.PutRules("# @confidence 0.5\n{ ?n :maybe ?v } => { ?n rdf:first ?v } .\n" + Rule);
        knowledge.PutFacts(":a :allowed :l ; :v 2 . :l :maybe 2 ; rdf:rest () .");
        Assert.Equal(0.5, Degree());
        knowledge.PutFacts(":l rdf:first 2 , 3 .", "sure");
        Assert.Equal(1, Degree());
        knowledge.TakeFacts("sure").Dispose();
        Assert.Equal(0.5, Degree());

        double Degree() => knowledge.Degrees().Single(pair => pair.Key.EndsWith("<http://e/Ok> .", StringComparison.Ordinal)).Value;
    }

    [Fact]
    public void No_fact_is_explained_by_a_list_that_it_is_part_of()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
        knowledge.PutRules("{ ?m list:in :l . ?m :next ?n } => { :k rdf:first ?n } .");
        knowledge.PutFacts(":l rdf:first :a ; rdf:rest :k . :k rdf:first :x ; rdf:rest () . :a :next :y , :z .");
        foreach (var name in new[] { "y", "z" })
        {
            var explanation = knowledge.Explain(new TripleId(knowledge.Name("k"), knowledge.Terms.InternIri(Rdf.First), knowledge.Name(name)))!;
            Assert.Contains(explanation.Premises, premise => premise.Fact.Object == Term.Iri("http://e/a"));
            Assert.DoesNotContain(explanation.Premises, premise => premise.Fact == explanation.Fact);
        }
    }

    [Fact]
    public void Rules_over_lists_are_stratified_beside_those_that_may_conclude_anything()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
        knowledge.PutRules("{ ?p :sub ?q . ?x ?p ?y } => { ?x ?q ?y } . { ?v list:in ?l . ?c :members ?l } => { ?v a ?c } .");
        knowledge.PutFacts(":Colour :members :l . :l :head :red ; rdf:rest () . :head :sub rdf:first . rdf:type :sub :is .");
        Assert.Contains("<http://e/red> <http://e/is> <http://e/Colour> .", knowledge.Lines(FactKind.Derived));
        // But not those that take something away.
        var error = knowledge.TryPutRules("{ ?x :list ?l . ?s log:notIncludes { ?v list:in ?l } } => { ?x rdf:first :none } .", "other");
        Assert.Equal(EngineErrorKind.NotStratified, error!.Kind);
    }

    [Fact]
    public void A_list_of_a_hundred_thousand_is_loaded_looked_at_and_replaced_in_a_moment()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { StepLimit = 5_000_000 });
        knowledge.PutRules("{ ?x :has ?l . ?l list:length ?n } => { ?x :length ?n } . { ?x :has ?l . ?l list:last ?n } => { ?x :last ?n } .");
        knowledge.PutFacts(":a :has (" + string.Join(' ', Enumerable.Range(0, 100_000)) + ") .");
        Assert.Equal(2, knowledge.Derived);
        knowledge.PutFacts(":a :has (" + string.Join(' ', Enumerable.Range(1, 100_000)) + ") .");
        Assert.Contains("<http://e/a> <http://e/last> \"100000\"^^<http://www.w3.org/2001/XMLSchema#integer> .", knowledge.Lines(FactKind.Derived));
        // Beside a model so large that the change is followed and not everything derived anew.
        knowledge.PutFacts(string.Concat(Enumerable.Range(0, 300_000).Select(i => string.Create(CultureInfo.InvariantCulture, $":n{i} :p {i} .\n"))), "large");
        knowledge.PutFacts(":a :has (" + string.Join(' ', Enumerable.Range(1, 50_000)) + ") .");
        Assert.Contains("<http://e/a> <http://e/length> \"50000\"^^<http://www.w3.org/2001/XMLSchema#integer> .", knowledge.Lines(FactKind.Derived));
        knowledge.PutFacts("");
        Assert.Equal(0, knowledge.Derived);
    }

    [Fact]
    public void A_node_that_begins_more_lists_than_can_be_read_is_refused_and_nothing_has_changed()
    {
        var knowledge = new KnowledgeBase(new EngineOptions());
        knowledge.PutRules(Rule);
        var text = new StringBuilder(":a :allowed :n0 ; :v 1 .\n");
        for (var i = 0; i < 30; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} rdf:first 0 , 1 ; rdf:rest :n{i + 1} .\n");
        // As long as it has no end it is no list.
        knowledge.PutFacts(text.ToString());
        var error = knowledge.TryPutFacts(text + ":n30 rdf:first 1 ; rdf:rest () .");
        Assert.Equal(EngineErrorKind.StepLimit, error!.Kind);
        Assert.Contains("<http://e/n0> can be read in more than 1000 ways", error.Message, StringComparison.Ordinal);
        Assert.Equal((92, 0), (knowledge.Asserted, knowledge.Derived));
    }
}
