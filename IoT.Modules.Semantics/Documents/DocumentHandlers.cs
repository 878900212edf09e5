using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Semantics.Shipped;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Documents;

/// <summary>
/// Changes of documents: checked, given to the engine and written, or none of it. Readings that come while a large document is taken in
/// wait with the latest values.
/// </summary>
internal sealed class DocumentHandlers(DocumentStore store, SemanticEngine engine, RefusedDocuments refused) :
    IRequestHandler<PutDocument, Outcome<DocumentChange>>,
    IRequestHandler<PutShipped, Outcome<DocumentChange>>,
    IRequestHandler<RestoreDocument, Outcome<DocumentChange>>,
    IRequestHandler<DeleteDocument, Outcome<DocumentChange>>,
    IRequestHandler<CheckDocument, Outcome<DocumentCheck>>,
    IRequestHandler<ReadDocument, Outcome<DocumentText>>,
    IRequestHandler<ListDocuments, Outcome<Page<DocumentVersion>>>,
    IRequestHandler<ListVersions, Outcome<Page<DocumentVersion>>>
{
    public async Task<Outcome<DocumentChange>> Handle(PutDocument request, CancellationToken cancellationToken)
    {
        var put = await PutAsync(request, cancellationToken);
        if (put.Failure is null)
            refused.PutRight(request.Kind, request.Name);
        else if (put.Failure.Kind is FailureKind.Invalid or FailureKind.TooLarge)
            refused.Add(request.Kind, request.Name, request.Author, put.Failure.Detail);
        return put;
    }

    private async Task<Outcome<DocumentChange>> PutAsync(PutDocument request, CancellationToken cancellationToken)
    {
        var parsed = await ParseAsync(request.Kind, request.Name, request.Content, cancellationToken);
        if (parsed.Failure is { } failure)
            return failure;
        // Also when it never gets to the engine: it holds terms.
        using var document = parsed.Value;
        return await ChangeAsync(
            async transaction =>
            {
                var before = await transaction.CurrentAsync(request.Kind, request.Name, cancellationToken);
                var version = await transaction.PutAsync(request.Kind, request.Name, request.Content, request.Author, cancellationToken);
                return await ReplaceAsync(request.Kind, request.Name, version.Version, parsed.Value, before is null, cancellationToken);
            }, cancellationToken);
    }

    public async Task<Outcome<DocumentChange>> Handle(PutShipped request, CancellationToken cancellationToken) =>
        ShippedDocuments.Find(request.Kind, request.Name) is { } shipped
            ? await Handle(new PutDocument(request.Kind, request.Name, shipped.Content, request.Author), cancellationToken)
            : Failure.NotFound($"Shipped {request.Name}");

    public async Task<Outcome<DocumentChange>> Handle(RestoreDocument request, CancellationToken cancellationToken)
    {
        var versions = await store.VersionsAsync(request.Kind, request.Name, cancellationToken);
        if (versions.Count == 0)
            return Failure.NotFound($"{NameOf(request.Kind)} {request.Name}");
        var wanted = request.Version ?? versions.FirstOrDefault(version => !version.IsCurrent)?.Version;
        if (wanted is null || await store.ReadAsync(request.Kind, request.Name, wanted, cancellationToken) is not { } stored)
            return Failure.NotFound(wanted is null ? $"An earlier version of {NameOf(request.Kind)} {request.Name}" : $"Version {wanted} of {NameOf(request.Kind)} {request.Name}");
        var parsed = await ParseAsync(request.Kind, request.Name, stored.Content, cancellationToken);
        if (parsed.Failure is { } failure)
            return failure;
        using var document = parsed.Value;
        var restored = await ChangeAsync(
            async transaction =>
            {
                var before = await transaction.CurrentAsync(request.Kind, request.Name, cancellationToken);
                if (await transaction.PointAsync(request.Kind, request.Name, wanted.Value, cancellationToken) is null)
                    return Failure.NotFound($"Version {wanted} of {NameOf(request.Kind)} {request.Name}");
                return await ReplaceAsync(request.Kind, request.Name, wanted.Value, parsed.Value, before is null, cancellationToken);
            }, cancellationToken);
        if (restored.Failure is null)
            refused.PutRight(request.Kind, request.Name);
        return restored;
    }

    public async Task<Outcome<DocumentChange>> Handle(DeleteDocument request, CancellationToken cancellationToken)
    {
        var deleted = await ChangeAsync(
            async transaction =>
            {
                if (await transaction.CurrentAsync(request.Kind, request.Name, cancellationToken) is not { } current)
                    return Failure.NotFound($"{NameOf(request.Kind)} {request.Name}");
                await transaction.DeleteAsync(request.Kind, request.Name, cancellationToken);
                // An engine that can't live with a document must not keep people from taking it out.
                return engine.IsRunning
                    ? await ReplaceAsync(request.Kind, request.Name, current.Version, null, false, cancellationToken)
                    : new DocumentChange(request.Name, current.Version, 0, 0, 0, 0, 0, false);
            }, cancellationToken);
        if (deleted.Failure is null)
            refused.PutRight(request.Kind, request.Name);
        return deleted;
    }

    public async Task<Outcome<DocumentCheck>> Handle(CheckDocument request, CancellationToken cancellationToken)
    {
        var parsed = await ParseAsync(request.Kind, request.Name ?? "(checked)", request.Content, cancellationToken);
        if (parsed.Failure is { } failure)
            return failure;
        using (parsed.Value)
        {
            return await engine.InTurnAsync<DocumentCheck>(
                knowledge =>
                {
                    if (parsed.Value.Terms != knowledge.Terms)
                        return new Failure(FailureKind.Unavailable, "The engine was made anew meanwhile; try again in a moment.");
                    var check = knowledge.Check(parsed.Value);
                    return check.Failure is { } wrong ? Refused(wrong) : check;
                }, cancellationToken);
        }
    }

    public async Task<Outcome<DocumentText>> Handle(ReadDocument request, CancellationToken cancellationToken) =>
        await store.ReadAsync(request.Kind, request.Name, request.Version, cancellationToken) is { } stored
            ? new DocumentText(stored.Name, stored.Version, stored.Content)
            : Failure.NotFound(request.Version is { } version ? $"Version {version} of {NameOf(request.Kind)} {request.Name}" : $"{NameOf(request.Kind)} {request.Name}");

    public async Task<Outcome<Page<DocumentVersion>>> Handle(ListDocuments request, CancellationToken cancellationToken) =>
        new Page<DocumentVersion>(await store.ListAsync(request.Kind, cancellationToken), null);

    public async Task<Outcome<Page<DocumentVersion>>> Handle(ListVersions request, CancellationToken cancellationToken) =>
        await store.VersionsAsync(request.Kind, request.Name, cancellationToken) is { Count: > 0 } versions
            ? new Page<DocumentVersion>(versions, null)
            : Failure.NotFound($"{NameOf(request.Kind)} {request.Name}");

    private async Task<Outcome<DocumentChange>> ChangeAsync(Func<DocumentStore.Transaction, Task<Outcome<DocumentChange>>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await store.ChangeAsync(work, cancellationToken);
        }
        catch (CommitFailedException)
        {
            // The engine may have what the database has not: it starts anew from that.
            await engine.StopAsync();
            return new Failure(FailureKind.Unavailable, "The database does not answer; whether the change was made will show in a moment.");
        }
    }

    private Task<Outcome<DocumentChange>> ReplaceAsync(DocumentKind kind, string name, int version, ParsedDocument? parsed, bool isNew, CancellationToken cancellationToken) =>
        engine.InTurnAsync<DocumentChange>(
            knowledge =>
            {
                // It was read into the terms of a knowledge that has been made anew meanwhile.
                if (parsed is not null && parsed.Terms != knowledge.Terms)
                    return new Failure(FailureKind.Unavailable, "The engine was made anew meanwhile; try again in a moment.");
                var count = parsed?.Count ?? 0;
                var replaced = knowledge.Replace(kind, name, parsed, cancellationToken);
                if (replaced.Failure is { } failure)
                    return Refused(failure);
                engine.Changed(knowledge, replaced.Value);
                return new DocumentChange(name, version, count, knowledge.Asserted, knowledge.Derived, replaced.Value.Appeared.Count, replaced.Value.Vanished.Count, isNew);
            }, cancellationToken);

    // Names of what was too large stay in an engine's memory, where the next would find no room.
    private Failure Refused(Failure failure)
    {
        if (failure.Kind == FailureKind.TooLarge)
            engine.Renew();
        return failure;
    }

    private async Task<Outcome<ParsedDocument>> ParseAsync(DocumentKind kind, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        engine.Knowledge is { } knowledge
            ? await Task.Run(() => ParsedDocument.Parse(knowledge.Terms, kind, name, content, cancellationToken), cancellationToken)
            : (await engine.InTurnAsync(knowledge => ParsedDocument.Parse(knowledge.Terms, kind, name, content, cancellationToken), cancellationToken));

    private static string NameOf(DocumentKind kind) => kind == DocumentKind.Model ? "Model" : "Rules";
}
