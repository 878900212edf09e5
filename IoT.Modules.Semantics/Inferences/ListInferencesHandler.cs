using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Inferences;

internal sealed class ListInferencesHandler(SemanticEngine engine, InferenceOutbox outbox, InferenceStore store) : IRequestHandler<ListInferences, Outcome<Page<Inference>>>
{
    private const int DefaultLimit = 100;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    public async Task<Outcome<Page<Inference>>> Handle(ListInferences request, CancellationToken cancellationToken)
    {
        // What came before the question is in the answer.
        var followed = await engine.InTurnAsync<Done>(static _ => default(Done), cancellationToken);
        if (followed.Failure is { } failure)
            return failure;
        if (!await outbox.WrittenAsync(LongestWait, cancellationToken))
            return new Failure(FailureKind.Unavailable, "The database has not taken all inferences yet; try again in a moment.");

        var limit = request.Limit ?? DefaultLimit;
        InferenceCursor? after = request.Cursor is not null && InferenceCursor.TryParse(request.Cursor, out var cursor) ? cursor : null;
        var rows = await store.ListAsync(request.Subject is null ? null : Names.OfSubject(request.Subject), request.Rule, request.Active, after, limit, cancellationToken);
        var page = rows.Take(limit).ToList();
        var next = rows.Count > limit ? new InferenceCursor(page[^1].RaisedAt, page[^1].Id).ToString() : null;
        if (page.All(inference => inference.ClearedAt is not null))
            return new Page<Inference>(page, next);
        return await engine.InTurnAsync<Page<Inference>>(knowledge => new Page<Inference>([.. page.Select(inference => AsOfNow(inference, knowledge))], next), cancellationToken);
    }

    // One that is about to be cleared holds no longer: its explanation is the one that it was raised with.
    private static Inference AsOfNow(Inference inference, Knowledge knowledge) =>
        inference.ClearedAt is null && knowledge.Explain(new InferenceKey(inference.Subject, inference.Predicate, inference.Value)) is { } explained
            ? inference with { Because = explained.Because, Confidence = explained.Confidence, Rule = explained.Rule }
            : inference;
}
