using System.Text.Json;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Semantics.Inferences;

internal static class InferenceEndpoints
{
    /// <summary>An inference as the API shows it, for the API's description.</summary>
    internal sealed record InferenceShape(
        Guid Id, string Subject, string Predicate, object Object, string? ObjectDatatype, string Rule, double Confidence, bool Active, DateTime RaisedAt, DateTime? ClearedAt, IReadOnlyList<BecauseShape> Because);

    internal sealed record BecauseShape(string Rule, Dictionary<string, object> Bindings, IReadOnlyList<PremiseShape> Premises);

    internal sealed record PremiseShape(string Subject, string Predicate, object Object, double Confidence, long? ReadingId, DateTime? Timestamp, object? Because);

    public static void MapInferences(this IEndpointRouteBuilder api) =>
        api.MapGet("/inferences", async (IMediator mediator, HttpContext http, string? subject, string? rule, bool? active, int? limit, string? cursor, CancellationToken stop) =>
            {
                var page = await mediator.Send(new ListInferences(subject, rule, active, limit, cursor), stop);
                if (page.Failure is { } failure)
                    return failure.ToResult();
                http.Response.ContentType = "application/json; charset=utf-8";
                await using var json = new Utf8JsonWriter(http.Response.BodyWriter, InferenceJson.Options);
                json.WriteStartObject();
                json.WriteStartArray("items"u8);
                foreach (var inference in page.Value.Items)
                    InferenceJson.Write(json, inference);
                json.WriteEndArray();
                json.WriteString("next_cursor"u8, page.Value.NextCursor);
                json.WriteEndObject();
                await json.FlushAsync(stop);
                return Results.Empty;
            })
            .WithTags("Inferences").RequireAuthorization(Policies.View)
            .Produces<Page<InferenceShape>>().ProducesProblem(400)
            .WithSummary("What is inferred now and what was, newest first, each with its explanation; subject: an IRI or a device's id");
}
