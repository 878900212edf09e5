using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Inferences;

/// <summary>What the page shows, of one moment.</summary>
/// <param name="HasMoreActive">More hold than are shown.</param>
/// <param name="HasMorePast">There are older ones.</param>
internal sealed record ShownInferences(DateTime Now, IReadOnlyList<ShownInference> Active, bool HasMoreActive, IReadOnlyList<ShownInference> Past, bool HasMorePast)
{
    /// <summary>Why nothing can be said of inferences now; null: it can.</summary>
    public string? Trouble { get; init; }
}

/// <summary>What is inferred now and what was, each with why.</summary>
internal sealed class IndexModel(IMediator mediator, TimeProvider time) : SitePage
{
    private const int MostActive = 200;
    private const int MostPast = 50;

    public ShownInferences Shown { get; private set; } = null!;

    /// <summary>What holds, models first.</summary>
    public IReadOnlyList<(DocumentKind Kind, DocumentVersion Document)> Documents { get; private set; } = [];

    /// <summary>What was put or held, and was refused.</summary>
    public IReadOnlyList<RefusedDocument> Refused { get; private set; } = [];

    /// <summary>What comes with the platform and doesn't hold.</summary>
    public IReadOnlyList<ShippedDocument> Off { get; private set; } = [];

    public async Task<IActionResult> OnGetAsync(CancellationToken stop)
    {
        if (await GatherAsync(stop) is { } error)
            return error;
        var documents = new List<(DocumentKind, DocumentVersion)>();
        foreach (var kind in Enum.GetValues<DocumentKind>())
        {
            var listed = await mediator.Send(new ListDocuments(kind), stop);
            if (listed.Failure is { } failure)
                return ErrorPage(failure);
            documents.AddRange(listed.Value.Items.Select(document => (kind, document)));
        }
        Documents = documents;
        var (refused, shipped) = (await mediator.Send(new ListRefusedDocuments(), stop), await mediator.Send(new ListShipped(), stop));
        if ((refused.Failure ?? shipped.Failure) is { } wrong)
            return ErrorPage(wrong);
        Refused = refused.Value.Items;
        Off = [.. shipped.Value.Items.Where(one => !documents.Exists(held => held.Item1 == one.Kind && held.Item2.Name == one.Name))];
        return Page();
    }

    /// <summary>The text of a document that holds, to be read.</summary>
    public async Task<IActionResult> OnGetTextAsync(DocumentKind kind, string? name, CancellationToken stop)
    {
        var read = await mediator.Send(new ReadDocument(kind, name ?? ""), stop);
        return read.Failure is { } failure ? ErrorPage(failure) : File(read.Value.Content.ToArray(), "text/plain; charset=utf-8");
    }

    /// <summary>The text of what comes with the platform.</summary>
    public async Task<IActionResult> OnGetShippedAsync(DocumentKind kind, string? name, CancellationToken stop)
    {
        var shipped = await mediator.Send(new ListShipped(), stop);
        return shipped.Failure is { } failure ? ErrorPage(failure)
            : shipped.Value.Items.FirstOrDefault(one => one.Kind == kind && one.Name == name) is { } found ? File(found.Content.ToArray(), "text/plain; charset=utf-8") : NotFound();
    }

    /// <summary>What changes, alone; the page's script puts it in place.</summary>
    public async Task<IActionResult> OnGetLiveAsync(CancellationToken stop) => await GatherAsync(stop) ?? Partial("_Inferences", Shown);

    private async Task<IActionResult?> GatherAsync(CancellationToken stop)
    {
        var active = await mediator.Send(new ListInferences(Active: true, Limit: MostActive), stop);
        var past = await mediator.Send(new ListInferences(Active: false, Limit: MostPast), stop);
        if ((active.Failure ?? past.Failure) is { } failure)
        {
            // What keeps the engine from starting is below, and goes by being looked at and mended.
            if (failure.Kind != FailureKind.Unavailable)
                return ErrorPage(failure);
            Shown = new ShownInferences(time.GetUtcNow().UtcDateTime, [], false, [], false) { Trouble = failure.Detail };
            return null;
        }
        Shown = new ShownInferences(
            time.GetUtcNow().UtcDateTime,
            // What few things have comes first: where things are is true of all of them, and seldom what somebody looks for.
            [.. active.Value.Items.GroupBy(inference => inference.Rule).OrderBy(rule => rule.Count()).SelectMany(rule => rule).Select(ShownInference.Of)], active.Value.NextCursor is not null,
            [.. past.Value.Items.Select(ShownInference.Of)], past.Value.NextCursor is not null);
        return null;
    }
}
