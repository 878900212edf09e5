using System.Text.Json;
using System.Text.Json.Serialization;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Gateway.Http;

/// <summary><c>POST /api/v1/data</c>: one reading, an array, or NDJSON; answered once everything admitted is on disk.</summary>
internal static class PostData
{
    public static void MapPostData(this IEndpointRouteBuilder api) =>
        api.MapPost("/data", HandleAsync)
            .AllowAnonymous() // The sender is judged by the readings' devices: see Admission.
            .WithTags("Readings")
            .WithMetadata(new JsonBody(typeof(ReadingBody), "application/json", "application/x-ndjson"))
            .Produces<Answer>().ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(413).ProducesProblem(429).ProducesProblem(503)
            .WithSummary("Brings readings in: one, an array of up to 10,000, or NDJSON; 200 means that they are on disk and will be in the database once");

    /// <summary>A reading, for the API's description.</summary>
    internal sealed record ReadingBody(string DeviceId, DateTime? Timestamp, string DataType, Dictionary<string, object> Payload, string? MessageId, string? Priority);

    /// <param name="Accepted">Readings on disk, and so soon in the database.</param>
    /// <param name="Duplicates">Readings whose message id their device has used before: they are on disk already.</param>
    /// <param name="Rejected">Readings not taken, by index, and why.</param>
    internal sealed record Answer(
        [property: JsonPropertyName("accepted")] int Accepted,
        [property: JsonPropertyName("duplicates")] int Duplicates,
        [property: JsonPropertyName("rejected")] IReadOnlyList<RejectedReading> Rejected);

    /// <summary>With its length ahead, so that it goes out in one piece: in chunks the body and its end are a system call each.</summary>
    private sealed class AnswerResult(Answer answer) : IResult
    {
        // What most requests are answered.
        private static readonly byte[] OneAccepted = BytesOf(new Answer(1, 0, []));

        public Task ExecuteAsync(HttpContext http)
        {
            var bytes = answer is { Accepted: 1, Duplicates: 0, Rejected.Count: 0 } ? OneAccepted : BytesOf(answer);
            http.Response.ContentType = "application/json; charset=utf-8";
            http.Response.ContentLength = bytes.Length;
            return http.Response.Body.WriteAsync(bytes, 0, bytes.Length);
        }

        private static byte[] BytesOf(Answer answer) => JsonSerializer.SerializeToUtf8Bytes(answer, Json.Options);
    }

    private static async Task<IResult> HandleAsync(
        HttpContext http, IMediator mediator, ReadingParser parser, DeviceDirectory directory, Ledger ledger, GatewayOptions options, CancellationToken stop)
    {
        if (http.User.Identity?.IsAuthenticated != true && http.Request.Headers.Authorization.Count > 0)
            return Results.Challenge(); // Wrong credentials are not the same as none.
        if (Sender.Of(http.User, directory) is not { } sender)
            return new Failure(FailureKind.Forbidden, "Only devices and admins may bring readings in.").ToResult();

        var isNdjson = http.Request.ContentType is { } type
            && (type.StartsWith("application/x-ndjson", StringComparison.OrdinalIgnoreCase) || type.StartsWith("application/ndjson", StringComparison.OrdinalIgnoreCase));
        var body = await RequestBody.ReadAsync(http.Request, start => LimitOf(start, isNdjson, options), Math.Max(options.MaxBatchBytes, options.MaxReadingBytes), stop);
        if (body.Failure is { } unreadable)
        {
            ledger.Rejected(sender.Device?.Id ?? Ledger.Others, 1);
            return unreadable.ToResult();
        }

        var batch = isNdjson ? parser.ParseNdjson(body.Value.Memory) : parser.ParseJson(body.Value.Memory);
        if (batch.TooMany)
        {
            body.Value.Return();
            ledger.Rejected(sender.Device?.Id ?? Ledger.Others, 1);
            return new Failure(FailureKind.TooLarge, $"Too many readings in one request; at most {(isNdjson ? ReadingParser.MaxLines : options.MaxBatchReadings)} are taken.").ToResult();
        }

        var outcome = await mediator.Send(new IngestReadings(batch, sender), stop);
        body.Value.Return(); // The log has copied what it took.
        if (outcome.Failure is { } failure)
            return failure.ToResult();

        var (accepted, duplicates, rejected, denial) = outcome.Value;
        if (accepted + duplicates > 0)
            return new AnswerResult(new Answer(accepted, duplicates, rejected));
        if (denial == Denial.Unauthenticated)
            return Results.Challenge();
        var kind = denial == Denial.Forbidden ? FailureKind.Forbidden : FailureKind.Invalid;
        var detail = rejected.Count == 0 ? "The body holds no reading." : $"No reading was taken. {(rejected.Count == 1 ? "" : "The first: ")}{rejected[0].Error}";
        return new Failure(kind, detail, ErrorsByField(rejected)).ToResult(new Dictionary<string, object?>
        {
            ["accepted"] = 0,
            ["duplicates"] = 0,
            ["rejected"] = rejected,
        });
    }

    // The largest body depends on what it is, which its first byte tells.
    private static int LimitOf(ReadOnlySpan<byte> start, bool isNdjson, GatewayOptions options)
    {
        var first = start.TrimStart("\uFEFF \t\r\n"u8);
        return isNdjson || (first.Length > 0 && first[0] == '[') ? options.MaxBatchBytes : options.MaxReadingBytes;
    }

    private static Dictionary<string, string[]> ErrorsByField(IReadOnlyList<RejectedReading> rejected) =>
        rejected
            .Take(100)
            .Select(r => (r.Index, Parts: r.Error.Split(": ", 2)))
            .GroupBy(r => r.Parts.Length == 2 && !r.Parts[0].Contains(' ', StringComparison.Ordinal) ? rejected.Count == 1 ? r.Parts[0] : $"[{r.Index}].{r.Parts[0]}" : rejected.Count == 1 ? "body" : $"[{r.Index}]")
            .ToDictionary(g => g.Key, g => g.Select(r => r.Parts[^1]).ToArray());
}
