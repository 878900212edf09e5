using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Documents;

/// <summary>What was refused and why, for those who look at the page and not at the answer to whoever put it.</summary>
internal sealed class RefusedDocuments(TimeProvider time) : IRequestHandler<ListRefusedDocuments, Outcome<Page<RefusedDocument>>>
{
    private const int Most = 50;
    private const int LongestReason = 1_000;

    private readonly Lock _lock = new();
    private readonly List<RefusedDocument> _refused = [];

    /// <param name="by">Empty: it was refused at a start.</param>
    public void Add(DocumentKind kind, string name, string by, string reason)
    {
        lock (_lock)
        {
            Remove(kind, name);
            _refused.Insert(0, new RefusedDocument(kind, name, time.GetUtcNow().UtcDateTime, by, reason.Length <= LongestReason ? reason : reason[..LongestReason]));
            if (_refused.Count > Most)
                _refused.RemoveAt(Most);
        }
    }

    /// <summary>A version of it holds, or it was taken out.</summary>
    public void PutRight(DocumentKind kind, string name)
    {
        lock (_lock)
            Remove(kind, name);
    }

    public Task<Outcome<Page<RefusedDocument>>> Handle(ListRefusedDocuments request, CancellationToken cancellationToken)
    {
        lock (_lock)
            return Task.FromResult<Outcome<Page<RefusedDocument>>>(new Page<RefusedDocument>([.. _refused], null));
    }

    private void Remove(DocumentKind kind, string name) => _refused.RemoveAll(one => one.Kind == kind && one.Name == name);
}
