using System.Text.Json;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Semantics.Infer;

internal static class InferEndpoint
{
    /// <summary>The answer as the API shows it, for the API's description.</summary>
    internal sealed record AnswerShape(IReadOnlyList<InferenceShape> Inferences, double ConfidenceScore, double ProcessingTimeMs, bool Cached);

    internal sealed record InferenceShape(string Subject, string Predicate, object Object, string? ObjectDatatype, double Confidence, string Rule, IReadOnlyList<InferenceEndpoints.BecauseShape> Because);

    public static void MapInfer(this IEndpointRouteBuilder api) =>
        api.MapPost("/infer", async (IMediator mediator, HttpContext http, CancellationToken stop) =>
            {
                var body = await Json.ReadBodyAsync<Contracts.Infer>(http.Request);
                if (body.Failure is { } unreadable)
                    return unreadable.ToResult();
                var asked = await mediator.Send(body.Value, stop);
                if (asked.Failure is { } failure)
                    return failure.ToResult();
                var answer = asked.Value;
                http.Response.ContentType = "application/json; charset=utf-8";
                await using var json = new Utf8JsonWriter(http.Response.BodyWriter, InferenceJson.Options);
                json.WriteStartObject();
                json.WritePropertyName("inferences"u8);
                json.WriteRawValue(answer.Inferences.Span, skipInputValidation: true);
                json.WriteNumber("confidence_score"u8, answer.ConfidenceScore);
                json.WriteNumber("processing_time_ms"u8, Math.Round(answer.ProcessingTime.TotalMilliseconds, 3));
                json.WriteBoolean("cached"u8, answer.IsCached);
                json.WriteEndObject();
                await json.FlushAsync(stop);
                return Results.Empty;
            })
            .WithTags("Inferences").RequireAuthorization(Policies.View)
            .WithMetadata(new JsonBody(typeof(Contracts.Infer), "application/json")).Produces<AnswerShape>().ProducesProblem(400).ProducesProblem(413)
            .WithSummary("What follows about entities, or about all at a location; with a time_range from the readings of that time");
}
