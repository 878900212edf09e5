using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>Terms as texts; those of IRIs are kept, since they come again and again and stay what they are. Not for several threads at once.</summary>
internal sealed class Spelling(TermDictionary terms)
{
    // Then it begins anew.
    private const int MostKept = 500_000;

    private readonly Dictionary<int, (string Name, string Object)> _iris = [];

    public InferenceKey KeyOf(TripleId fact) => new(NameOf(fact.Subject), NameOf(fact.Predicate), ObjectOf(fact.Object));

    /// <summary>An IRI, or <c>_:</c> and a label.</summary>
    public string NameOf(TermId id) => terms.Kind(id.Value) == TermKind.Iri ? Iri(id).Name : InferenceJson.NameOf(terms[id]);

    /// <summary>As in N-Triples.</summary>
    private string ObjectOf(TermId id) => terms.Kind(id.Value) == TermKind.Iri ? Iri(id).Object : terms[id].ToString();

    private (string Name, string Object) Iri(TermId id)
    {
        if (_iris.TryGetValue(id.Value, out var spelled))
            return spelled;
        if (_iris.Count >= MostKept)
            _iris.Clear();
        var name = terms.Text(id.Value);
        return _iris[id.Value] = (name, $"<{name}>");
    }
}
