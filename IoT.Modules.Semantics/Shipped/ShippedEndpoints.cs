using System.Reflection;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Documents;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Semantics.Shipped;

/// <summary>Models and rules that come with the platform; none holds until somebody puts it.</summary>
internal static class ShippedEndpoints
{
    internal sealed record ShippedShape(string Kind, string Name, string Description, int Bytes);

    public static void MapShipped(this IEndpointRouteBuilder api)
    {
        api.MapKind("/model:shipped", DocumentKind.Model, DocumentEndpoints.Turtle, "Model");
        api.MapKind("/rules:shipped", DocumentKind.Rules, DocumentEndpoints.Notation3, "Rules");
    }

    private static void MapKind(this IEndpointRouteBuilder api, string path, DocumentKind kind, string contentType, string tag)
    {
        var group = api.MapGroup("").WithTags(tag);
        group.MapGet(path, () => Results.Json(new Page<ShippedShape>([.. ShippedDocuments.All.Where(d => d.Kind == kind).Select(ShapeOf)], null), Json.Options))
            .RequireAuthorization(Policies.View)
            .Produces<Page<ShippedShape>>().WithSummary("What comes with the platform; it holds when it is put");
        group.MapGet($"{path}/{{name}}", (string name) => ShippedDocuments.Find(kind, name) is { } found ? Results.Bytes(found.Content, $"{contentType}; charset=utf-8") : NotFound(name))
            .RequireAuthorization(Policies.View)
            .Produces<string>(200, contentType).ProducesProblem(404).WithSummary("Its text");
        group.MapPost($"{path}/{{name}}", async (IMediator mediator, HttpContext http, string name, CancellationToken stop) =>
                (await mediator.Send(new PutShipped(kind, name, http.User.Identity?.Name ?? ""), stop)).ToResult())
            .RequireAuthorization(Policies.Operate)
            .Produces<DocumentChange>().ProducesProblem(404).WithSummary("Puts it, under its own name");
    }

    private static ShippedShape ShapeOf(ShippedDocument shipped) => new(shipped.Kind == DocumentKind.Model ? "model" : "rules", shipped.Name, shipped.Description, shipped.Content.Length);

    private static IResult NotFound(string name) => Failure.NotFound($"Shipped {name}").ToResult();
}

internal sealed class ListShippedHandler : IRequestHandler<ListShipped, Outcome<Page<ShippedDocument>>>
{
    public Task<Outcome<Page<ShippedDocument>>> Handle(ListShipped request, CancellationToken cancellationToken) =>
        Task.FromResult<Outcome<Page<ShippedDocument>>>(new Page<ShippedDocument>(ShippedDocuments.All, null));
}

/// <summary>They are embedded: one <c>.ttl</c> or <c>.n3</c> file of this folder each.</summary>
internal static class ShippedDocuments
{
    private const string Prefix = "IoT.Modules.Semantics.Shipped.";

    public static IReadOnlyList<ShippedDocument> All { get; } = [.. Load()];

    public static ShippedDocument? Find(DocumentKind kind, string name) => All.FirstOrDefault(d => d.Kind == kind && d.Name == name);

    private static IEnumerable<ShippedDocument> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var stream = assembly.GetManifestResourceStream(resource)!;
            var content = new byte[stream.Length];
            stream.ReadExactly(content);
            var text = System.Text.Encoding.UTF8.GetString(content);
            yield return new ShippedDocument(
                resource.EndsWith(".ttl", StringComparison.Ordinal) ? DocumentKind.Model : DocumentKind.Rules,
                Path.GetFileNameWithoutExtension(resource[Prefix.Length..]), text[..text.IndexOf('\n', StringComparison.Ordinal)].TrimStart('#', ' '), content);
        }
    }
}
