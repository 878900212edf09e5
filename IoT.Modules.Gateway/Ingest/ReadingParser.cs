using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Bodies and publishes into readings, straight from UTF-8. Whatever comes in, it answers: one bad element never costs another its
/// place, and nothing it lets through is refused by PostgreSQL. Offsets in its errors count bytes from 0, from the body's start or,
/// for NDJSON, from the line's. Safe for many threads at once.
/// </summary>
/// <remarks>Payloads are slices of the body: keep or copy it before the buffer is used again.</remarks>
internal sealed class ReadingParser(GatewayOptions options, DeviceDirectory devices, TimeProvider clock, ReadingWindow? window = null)
{
    /// <summary>Most lines of an NDJSON body; blank ones don't count.</summary>
    public const int MaxLines = 100_000;

    private readonly ElementParser _elements = new(options, devices);

    /// <summary>One object, or an array of at most <see cref="GatewayOptions.MaxBatchReadings"/>.</summary>
    public ParsedBatch ParseJson(ReadOnlyMemory<byte> body)
    {
        var batch = new ParsedBatch(body);
        if (EncodingFault(body.Span, out var at) is { } fault)
            return batch.Reject(0, fault);
        at = BodyWalk.SkipSpace(body.Span, at);
        if (at == body.Length)
            return batch.Reject(0, "body: is empty");
        var walk = Walk(body, batch, options.MaxBatchReadings);
        switch (body.Span[at])
        {
            case (byte)'[':
                walk.Array(at);
                break;
            case (byte)'{':
                walk.Single(body, at, 0);
                break;
            default:
                batch.Reject(0, $"body: must be a JSON object or an array of objects, but begins with {JsonFault.Shown(body.Span[at])} at byte {at}");
                break;
        }
        return batch;
    }

    /// <summary>One object a line. Blank lines are skipped and not numbered: an index counts the lines that hold something.</summary>
    /// <param name="body">The lines.</param>
    /// <param name="isContinued">Whether they come from the middle of a longer body, the beginning of which told its encoding.</param>
    public ParsedBatch ParseNdjson(ReadOnlyMemory<byte> body, bool isContinued = false)
    {
        var batch = new ParsedBatch(body);
        var at = 0;
        if (!isContinued && EncodingFault(body.Span, out at) is { } fault)
            return batch.Reject(0, fault);
        var walk = Walk(body, batch, MaxLines);
        var index = 0;
        while (at < body.Length)
        {
            var length = body.Span[at..].IndexOf((byte)'\n');
            var line = body.Slice(at, length < 0 ? body.Length - at : length);
            at += line.Length + 1;
            var start = BodyWalk.SkipSpace(line.Span, 0);
            if (start == line.Length)
                continue;
            if (index == MaxLines)
                return batch.Overflow();
            if (line.Span[start] == '{')
                walk.Single(line, start, index);
            else
                batch.Reject(index, $"reading: a line must be one JSON object, but begins with {JsonFault.Shown(line.Span[start])}", line);
            index++;
        }
        return batch.Count == 0 ? batch.Reject(0, "body: is empty") : batch;
    }

    /// <summary>Null, and where the text starts behind a byte order mark; or what is wrong with the body as a whole.</summary>
    public static string? EncodingFault(ReadOnlySpan<byte> body, out int start)
    {
        start = body.StartsWith("\uFEFF"u8) ? 3 : 0;
        return body is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] or [0, ..] or [_, 0, ..]
            ? "body: is not UTF-8 but looks like UTF-16 or UTF-32: send UTF-8"
            : null;
    }

    private BodyWalk Walk(ReadOnlyMemory<byte> body, ParsedBatch batch, int limit) =>
        new(_elements, TimestampRange.At(clock.GetUtcNow(), options, window?.OldestAt(clock.GetUtcNow())), body, batch, limit);
}
