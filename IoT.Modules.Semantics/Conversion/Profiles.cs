using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Conversion;

/// <summary>What a member measures.</summary>
/// <param name="Property">IRI of an observable property; null: the profile doesn't say.</param>
/// <param name="Unit">IRI; null: the profile doesn't say.</param>
internal sealed record Mapping(string? Property, string? Unit);

/// <summary>
/// Profiles of types: <c>iot:TYPE iot:maps [ iot:member "temperature" ; sosa:observedProperty … ; qudt:hasUnit … ]</c>, asserted or derived.
/// </summary>
internal sealed class Profiles
{
    public const string Maps = Names.Vocabulary + "maps";
    public const string Member = Names.Vocabulary + "member";
    public const string ObservedProperty = "http://www.w3.org/ns/sosa/observedProperty";
    public const string Unit = "http://qudt.org/schema/qudt/hasUnit";

    public static Profiles None { get; } = new([]);

    private readonly Dictionary<(string Type, string Member), Mapping> _mappings;

    private Profiles(Dictionary<(string Type, string Member), Mapping> mappings) => _mappings = mappings;

    /// <summary>Members of types that are mapped.</summary>
    public int Count => _mappings.Count;

    /// <summary>Null: no profile maps it.</summary>
    public Mapping? Find(string? type, string member) => type is null ? null : _mappings.GetValueOrDefault((Names.OfType(type), member));

    public bool IsMapped(string? type, Metric metric) => Find(type, metric.Path) is not null;

    public static Profiles Read(Knowledge knowledge)
    {
        var terms = knowledge.Terms;
        var mappings = new Dictionary<(string, string), Mapping>();
        var maps = terms.Find(Term.Iri(Maps));
        if (maps.IsNone)
            return None;
        using var rows = knowledge.Base.Query(predicate: maps);
        for (var i = 0; i < rows.Count; i++)
        {
            var (type, node) = (rows[i].Fact.Subject, rows[i].Fact.Object);
            foreach (var member in ObjectsOf(knowledge, node, Member).Where(term => term.Kind == TermKind.Literal))
            {
                mappings[(terms[type].Value, member.Value)] = new Mapping(
                    ObjectsOf(knowledge, node, ObservedProperty).FirstOrDefault()?.Value, ObjectsOf(knowledge, node, Unit).FirstOrDefault()?.Value);
            }
        }
        return new Profiles(mappings);
    }

    private static List<Term> ObjectsOf(Knowledge knowledge, TermId subject, string predicate)
    {
        var found = new List<Term>();
        var id = knowledge.Terms.Find(Term.Iri(predicate));
        if (id.IsNone)
            return found;
        using var rows = knowledge.Base.Query(subject, id);
        for (var i = 0; i < rows.Count; i++)
            found.Add(knowledge.Terms[rows[i].Fact.Object]);
        found.Sort((a, b) => string.CompareOrdinal(a.Value, b.Value));
        return found;
    }
}
