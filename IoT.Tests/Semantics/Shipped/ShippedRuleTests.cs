using System.Text;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Shipped;
using Xunit;

namespace IoT.Tests.Semantics.Shipped;

/// <summary>Each rule that is shipped, by a conclusion that only it draws.</summary>
public sealed class ShippedRuleTests
{
    private const string Prefixes =
        """
        @prefix : <http://e/> . @prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
        @prefix iot: <urn:iot:vocab:> . @prefix metric: <urn:iot:metric:> . @prefix brick: <https://brickschema.org/schema/Brick#> .

        """;

    private static readonly Dictionary<string, (string Facts, string Conclusion)> Cases = new(StringComparer.Ordinal)
    {
        ["rdfs-domain"] = (":p rdfs:domain :C . :a :p :b .", ":a a :C"),
        ["rdfs-range"] = (":p rdfs:range :C . :a :p :b .", ":b a :C"),
        ["rdfs-subproperty-transitive"] = (":p rdfs:subPropertyOf :q . :q rdfs:subPropertyOf :r .", ":p rdfs:subPropertyOf :r"),
        ["rdfs-subproperty"] = (":p rdfs:subPropertyOf :q . :a :p 1 .", ":a :q 1"),
        ["rdfs-subclass-transitive"] = (":C rdfs:subClassOf :D . :D rdfs:subClassOf :E .", ":C rdfs:subClassOf :E"),
        ["rdfs-subclass"] = (":C rdfs:subClassOf :D . :a a :C .", ":a a :D"),
        ["owl-inverse"] = (":p owl:inverseOf :q . :a :p :b .", ":b :q :a"),
        ["owl-inverse-back"] = (":p owl:inverseOf :q . :a :q :b .", ":b :p :a"),
        ["owl-symmetric"] = (":p a owl:SymmetricProperty . :a :p :b .", ":b :p :a"),
        ["owl-transitive"] = (":p a owl:TransitiveProperty . :a :p :b . :b :p :c .", ":a :p :c"),
        ["owl-equivalent-class"] = (":C owl:equivalentClass :D .", ":D rdfs:subClassOf :C"),
        ["owl-equivalent-property"] = (":p owl:equivalentProperty :q .", ":q rdfs:subPropertyOf :p"),
        ["owl-functional"] = (":p a owl:FunctionalProperty . :a :p :b , :c .", ":b owl:sameAs :c"),
        ["owl-inverse-functional"] = (":p a owl:InverseFunctionalProperty . :a :p :c . :b :p :c .", ":a owl:sameAs :b"),
        ["owl-same-symmetric"] = (":a owl:sameAs :b .", ":b owl:sameAs :a"),
        ["owl-same-transitive"] = (":a owl:sameAs :b . :b owl:sameAs :c .", ":a owl:sameAs :c"),
        ["owl-same-subject"] = (":a owl:sameAs :b ; :p 1 .", ":b :p 1"),
        ["owl-same-predicate"] = (":p owl:sameAs :q . :a :p 1 .", ":a :q 1"),
        ["owl-same-object"] = (":a owl:sameAs :b . :x :p :a .", ":x :p :b"),
        ["machine-running"] = (":m a iot:Machine ; metric:power 0.6 .", ":m iot:state iot:Running"),
        ["worn-bearing"] = (":m a iot:Machine ; iot:maxVibration 2.8 ; metric:vibration 2.81 .", ":m iot:needs iot:Inspection"),
        ["room-too-warm"] = (":s a iot:ClimateSensor ; iot:locatedIn :r ; metric:temperature 28.5 . :r iot:maxTemperature 28 .", ":r iot:condition iot:TooWarm"),
        ["cooling-failed"] = (":r iot:isCritical true ; iot:condition iot:TooWarm .", ":r iot:needs iot:Cooling"),
        ["low-voltage"] = (":m a iot:PowerMeter ; metric:voltage 215.9 .", ":m iot:condition iot:LowVoltage"),
        ["supply-at-risk"] = (":m iot:condition iot:LowVoltage ; brick:feeds :r .", ":r iot:condition iot:SupplyAtRisk"),
        ["part-of-place"] = (":m iot:locatedIn :r . :r iot:locatedIn :h .", ":m iot:within :h"),
        ["part-of-larger-place"] = (":m iot:within :r . :r iot:locatedIn :h .", ":m iot:within :h"),
        ["place-needs-attention"] = (":m iot:needs iot:Inspection ; iot:within :h .", ":h iot:attention :m"),
    };

    public static TheoryData<string, string> Rules
    {
        get
        {
            var rules = new TheoryData<string, string>();
            foreach (var shipped in ShippedDocuments.All.Where(document => document.Kind == DocumentKind.Rules))
            {
                foreach (var rule in Parse(shipped).Rules)
                    rules.Add(shipped.Name, rule.Name);
            }
            return rules;
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Every_shipped_rule_draws_its_conclusion(string document, string name)
    {
        var rules = Parse(ShippedDocuments.Find(DocumentKind.Rules, document)!);
        var (facts, conclusion) = Cases[name];
        var wanted = new KnowledgeBase(new EngineOptions { Threads = 1 });
        Put(wanted, conclusion + " .");
        Assert.Contains(wanted.Lines().Single(), Derived(rules.Rules));
        // By no other rule of the file; that sameAs is transitive follows from what it says of objects, too.
        if (name != "owl-same-transitive")
            Assert.DoesNotContain(wanted.Lines().Single(), Derived([.. rules.Rules.Where(rule => rule.Name != name)]));

        List<string> Derived(IReadOnlyList<Rule> some)
        {
            var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
            using var commit = knowledge.Put(rules with { Rules = some });
            Knowledge.Check(commit.Error);
            Put(knowledge, facts);
            return knowledge.Lines(FactKind.Derived);
        }
    }

    [Fact]
    public void The_vocabulary_puts_our_names_under_those_of_sosa_brick_and_rec()
    {
        var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
        var model = FactDocument.Parse(knowledge.Terms, "iot", ShippedDocuments.Find(DocumentKind.Model, "iot")!.Content, null, out _, CancellationToken.None)!;
        using var commit = knowledge.Load([model], [Parse(ShippedDocuments.Find(DocumentKind.Rules, "rdfs")!)], TestContext.Current.CancellationToken);
        Knowledge.Check(commit.Error);
        Put(knowledge, ":s a iot:TemperatureSensor ; iot:locatedIn :r . :r a iot:Room .");
        const string type = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>";
        Assert.Superset(
            new HashSet<string>
            {
                $"<http://e/s> {type} <http://www.w3.org/ns/sosa/Sensor> .",
                $"<http://e/s> {type} <https://brickschema.org/schema/Brick#Temperature_Sensor> .",
                "<http://e/s> <https://w3id.org/rec#locatedIn> <http://e/r> .",
                $"<http://e/r> {type} <https://w3id.org/rec#Room> .",
            },
            knowledge.Lines(FactKind.Derived).ToHashSet());
    }

    private static void Put(KnowledgeBase knowledge, string text)
    {
        using var commit = knowledge.Put(FactDocument.Parse(knowledge.Terms, "facts", Encoding.UTF8.GetBytes(Prefixes + text), null, out _, CancellationToken.None)!);
        Knowledge.Check(commit.Error);
    }

    private static RuleSet Parse(ShippedDocument document) =>
        RuleParser.Parse(document.Name, document.Content, null, out var error) ?? throw new InvalidOperationException(error!.ToString());
}
