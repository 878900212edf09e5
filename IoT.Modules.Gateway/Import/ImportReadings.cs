using System.IO.Compression;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace IoT.Modules.Gateway.Import;

/// <summary>
/// <c>POST /api/v1/data/import</c>: readings of a file of any length, CSV or NDJSON, by the way of all readings (log, ledger, duplicates,
/// quarantine), so that what holds for a reading that is sent holds for an imported one. It goes only so far ahead of PostgreSQL that
/// those who send meanwhile are stored soon, and does not count for the devices' rates.
/// </summary>
internal static class ImportReadings
{
    private const int MostListed = 1_000;

    // Readings in the log: some tenths of a second.
    private const long MostAhead = 20_000;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    public static void MapImportReadings(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/data/import").WithTags("Readings").RequireAuthorization(Policies.Administer);
        group.MapPost("", HandleAsync)
            .WithMetadata(new JsonBody(typeof(string), "text/csv", "application/x-ndjson")).Produces<Answer>().ProducesProblem(400).ProducesProblem(503)
            .WithSummary("Brings the readings of a file in, CSV (device_id, timestamp, data_type, payload, message_id, payload.NAME) or NDJSON, of any length, gzip too; GET says how far it is");
        group.MapGet("", (Imports imports) => Results.Json(new Page<ImportState>(imports.All, null), Json.Options))
            .Produces<Page<ImportState>>()
            .WithSummary("The imports that run and the last that have ended, and how far they are");
    }

    /// <param name="Line">Of the file, from 1.</param>
    internal sealed record RejectedLine(int Line, string Error);

    /// <param name="RejectedCount">Of the lines; <paramref name="Rejected"/> lists the first 1,000.</param>
    internal sealed record Answer(long Accepted, long Duplicates, long RejectedCount, IReadOnlyList<RejectedLine> Rejected);

    private static async Task<IResult> HandleAsync(
        HttpContext http, Imports imports, ReadingParser parser, Admission admission, DeviceRates rates, Intake intake, Ledger ledger, IngestProgress progress, IngestMetrics metrics,
        GatewayOptions options, TimeProvider time, CancellationToken stop)
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
        // The platform itself makes the sender wait.
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;

        var (how, rejected) = ("ended", new List<RejectedLine>());
        try
        {
            await using var counted = new CountedStream(http.Request.Body, import);
            await using var gzip = encoding == "gzip" ? new GZipStream(counted, CompressionMode.Decompress, leaveOpen: true) : null;
            var chunks = type == "text/csv" ? ImportedBody.CsvAsync(gzip ?? (Stream)counted, options.MaxReadingBytes, stop) : ImportedBody.NdjsonAsync(gzip ?? (Stream)counted, options.MaxReadingBytes, stop);
            await foreach (var chunk in chunks)
                await TakeAsync(chunk);
            how = "done";
        }
        catch (InvalidDataException)
        {
            Reject((int)import.Lines + 1, "body: is not gzip, as Content-Encoding says; what follows was not read");
            ledger.Rejected(Ledger.Others, 1);
            how = "done";
        }
        catch (IngestLogFailedException)
        {
            return new Failure(FailureKind.Unavailable, $"The readings could not be written to disk. {import.Accepted} of those before are stored.").ToResult();
        }
        finally
        {
            imports.End(import, how);
        }
        var answer = new Answer(import.Accepted, import.Duplicates, import.Rejected, rejected);
        return answer.Accepted + answer.Duplicates > 0 || answer.RejectedCount == 0
            ? Results.Json(answer, Json.Options)
            : new Failure(FailureKind.Invalid, $"No reading was taken. Line {rejected[0].Line}: {rejected[0].Error}").ToResult(
                new Dictionary<string, object?> { ["accepted"] = 0, ["duplicates"] = 0, ["rejected_count"] = answer.RejectedCount, ["rejected"] = rejected });

        async Task TakeAsync(ImportChunk chunk)
        {
            while (progress.Behind() > MostAhead)
                await Task.Delay(LookAgain, time, stop);
            Interlocked.Add(ref import.Lines, chunk.Lines.Count + chunk.Rejected.Count);
            var refused = chunk.Rejected.Count;
            foreach (var (line, error) in chunk.Rejected)
                Reject(line, error);
            if (chunk.Lines.Count > 0)
            {
                var batch = parser.ParseNdjson(chunk.Json);
                if (batch.Count < chunk.Lines.Count)
                {
                    // What begins like UTF-16 is refused as a whole.
                    foreach (var line in chunk.Lines)
                        Reject(line, batch.Rejected[0].Error);
                    refused += chunk.Lines.Count;
                    Count();
                    return;
                }
                var admitted = admission.Admit(batch, new Sender(SenderKind.Admin), topicDevice: null, mayOwe: true);
                foreach (var reading in admitted.Readings)
                    rates.TakeMore(reading.Device, -1);
                foreach (var one in admitted.Rejected)
                    Reject(chunk.Lines[one.Index], one.Error);
                refused += admitted.Rejected.Count;
                if (admitted.Readings.Count > 0)
                {
                    // When the log is full it waits for room, like a connection of MQTT.
                    var taken = await intake.AppendAsync(admitted.Readings, [], stop);
                    await taken.Committed;
                    Interlocked.Add(ref import.Accepted, admitted.Readings.Count - taken.Duplicates);
                    Interlocked.Add(ref import.Duplicates, taken.Duplicates);
                }
            }
            Count();

            void Count()
            {
                metrics.Received("import", chunk.Lines.Count + chunk.Rejected.Count);
                metrics.Rejected("import", refused);
                ledger.Rejected(Ledger.Others, refused);
            }
        }

        void Reject(int line, string error)
        {
            Interlocked.Increment(ref import.Rejected);
            if (rejected.Count < MostListed)
                rejected.Add(new RejectedLine(line, error));
        }
    }

    /// <summary>How much of the body has been read.</summary>
    private sealed class CountedStream(Stream inner, Imports.Running import) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            Interlocked.Add(ref import.Bytes, read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
