using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using CsvHelper;
using CsvHelper.Configuration;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Import;

/// <summary>
/// A CSV file that is imported, in chunks of bounded size. Its first line names the columns: <c>device_id</c>, <c>data_type</c>, and if
/// wanted <c>timestamp</c>, <c>message_id</c>, <c>payload</c> (JSON) or <c>payload.NAME</c>.
/// </summary>
internal static class ImportedTable
{
    private const string Payload = "payload";
    private const string MemberPrefix = "payload.";
    private static readonly string[] Texts = ["device_id", "timestamp", "data_type", "message_id"];

    // What an export has too; the database gives its own.
    private static readonly string[] Ignored = ["id", "status"];

    // Stands for bytes that are not UTF-8, so that they cost their line and no other; no text has it.
    private const char NotUtf8 = '\uFFFF';

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = Json.Options.Encoder };

    /// <summary>Which field is what.</summary>
    /// <param name="PayloadAt">-1: there is none.</param>
    private sealed record Columns(int Count, IReadOnlyList<(int At, string Name)> Texts, int PayloadAt, IReadOnlyList<(int At, string Name)> Members);

    public static async IAsyncEnumerable<ImportChunk> ReadAsync(Stream body, int maxFieldLength, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(body, Encoding.GetEncoding("utf-8", EncoderFallback.ExceptionFallback, new DecoderReplacementFallback(NotUtf8.ToString())), true, 64 * 1024);
        using var csv = new CsvParser(reader, new CsvConfiguration(CultureInfo.InvariantCulture) { MaxFieldSize = maxFieldLength });
        var (fault, hasLine) = await TryReadAsync(csv);
        Columns? columns = null;
        if (fault is null)
            fault = hasLine ? FaultOf(csv, out columns) : "body: is empty; the first line names the columns";
        var (json, row) = (new ArrayBufferWriter<byte>(ImportChunk.MostBytes), new ArrayBufferWriter<byte>());
        await using var writer = new Utf8JsonWriter(row, WriterOptions);
        while (fault is null && hasLine)
        {
            cancellationToken.ThrowIfCancellationRequested();
            json.ResetWrittenCount();
            var (lines, rejected) = (new List<long>(), new List<(long, string)>());
            while (lines.Count + rejected.Count < ImportChunk.MostLines && json.WrittenCount < ImportChunk.MostBytes)
            {
                (fault, hasLine) = await TryReadAsync(csv);
                if (fault is not null || !hasLine)
                    break;
                row.ResetWrittenCount();
                writer.Reset();
                if (WriteRow(csv, columns!, writer) is { } error)
                {
                    rejected.Add((csv.RawRow, error));
                    continue;
                }
                json.Write(row.WrittenSpan);
                json.Write("\n"u8);
                lines.Add(csv.RawRow);
            }
            yield return new ImportChunk(json.WrittenMemory, lines, rejected, csv.RawRow);
        }
        if (fault is not null)
            yield return ImportChunk.Cut(Math.Max(1, csv.RawRow), fault);
    }

    private static async Task<(string? Fault, bool HasLine)> TryReadAsync(CsvParser csv)
    {
        try
        {
            return (null, await csv.ReadAsync());
        }
        catch (CsvHelperException)
        {
            return ("body: is not CSV that can be read (RFC 4180), or has too large a field", false);
        }
    }

    private static string? FaultOf(CsvParser csv, out Columns? columns)
    {
        columns = null;
        string[] names;
        try
        {
            names = csv.Record!;
        }
        catch (CsvHelperException)
        {
            return "body: the first line is not CSV that can be read (RFC 4180)";
        }
        var at = names.Select((name, place) => (At: place, Name: name)).ToList();
        if (names.FirstOrDefault(name => !Texts.Contains(name) && name != Payload && !Ignored.Contains(name) && !name.StartsWith(MemberPrefix, StringComparison.Ordinal)) is { } unknown)
            return $"body: there is no column {Short(unknown)}; the columns are {string.Join(", ", Texts)}, {Payload} and {MemberPrefix}NAME";
        if (at.GroupBy(column => column.Name).FirstOrDefault(same => same.Count() > 1) is { } twice)
            return $"body: the column {Short(twice.Key)} is there twice";
        if (!names.Contains("device_id") || !names.Contains("data_type"))
            return "body: the columns device_id and data_type are needed";
        columns = new Columns(
            names.Length,
            [.. at.Where(column => Texts.Contains(column.Name))],
            Array.IndexOf(names, Payload),
            [.. at.Where(column => column.Name.StartsWith(MemberPrefix, StringComparison.Ordinal)).Select(column => (column.At, column.Name[MemberPrefix.Length..]))]);
        return null;

        static string Short(string name) => name.Length > 50 ? name[..50] + "…" : name;
    }

    /// <summary>Null, or what is wrong with the row: then what has been written is of no use.</summary>
    private static string? WriteRow(CsvParser csv, Columns columns, Utf8JsonWriter json)
    {
        try
        {
            if (csv.Count != columns.Count)
                return FormattableString.Invariant($"reading: has {csv.Count} fields, and the first line {columns.Count}");
            for (var at = 0; at < csv.Count; at++)
            {
                if (csv[at].Contains(NotUtf8, StringComparison.Ordinal))
                    return "reading: is not UTF-8";
            }
            json.WriteStartObject();
            foreach (var (at, name) in columns.Texts)
            {
                if (csv[at] is { Length: > 0 } value)
                    json.WriteString(name, value);
            }
            json.WritePropertyName(Payload);
            if (columns.PayloadAt >= 0 && csv[columns.PayloadAt] is { Length: > 0 } payload)
                WritePayload(json, payload);
            else
                WriteMembers(json, csv, columns.Members);
            json.WriteEndObject();
            json.Flush();
            return null;
        }
        catch (JsonException)
        {
            return "payload: is not valid JSON";
        }
        catch (CsvHelperException)
        {
            return "reading: is not CSV that can be read (RFC 4180)";
        }
    }

    private static void WritePayload(Utf8JsonWriter json, string payload)
    {
        if (payload.AsSpan().IndexOfAny('\r', '\n') < 0)
        {
            // Checked to be one value and no more.
            json.WriteRawValue(payload);
            return;
        }
        // A line of NDJSON is to come of it.
        using var document = JsonDocument.Parse(payload);
        document.WriteTo(json);
    }

    /// <summary>Numbers, true and false as such, everything else as text; empty ones are left out.</summary>
    private static void WriteMembers(Utf8JsonWriter json, CsvParser csv, IReadOnlyList<(int At, string Name)> members)
    {
        json.WriteStartObject();
        foreach (var (at, name) in members)
        {
            if (csv[at] is not { Length: > 0 } value)
                continue;
            json.WritePropertyName(name);
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
        if (value[0] is not ('-' or (>= '0' and <= '9')))
            return false;
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
}
