using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Infer;

/// <summary>What a question is about: entities, those of them that are at a location, or all that is there, step by step along <c>iot:locatedIn</c>.</summary>
internal sealed class InferScope(Knowledge knowledge)
{
    /// <summary>Names and terms; no term when nothing is known of it.</summary>
    public IReadOnlyList<(string Name, TermId Id)> Of(Contracts.Infer request)
    {
        var entities = (request.Entities ?? []).Select(entity => Named(Names.Entity(entity.Type ?? "", entity.Id!))).DistinctBy(named => named.Name).ToList();
        if (request.Context?.Location is not { Length: > 0 } location)
            return entities;
        var place = Named(Names.OfLocation(location));
        if (place.Id.IsNone)
            return entities.Count == 0 ? [place] : [];
        return entities.Count == 0
            ? [.. Reached(place.Id, id => knowledge.Base.Query(predicate: knowledge.LocatedIn, @object: id), fact => fact.Subject).Select(id => (NameOf(id), id))]
            : [.. entities.Where(entity => !entity.Id.IsNone && Reached(entity.Id, id => knowledge.Base.Query(id, knowledge.LocatedIn), fact => fact.Object).Contains(place.Id))];
    }

    private (string Name, TermId Id) Named(string name) => (name, knowledge.Terms.Find(Knowledge.TermOfName(name)));

    private string NameOf(TermId id) => Inferences.InferenceJson.NameOf(knowledge.Terms[id]);

    private static HashSet<TermId> Reached(TermId from, Func<TermId, FactSnapshot> step, Func<TripleId, TermId> next)
    {
        HashSet<TermId> reached = [from];
        var open = new Queue<TermId>([from]);
        while (open.TryDequeue(out var id))
        {
            using var facts = step(id);
            for (var i = 0; i < facts.Count; i++)
            {
                if (next(facts[i].Fact) is var found && reached.Add(found))
                    open.Enqueue(found);
            }
        }
        return reached;
    }
}
