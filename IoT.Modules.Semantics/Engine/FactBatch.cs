using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

internal enum FactBatchKind : byte
{
    Replace,
    Take,
    TakeAll,
    Assert,
    Retract,
}

internal readonly record struct FactBatchItem(FactBatchKind Kind, int Subject, int Predicate, int Object, long Tag);

/// <summary>
/// Changes of facts that belong to no document: values that take one another's place, and facts that are asserted one by one. Keeps
/// their terms in the dictionary until it is disposed of.
/// </summary>
internal sealed class FactBatch(KnowledgeBase knowledge) : IDisposable
{
    private readonly IDisposable _lease = knowledge.Terms.Lease();

    public List<FactBatchItem> Items { get; } = [];

    /// <summary>The one value that a subject has for a predicate.</summary>
    /// <param name="tag">Comes back in explanations.</param>
    public void Replace(TermId subject, TermId predicate, TermId value, long tag = 0) =>
        Items.Add(new(FactBatchKind.Replace, subject.Value, predicate.Value, value.Value, tag));

    /// <summary>There is no such value any more.</summary>
    public void Take(TermId subject, TermId predicate) => Items.Add(new(FactBatchKind.Take, subject.Value, predicate.Value, 0, 0));

    /// <summary>None of the values that were put by <see cref="Replace"/>.</summary>
    public void TakeAllReplaced() => Items.Add(new(FactBatchKind.TakeAll, 0, 0, 0, 0));

    public void Assert(TermId subject, TermId predicate, TermId @object, long tag = 0) =>
        Items.Add(new(FactBatchKind.Assert, subject.Value, predicate.Value, @object.Value, tag));

    public void Retract(TermId subject, TermId predicate, TermId @object) =>
        Items.Add(new(FactBatchKind.Retract, subject.Value, predicate.Value, @object.Value, 0));

    public void Dispose() => _lease.Dispose();
}
