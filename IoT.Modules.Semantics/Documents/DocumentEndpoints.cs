using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Semantics.Documents;

/// <summary><c>/model</c> and <c>/rules</c>: the same calls over both kinds of documents.</summary>
internal static class DocumentEndpoints
{
    internal const string Turtle = "text/turtle";
    internal const string Notation3 = "text/n3";

    /// <summary>A document as the API's description shows it: a text.</summary>
    internal sealed record RestoreBody(int? Version);

    public static void MapDocuments(this IEndpointRouteBuilder api)
    {
        api.MapKind("/model", DocumentKind.Model, Turtle, "Model", "facts about the site");
        api.MapKind("/rules", DocumentKind.Rules, Notation3, "Rules", "a set of rules");
    }

    private static void MapKind(this IEndpointRouteBuilder api, string path, DocumentKind kind, string contentType, string tag, string what)
    {
        var view = api.MapGroup("").WithTags(tag).RequireAuthorization(Policies.View);
        var operate = api.MapGroup("").WithTags(tag).RequireAuthorization(Policies.Operate);

        view.MapGet(path, async (IMediator mediator, CancellationToken stop) => (await mediator.Send(new ListDocuments(kind), stop)).ToResult())
            .Produces<Page<DocumentVersion>>().WithSummary("What holds, by name");
        view.MapGet($"{path}/{{name}}/versions", async (IMediator mediator, string name, CancellationToken stop) => (await mediator.Send(new ListVersions(kind, name), stop)).ToResult())
            .Produces<Page<DocumentVersion>>().ProducesProblem(404).WithSummary("The versions that are kept, newest first");
        view.MapGet($"{path}/{{name}}", (IMediator mediator, HttpRequest request, string name, int? version, CancellationToken stop) => ReadAsync(mediator, request, kind, name, version, contentType, stop))
            .Produces<string>(200, contentType, kind == DocumentKind.Model ? [TriplesFormat.ContentType] : []).ProducesProblem(404)
            .WithSummary(kind == DocumentKind.Model ? "Its text as it was put, or with Accept: application/n-triples its facts; version: an earlier one" : "Its text as it was put; version: an earlier one");

        operate.MapPut($"{path}/{{name}}", async (IMediator mediator, HttpContext http, SemanticsOptions options, string name, CancellationToken stop) =>
            {
                var content = await DocumentBody.ReadAsync(http, options);
                if (content.Failure is { } failure)
                    return failure.ToResult();
                var put = await mediator.Send(new PutDocument(kind, name, content.Value, http.User.Identity?.Name ?? ""), stop);
                return put.ToResult(put.Failure is null && put.Value.IsNew ? StatusCodes.Status201Created : StatusCodes.Status200OK);
            })
            .WithMetadata(new JsonBody(typeof(string), contentType)).Produces<DocumentChange>().Produces<DocumentChange>(201).ProducesProblem(400).ProducesProblem(413)
            .WithSummary($"Puts {what} in the place of what has that name; answers when everything derived from it holds");
        operate.MapDelete($"{path}/{{name}}", async (IMediator mediator, string name, CancellationToken stop) => (await mediator.Send(new DeleteDocument(kind, name), stop)).ToResult())
            .Produces<DocumentChange>().ProducesProblem(404).WithSummary("It no longer holds; its versions stay and can be restored");
        operate.MapPost($"{path}/{{name}}:restore", async (IMediator mediator, HttpRequest request, string name, int? version, CancellationToken stop) =>
            {
                if (version is null && request.ContentLength is > 0)
                {
                    var body = await Json.ReadBodyAsync<RestoreBody>(request);
                    if (body.Failure is { } failure)
                        return failure.ToResult();
                    version = body.Value.Version;
                }
                return (await mediator.Send(new RestoreDocument(kind, name, version), stop)).ToResult();
            })
            .Produces<DocumentChange>().ProducesProblem(400).ProducesProblem(404).WithSummary("Makes an earlier version hold again (version, in the address or as {\"version\"}); without one the newest that does not hold");
        operate.MapPost($"{path}:check", async (IMediator mediator, HttpContext http, SemanticsOptions options, string? name, CancellationToken stop) =>
            {
                var content = await DocumentBody.ReadAsync(http, options);
                return content.Failure is { } failure ? failure.ToResult() : (await mediator.Send(new CheckDocument(kind, name, content.Value), stop)).ToResult();
            })
            .WithMetadata(new JsonBody(typeof(string), contentType)).Produces<DocumentCheck>().ProducesProblem(400).ProducesProblem(413)
            .WithSummary("How many inferences would appear and vanish, were this put (name: in the place of that one); nothing changes");
    }

    private static async Task<IResult> ReadAsync(IMediator mediator, HttpRequest request, DocumentKind kind, string name, int? version, string contentType, CancellationToken stop)
    {
        var read = await mediator.Send(new ReadDocument(kind, name, version), stop);
        if (read.Failure is { } failure)
            return failure.ToResult();
        request.HttpContext.Response.Headers.ETag = $"\"{read.Value.Version}\"";
        return kind == DocumentKind.Model && TriplesFormat.IsWanted(request)
            ? TriplesFormat.Of(name, read.Value.Content)
            : Results.Bytes(read.Value.Content, $"{contentType}; charset=utf-8");
    }
}
