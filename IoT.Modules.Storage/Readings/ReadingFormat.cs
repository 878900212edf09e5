using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Readings;

/// <summary>How a stream of readings is written: one of JSON, NDJSON or CSV. Rows go straight into the response's buffer.</summary>
internal abstract class ReadingFormat(IBufferWriter<byte> output) : IHistoryWriter
{
    private static readonly JsonWriterOptions WriterOptions = new() { SkipValidation = true, Encoder = Json.Options.Encoder };

    protected IBufferWriter<byte> Output { get; } = output;

    protected Utf8JsonWriter JsonOutput { get; } = new(output, WriterOptions);

    public void Dispose() => JsonOutput.Dispose();

    public abstract void Begin();

    public abstract void Write(StoredReading reading);

    public abstract void End(string? next);

    void IHistoryWriter.Finish(string? cursor) => End(cursor);

    public static string TimestampText(DateTime timestamp) =>
        timestamp.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);

    public static void WriteJson(Utf8JsonWriter json, StoredReading reading)
    {
        json.WriteStartObject();
        json.WriteNumber("id"u8, reading.Id);
        json.WriteString("device_id"u8, reading.DeviceId);
        json.WriteString("timestamp"u8, TimestampText(reading.Timestamp));
        json.WriteString("data_type"u8, reading.DataType);
        json.WritePropertyName("payload"u8);
        // jsonb's own output: no need to check it again.
        json.WriteRawValue(reading.Payload, skipInputValidation: true);
        json.WriteString("status"u8, reading.Status);
        json.WriteEndObject();
    }

    /// <summary><c>{"items":[…],"next_cursor":…}</c></summary>
    internal sealed class JsonPage(IBufferWriter<byte> output) : ReadingFormat(output)
    {
        public override void Begin()
        {
            JsonOutput.WriteStartObject();
            JsonOutput.WriteStartArray("items"u8);
        }

        public override void Write(StoredReading reading)
        {
            WriteJson(JsonOutput, reading);
            JsonOutput.Flush();
        }

        public override void End(string? next)
        {
            JsonOutput.WriteEndArray();
            JsonOutput.WriteString("next_cursor"u8, next);
            JsonOutput.WriteEndObject();
            JsonOutput.Flush();
        }
    }

    /// <summary>One reading a line.</summary>
    internal sealed class Ndjson(IBufferWriter<byte> output) : ReadingFormat(output)
    {
        public override void Begin()
        {
        }

        public override void Write(StoredReading reading)
        {
            WriteJson(JsonOutput, reading);
            JsonOutput.Flush();
            Output.Write("\n"u8);
            JsonOutput.Reset();
        }

        public override void End(string? next)
        {
        }
    }

    /// <summary>RFC 4180, with a header line; the payload is JSON in one field.</summary>
    internal sealed class Csv(IBufferWriter<byte> output) : ReadingFormat(output)
    {
        public override void Begin() => Output.Write("id,device_id,timestamp,data_type,payload,status\r\n"u8);

        public override void Write(StoredReading r) =>
            Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"{r.Id},{r.DeviceId},{TimestampText(r.Timestamp)},{Field(r.DataType)},{Field(r.Payload)},{Field(r.Status)}\r\n"), Output);

        public override void End(string? next)
        {
        }

        private static string Field(string value) =>
            value.AsSpan().IndexOfAny(",\"\r\n") < 0 ? value : $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }
}
