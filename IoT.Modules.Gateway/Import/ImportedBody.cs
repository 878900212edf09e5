using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using CsvHelper;
using CsvHelper.Configuration;

namespace IoT.Modules.Gateway.Import;

/// <summary>Some readings of an import as NDJSON, and the line of the file that each of them stands on.</summary>
/// <param name="Json">Valid until the next chunk is asked for.</param>
/// <param name="Lines">By place among the lines of <paramref name="Json"/>, none of which is blank; from 1.</param>
/// <param name="Rejected">Lines that could not even become one.</param>
/// <param name="IsCut">The file can't be read any further: the last of the rejected says why.</param>
internal sealed record ImportChunk(ReadOnlyMemory<byte> Json, IReadOnlyList<int> Lines, IReadOnlyList<(int Line, string Error)> Rejected, bool IsCut = false);

/// <summary>A file that is imported, in chunks of bounded size.</summary>
internal static class ImportedBody
{
    // Less than a device's burst, so that the device itself hardly notices (see ImportReadings).
    private const int LinesInChunk = 1_000;
    private const int BytesInChunk = 1024 * 1024;
    private const string PayloadPrefix = "payload.";
    private static readonly string[] Columns = ["device_id", "timestamp", "data_type", "payload", "message_id"];

    // What an export has too; the database gives its own.
    private static readonly string[] Ignored = ["id", "status"];

    public static async IAsyncEnumerable<ImportChunk> NdjsonAsync(Stream body, int maxLineBytes, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BytesInChunk + 1);
        try
        {
            var (length, line, isOver) = (0, 0, false);
            while (!isOver)
            {
                var read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken);
                length += read;
                isOver = read == 0;
                // Whole lines only; what follows the last one is kept for the next chunk.
                var whole = isOver ? length : buffer.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
                var at = 0;
                while (at < whole)
                {
                    var (end, lines) = TakeLines(buffer.AsSpan(at, whole - at), ref line);
                    if (lines.Count > 0)
                        yield return new ImportChunk(buffer.AsMemory(at, end), lines, []);
                    at += end;
                }
                buffer.AsSpan(at, length - at).CopyTo(buffer);
                length -= at;
                if (length > maxLineBytes)
                {
                    yield return new ImportChunk(default, [], [(line + 1, FormattableString.Invariant($"reading: the line is over {maxLineBytes} bytes; what follows was not read"))], IsCut: true);
                    yield break;
                }
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static async IAsyncEnumerable<ImportChunk> CsvAsync(Stream body, int maxFieldBytes, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(body, new UTF8Encoding(false, throwOnInvalidBytes: true), true, 64 * 1024);
        using var csv = new CsvReader(reader, new CsvConfiguration(CultureInfo.InvariantCulture) { MaxFieldSize = maxFieldBytes, MissingFieldFound = null });
        var (fault, hasLine) = await TryReadAsync(csv, isHeader: true);
        fault ??= hasLine ? FaultOf(csv.HeaderRecord!) : "body: is empty; the first line names the columns";
        var json = new ArrayBufferWriter<byte>(BytesInChunk);
        while (fault is null && hasLine)
        {
            cancellationToken.ThrowIfCancellationRequested();
            json.ResetWrittenCount();
            var (lines, rejected) = (new List<int>(), new List<(int, string)>());
            while (lines.Count + rejected.Count < LinesInChunk && json.WrittenCount < BytesInChunk)
            {
                (fault, hasLine) = await TryReadAsync(csv, isHeader: false);
                if (fault is not null || !hasLine)
                    break;
                var (line, start) = (csv.Parser.RawRow, json.WrittenCount);
                if (Write(csv, json) is { } error)
                    rejected.Add((line, error));
                else
                    lines.Add(line);
                // What a refused line has begun is blank: the parser passes over it.
                if (json.WrittenCount > start && rejected.Count > 0 && rejected[^1].Item1 == line)
                    json = Without(json, start);
            }
            yield return new ImportChunk(json.WrittenMemory, lines, rejected);
        }
        if (fault is not null)
            yield return new ImportChunk(default, [], [(Math.Max(1, csv.Parser.RawRow), fault)], IsCut: true);
    }

    private static async Task<(string? Fault, bool HasLine)> TryReadAsync(CsvReader csv, bool isHeader)
    {
        try
        {
            var hasLine = await csv.ReadAsync();
            return (null, isHeader && hasLine ? csv.ReadHeader() : hasLine);
        }
        catch (DecoderFallbackException)
        {
            return ("body: is not UTF-8; what follows was not read", false);
        }
        catch (CsvHelperException)
        {
            return ("body: is not CSV that can be read (RFC 4180), or has too large a field; what follows was not read", false);
        }
    }

    private static string? FaultOf(string[] header)
    {
        if (header.FirstOrDefault(c => !Columns.Contains(c) && !Ignored.Contains(c) && !c.StartsWith(PayloadPrefix, StringComparison.Ordinal)) is { } unknown)
            return $"body: there is no column {unknown}; the columns are {string.Join(", ", Columns)} and {PayloadPrefix}NAME";
        return header.Contains("device_id") && header.Contains("data_type") ? null : "body: the columns device_id and data_type are needed";
    }

    private static string? Write(CsvReader csv, ArrayBufferWriter<byte> output)
    {
        try
        {
            using (var json = new Utf8JsonWriter(output))
            {
                json.WriteStartObject();
                foreach (var name in new[] { "device_id", "timestamp", "data_type", "message_id" })
                {
                    if (csv.TryGetField<string>(name, out var value) && !string.IsNullOrEmpty(value))
                        json.WriteString(name, value);
                }
                if (csv.TryGetField<string>("payload", out var payload) && !string.IsNullOrEmpty(payload))
                    WritePayload(json, payload);
                else
                    WriteMembers(json, csv);
                json.WriteEndObject();
            }
            output.Write("\n"u8);
            return null;
        }
        catch (JsonException)
        {
            return "payload: is not valid JSON";
        }
        catch (ArgumentException)
        {
            return "reading: holds text that is not UTF-8";
        }
    }

    private static void WritePayload(Utf8JsonWriter json, string payload)
    {
        json.WritePropertyName("payload");
        if (payload.AsSpan().IndexOfAny('\r', '\n') < 0)
        {
            // Checked to be one value and no more.
            json.WriteRawValue(payload);
            return;
        }
        using var document = JsonDocument.Parse(payload);
        document.WriteTo(json);
    }

    /// <summary>Columns <c>payload.NAME</c>: numbers, true and false as such, everything else as text; empty ones are left out.</summary>
    private static void WriteMembers(Utf8JsonWriter json, CsvReader csv)
    {
        json.WriteStartObject("payload");
        foreach (var column in csv.HeaderRecord!.Where(c => c.StartsWith(PayloadPrefix, StringComparison.Ordinal)))
        {
            if (csv.GetField(column) is not { Length: > 0 } value)
                continue;
            json.WritePropertyName(column[PayloadPrefix.Length..]);
            if (value is "true" or "false")
                json.WriteBooleanValue(value == "true");
            else if (IsNumber(value))
                json.WriteRawValue(value);
            else
                json.WriteStringValue(value);
        }
        json.WriteEndObject();
    }

    private static bool IsNumber(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        var reader = new Utf8JsonReader(bytes);
        try
        {
            return reader.Read() && reader.TokenType == JsonTokenType.Number && reader.BytesConsumed == bytes.Length && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static ArrayBufferWriter<byte> Without(ArrayBufferWriter<byte> written, int length)
    {
        var kept = new ArrayBufferWriter<byte>(BytesInChunk);
        kept.Write(written.WrittenSpan[..length]);
        return kept;
    }

    /// <summary>As many lines as go into a chunk: where they end, and the numbers of those that hold something.</summary>
    private static (int End, List<int> Lines) TakeLines(ReadOnlySpan<byte> bytes, ref int line)
    {
        var (at, lines) = (0, new List<int>());
        while (at < bytes.Length && lines.Count < LinesInChunk)
        {
            var length = bytes[at..].IndexOf((byte)'\n');
            length = length < 0 ? bytes.Length - at : length + 1;
            line++;
            if (bytes.Slice(at, length).Trim("\uFEFF \t\r\n"u8).Length > 0)
                lines.Add(line);
            at += length;
        }
        return (at, lines);
    }
}
