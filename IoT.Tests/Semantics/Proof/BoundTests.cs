using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Proof;

/// <summary>Depth, size and time have bounds, and what goes over one leaves everything as it was.</summary>
public sealed class BoundTests
{
    [Fact]
    public void A_derivation_a_hundred_thousand_steps_deep_is_made_explained_and_taken_back()
    {
        const int Length = 100_000;
        var knowledge = new KnowledgeBase(new EngineOptions());
        knowledge.PutRules("{ ?x a :Reached . ?x :next ?y } => { ?y a :Reached } .");
        var text = new StringBuilder();
        for (var i = 0; i < Length; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} :next :n{i + 1} .\n");
        knowledge.PutFacts(text.ToString());
        knowledge.PutFacts(":n0 a :Reached .", "start");
        Assert.Equal(Length, knowledge.Derived);
        var type = knowledge.Terms.InternIri("http://www.w3.org/1999/02/22-rdf-syntax-ns#type");
        var explanation = knowledge.Explain(new(knowledge.Name("n" + Length.ToString(CultureInfo.InvariantCulture)), type, knowledge.Name("Reached")));
        Assert.Equal(2, explanation!.Premises.Count);
        using (var commit = knowledge.TakeFacts("start"))
            Assert.Equal(Length, commit.Derived.Count);
        Assert.Equal(0, knowledge.Derived);
    }

    [Fact]
    public void A_join_that_takes_for_ever_is_stopped_and_nothing_has_changed()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { StepLimit = 10_000_000 });
        var text = new StringBuilder();
        for (var i = 0; i < 2_000; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} :p {i} .\n");
        knowledge.PutFacts(text.ToString());
        knowledge.PutRules("{ ?x :p ?v } => { ?x :q ?v } .");
        var error = knowledge.TryPutRules("{ ?a :p ?x . ?b :p ?y . ?c :p ?z . (?x ?y ?z) math:sum -1 } => { ?a :never ?b } .", "slow");
        Assert.Equal(EngineErrorKind.StepLimit, error!.Kind);
        Assert.Equal(2_000, knowledge.Derived);
        knowledge.PutRules("{ ?x :p 1 } => { ?x a :One } .", "slow");
        Assert.Equal(2_001, knowledge.Derived);
    }

    [Fact]
    public void A_join_that_yields_too_much_is_stopped_before_the_memory_is_full()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { DerivationLimit = 100_000 });
        var text = new StringBuilder();
        for (var i = 0; i < 2_000; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} :p {i} .\n");
        knowledge.PutFacts(text.ToString());
        var before = GC.GetTotalMemory(forceFullCollection: true);
        Assert.Equal(EngineErrorKind.DerivationLimit, knowledge.TryPutRules("{ ?a :p ?x . ?b :p ?y } => { ?a :q ?b } .")!.Kind);
        Assert.True(GC.GetTotalMemory(forceFullCollection: true) - before < 100_000_000);
        Assert.Equal((2_000, 0), (knowledge.Asserted, knowledge.Derived));
    }

    // Many changed facts for one negation or aggregation: it is looked at once, not once for each.
    [Theory]
    [InlineData("{ (?x { ?x a :D } ?l) log:collectAllIn ?s . ?l list:length ?n } => { :all :are ?n } .")]
    [InlineData("{ ?r a :Room . (?x { ?x a :D ; :in ?r } ?l) log:collectAllIn ?s . ?l list:length ?n } => { ?r :has ?n } .")]
    [InlineData("{ ?r a :Room . ?s log:notIncludes { ?x a :D } } => { ?r a :Empty } .")]
    [InlineData("{ ?x :in ?r . ?s log:notIncludes { ?y a :Off } } => { ?x a :On } .")]
    public void A_model_with_much_of_what_is_collected_or_negated_loads_in_a_moment(string rule)
    {
        var knowledge = new KnowledgeBase(new EngineOptions { StepLimit = 20_000_000 });
        knowledge.PutRules(rule);
        var text = new StringBuilder(":r a :Room .\n");
        for (var i = 0; i < 20_000; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} a :D , :Off ; :in :r .\n");
        knowledge.PutFacts(text.ToString());
        knowledge.PutFacts("", "facts");
        Assert.True(knowledge.Derived <= 1);
    }

    [Fact]
    public void Over_the_memory_limit_models_are_refused_and_readings_go_on()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { MemoryLimitBytes = 8 << 20 });
        knowledge.PutRules("{ ?x :v ?v . ?v math:greaterThan 5 } => { ?x a :High } .");
        var text = new StringBuilder();
        for (var i = 0; i < 200_000; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} :p {i} .\n");
        var error = knowledge.TryPutFacts(text.ToString());
        Assert.Equal(EngineErrorKind.MemoryLimit, error!.Kind);
        Assert.Contains("8 MiB", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, knowledge.Asserted);
        using var batch = new FactBatch(knowledge);
        batch.Replace(knowledge.Name("a"), knowledge.Name("v"), knowledge.Number(6));
        using var commit = knowledge.Change(batch);
        Assert.Null(commit.Error);
        Assert.Equal([":a", ":High"], commit.Derived.SelectMany(change => new[] { change.Fact.Subject, change.Fact.Object }).Select(term => knowledge.Terms[term].Value.Replace("http://e/", ":", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_million_changing_readings_leave_no_memory_behind()
    {
        var knowledge = new KnowledgeBase(new EngineOptions());
        knowledge.PutRules("{ ?x :v ?v . ?v math:greaterThan 500000 } => { ?x a :High ; :is ?v } .");
        var value = 0;
        Replace(200);
        var (bytes, terms) = (knowledge.Bytes, knowledge.Terms.Count);
        Replace(2_000);
        Assert.True(knowledge.Bytes < (bytes * 2) + 1_000_000, $"{bytes} bytes, then {knowledge.Bytes}");
        Assert.True(knowledge.Terms.Count < terms + 200_000, $"{terms} terms, then {knowledge.Terms.Count}");
        Assert.Equal(100, knowledge.Asserted);

        void Replace(int batches)
        {
            for (var i = 0; i < batches; i++)
            {
                using var batch = new FactBatch(knowledge);
                for (var device = 0; device < 100; device++)
                    batch.Replace(knowledge.Name($"d{device}"), knowledge.Name("v"), knowledge.Number((value++ * 7919L) % 1_000_003));
                using var commit = knowledge.Change(batch);
                Assert.Null(commit.Error);
            }
        }
    }

    [Fact]
    public async Task Names_can_be_read_while_literals_are_forgotten()
    {
        var terms = new TermDictionary();
        var names = Enumerable.Range(0, 2_000).Select(i => FormattableString.Invariant($"http://e/name-{i}")).ToArray();
        var ids = names.Select(terms.InternIri).ToArray();
        using var stop = new CancellationTokenSource();
        var begun = new TaskCompletionSource();
        var reading = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                for (var i = 0; i < ids.Length; i++)
                    Assert.Equal(names[i], terms.Text(ids[i].Value));
                begun.TrySetResult();
            }
        }, TestContext.Current.CancellationToken);
        await Task.WhenAny(begun.Task, reading);
        for (var round = 0; round < 300 && !reading.IsCompleted; round++)
        {
            for (var i = 0; i < 2_000; i++)
                terms.Intern(Term.Integer((round * 2_000) + i));
            var before = terms.Count;
            terms.BeginSweep(new System.Collections.BitArray(terms.Limit));
            Assert.True(terms.EndSweep());
            Assert.Equal(before - 2_000, terms.Count);
        }
        await stop.CancelAsync();
        await reading;
        Assert.True(terms.Bytes < 10_000_000);
    }

    [Fact]
    public void A_change_that_is_called_off_has_not_happened()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
        var text = new StringBuilder();
        for (var i = 0; i < 3_000; i++)
            text.Append(CultureInfo.InvariantCulture, $":n{i} :p {i} .\n");
        knowledge.PutFacts(text.ToString());
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        var rules = Knowledge.Rules("{ ?a :p ?x . ?b :p ?y . ?c :p ?z . (?x ?y ?z) math:sum -1 } => { ?a :never ?b } .");
        Assert.ThrowsAny<OperationCanceledException>(() => Dispose(knowledge.Put(rules, stop.Token)));
        Assert.Equal((3_000, 0), (knowledge.Asserted, knowledge.Derived));
        knowledge.PutRules("{ ?x :p 1 } => { ?x a :One } .");
        Assert.Equal(1, knowledge.Derived);

        static void Dispose(Commit commit) => commit.Dispose();
    }
}
