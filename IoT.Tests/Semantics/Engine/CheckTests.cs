using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Engine;

public sealed class CheckTests
{
    /// <summary>Rules that a check puts before those in force give them other strata; what comes afterwards must find the old ones.</summary>
    [Fact]
    public void A_check_leaves_the_rules_in_force_as_they_were()
    {
        var knowledge = new KnowledgeBase(new EngineOptions());
        using (var put = knowledge.Put(RulesOf("mine", "{ ?x :p ?y } => { ?x :q ?y } . { ?x :q ?y } => { ?x :r ?y } ."), TestContext.Current.CancellationToken))
            Assert.Null(put.Error);
        Assert.Null(knowledge.Check(RulesOf("asked", "{ ?x :a ?y } => { ?x :b ?y } . { ?x :b ?y } => { ?x :c ?y } . { ?x :c ?y } => { ?x :p ?y } ."), TestContext.Current.CancellationToken).Error);

        using var batch = new FactBatch(knowledge);
        batch.Replace(Iri(knowledge, "x"), Iri(knowledge, "p"), Iri(knowledge, "y"));
        using var commit = knowledge.Apply(batch, TestContext.Current.CancellationToken);
        Assert.Equal(2, commit.Derived.Count);
    }

    private static TermId Iri(KnowledgeBase knowledge, string name) => knowledge.Terms.InternIri($"urn:{name}");

    private static RuleSet RulesOf(string name, string text)
    {
        var rules = RuleParser.Parse(name, Encoding.UTF8.GetBytes($"@prefix : <urn:> .\n{text}"), null, out var error);
        Assert.Null(error);
        return rules!;
    }
}
