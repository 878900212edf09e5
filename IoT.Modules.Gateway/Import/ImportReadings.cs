using System.Buffers;
using System.IO.Pipelines;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace IoT.Modules.Gateway.Import;

/// <summary>
/// <c>POST /api/v1/data/import</c>: readings of a file of any length, CSV or NDJSON, by the way of all readings (log, ledger, duplicates,
/// quarantine), so that what holds for a reading that is sent holds for an imported one.
/// </summary>
internal static class ImportReadings
{
    private const int MostListed = 1_000;

    public static void MapImportReadings(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/data/import").WithTags("Readings").RequireAuthorization(Policies.Administer);
        group.MapPost("", HandleAsync)
            .WithMetadata(new JsonBody(typeof(string), "text/csv", "application/x-ndjson")).Produces<ImportAnswer>().ProducesProblem(400).ProducesProblem(503)
            .WithSummary("Brings the readings of a file in, CSV (device_id, timestamp, data_type, payload, message_id, payload.NAME) or NDJSON, of any length, gzip too; GET says how far it is");
        group.MapGet("", (Imports imports) => Results.Json(new Page<ImportState>(imports.All, null), Json.Options))
            .Produces<Page<ImportState>>()
            .WithSummary("The imports that run and the last that have ended, and how far they are");
    }

    /// <param name="Line">Of the file, from 1.</param>
    internal sealed record RejectedLine(long Line, string Error);

    /// <param name="Complete">Whether all of the file was read; otherwise the last of <paramref name="Rejected"/> says where it ended and why.</param>
    /// <param name="RejectedCount">Of the lines; <paramref name="Rejected"/> lists the first 1,000.</param>
    internal sealed record ImportAnswer(long Accepted, long Duplicates, bool Complete, long RejectedCount, IReadOnlyList<RejectedLine> Rejected);

    private static async Task<IResult> HandleAsync(HttpContext http, Imports imports, ImportedChunks chunks, GatewayOptions options, IHostApplicationLifetime lifetime, CancellationToken gone)
    {
        var type = http.Request.ContentType?.Split(';')[0].Trim().ToLowerInvariant();
        if (type is not ("text/csv" or "application/x-ndjson" or "application/ndjson"))
            return Failure.Invalid("Content-Type", "text/csv or application/x-ndjson is expected").ToResult();
        var encoding = http.Request.Headers.ContentEncoding.ToString();
        if (encoding is not ("" or "identity" or "gzip"))
            return Failure.Invalid("Content-Encoding", $"{encoding} is not understood; gzip is").ToResult();
        if (imports.TryBegin(http.User.Identity?.Name ?? "", http.Request.ContentLength) is not { } import)
            return new Failure(FailureKind.Busy, $"{Imports.MostRunning} imports run already; send this one when one of them has ended.").ToResult();
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(gone, lifetime.ApplicationStopping);
        var rejected = new List<RejectedLine>();
        var isDone = false;
        try
        {
            await using var counted = new CountedBody(http.Request.BodyReader, import);
            await using var gzip = encoding == "gzip" ? new WholeGzip(counted) : null;
            var body = gzip ?? (Stream)counted;
            // A read that is given up in any other way leaves a body that can't be read to its end, and so a connection that is reset before its answer.
            await using var stopping = lifetime.ApplicationStopping.Register(http.Request.BodyReader.CancelPendingRead);
            var file = type == "text/csv" ? ImportedTable.ReadAsync(body, options.MaxReadingBytes, stop.Token) : ImportedLines.ReadAsync(body, options.MaxReadingBytes, stop.Token);
            await foreach (var chunk in file)
                await chunks.TakeAsync(chunk, import, Reject, stop.Token);
            isDone = true;
        }
        catch (InvalidDataException)
        {
            await chunks.TakeAsync(ImportChunk.Cut(import.LastLine + 1, "body: is not gzip, as Content-Encoding says, or not whole"), import, Reject, stop.Token);
            isDone = true;
        }
        catch (IngestLogFailedException)
        {
            return Interrupted("The readings could not be written to disk.");
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested && !gone.IsCancellationRequested)
        {
            if (http.Features.Get<IConnectionLifetimeFeature>() is { } connection)
                imports.EndSoon(connection);
            return Interrupted("The platform is being stopped.");
        }
        finally
        {
            imports.End(import, isDone ? Imports.Done : Imports.Ended);
        }

        rejected.Sort((a, b) => a.Line.CompareTo(b.Line));
        return import.Accepted + import.Duplicates > 0 || import.Rejected == 0
            ? Results.Json(new ImportAnswer(import.Accepted, import.Duplicates, !import.IsCut, import.Rejected, rejected), Json.Options)
            : new Failure(FailureKind.Invalid, $"No reading was taken. Line {rejected[0].Line}: {rejected[0].Error}").ToResult(
                new Dictionary<string, object?> { ["accepted"] = 0, ["duplicates"] = 0, ["complete"] = !import.IsCut, ["rejected_count"] = import.Rejected, ["rejected"] = rejected });

        void Reject(long line, string error, bool isLast)
        {
            if (isLast && rejected.Count == MostListed)
                rejected.RemoveAt(MostListed - 1);
            if (rejected.Count < MostListed)
                rejected.Add(new RejectedLine(line, error));
        }

        IResult Interrupted(string why) =>
            new Failure(FailureKind.Unavailable, $"{why} The file was taken in up to line {import.LastLine}; send what follows again.").ToResult(
                new Dictionary<string, object?> { ["accepted"] = import.Accepted, ["duplicates"] = import.Duplicates, ["line"] = import.LastLine, ["rejected_count"] = import.Rejected, ["rejected"] = rejected });
    }

    /// <summary>The body, and how much of it has been read.</summary>
    private sealed class CountedBody(PipeReader body, Imports.Running import) : ForwardStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await body.ReadAsync(cancellationToken);
            var count = read.IsCanceled ? 0 : (int)Math.Min(read.Buffer.Length, buffer.Length);
            var part = read.Buffer.Slice(0, count);
            part.CopyTo(buffer.Span);
            body.AdvanceTo(part.End);
            if (read.IsCanceled)
                throw new OperationCanceledException();
            Interlocked.Add(ref import.Bytes, count);
            return count;
        }
    }
}
