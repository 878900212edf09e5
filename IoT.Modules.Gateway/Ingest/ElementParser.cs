using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>One JSON object as a reading. Strings of known devices and of data types that come again are not made anew.</summary>
internal sealed class ElementParser(GatewayOptions options, DeviceDirectory devices)
{
    public const int MaxDataTypeCharacters = 50;
    public const int MaxMessageIdCharacters = 128;

    // The longest text that can be short enough: 128 characters, each as two \uXXXX.
    private const int MaxEscapedLength = 128 * 12;

    private static readonly JsonReaderOptions Strict = new() { MaxDepth = PayloadRules.MaxDepth + 1 };

    private readonly TextCache _dataTypes = new();
    private readonly int _maxPayloadBytes = Math.Min(options.MaxReadingBytes, PayloadRules.MaxBytes);

    [Flags]
    private enum Member
    {
        Unknown = 0,
        DeviceId = 1,
        Timestamp = 2,
        DataType = 4,
        Payload = 8,
        MessageId = 16,
        Priority = 32,
    }

    /// <summary>What has been read of an object so far.</summary>
    private struct Draft
    {
        public string? DeviceId;
        public DeviceEntry? Device;
        public DateTime? Timestamp;
        public string? DataType;
        public ReadOnlyMemory<byte> Payload;
        public string? MessageId;
        public ReadingPriority Priority;
        public string? Error;
    }

    /// <summary>
    /// Reads the object that <paramref name="json"/> (valid UTF-8) begins with and answers its length; -1 when it is malformed.
    /// </summary>
    /// <param name="error">What is wrong with it though it is well-formed; null: <paramref name="reading"/> is the answer.</param>
    public int Parse(ReadOnlyMemory<byte> json, int index, in TimestampRange range, out ParsedReading reading, out string? error)
    {
        var reader = new Utf8JsonReader(json.Span, Strict);
        var draft = default(Draft);
        var seen = Member.Unknown;
        reading = default;
        error = null;
        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var member = MemberNamed(ref reader);
                reader.Read();
                if (draft.Error is null && (seen & member) != 0)
                    draft.Error = $"{NameOf(member)}: given twice";
                seen |= member;
                if (member == Member.Unknown || draft.Error is not null)
                    reader.Skip();
                else
                    draft.Error = Take(ref reader, member, json, in range, ref draft);
            }
        }
        catch (JsonException)
        {
            return -1;
        }

        error = draft.Error
            ?? (draft.DataType is null ? $"data_type: is required, 1 to {MaxDataTypeCharacters} characters" : null)
            ?? (draft.Payload.IsEmpty ? "payload: is required, a JSON object" : null);
        if (error is null)
            reading = new ParsedReading(index, draft.DeviceId, draft.Device, draft.Timestamp, draft.DataType!, draft.Payload, draft.MessageId, draft.Priority, json[..(int)reader.BytesConsumed]);
        return (int)reader.BytesConsumed;
    }

    /// <summary>Takes one member's value, the reader on its first token; leaves the reader on its last. Answers what is wrong.</summary>
    private string? Take(ref Utf8JsonReader reader, Member member, ReadOnlyMemory<byte> json, in TimestampRange range, ref Draft draft)
    {
        var kind = reader.TokenType;
        if (kind == JsonTokenType.Null)
            return null;
        if (member == Member.Payload)
        {
            if (kind == JsonTokenType.StartObject)
                return TakePayload(ref reader, json, ref draft);
            reader.Skip();
            return $"payload: must be a JSON object, not {Named(kind)}";
        }
        if (kind != JsonTokenType.String)
        {
            reader.Skip();
            return $"{NameOf(member)}: must be text, not {Named(kind)}";
        }
        if (reader.ValueIsEscaped && PayloadRules.EscapeFault(reader.ValueSpan) is { } escape)
            return member == Member.DeviceId ? $"device_id: must be {DeviceId.Rule}" : $"{NameOf(member)}: {escape}";

        var text = TextOf(ref reader);
        switch (member)
        {
            case Member.DeviceId:
                if (!DeviceId.IsValid(text))
                    return $"device_id: must be {DeviceId.Rule}";
                Span<char> id = stackalloc char[DeviceId.MaxLength];
                id = id[..Encoding.ASCII.GetChars(text, id)];
                draft.Device = devices.Find(id);
                draft.DeviceId = draft.Device?.Id ?? new string(id);
                return null;
            case Member.Timestamp:
                if ((Rfc3339.Parse(text, out var ticks) ?? range.Fault(ticks)) is { } fault)
                    return $"timestamp: {fault}";
                draft.Timestamp = new DateTime(ticks, DateTimeKind.Utc);
                return null;
            case Member.DataType:
                return TakeDataType(text, ref draft);
            case Member.MessageId:
                return TakeMessageId(text, ref draft);
            default:
                if (text.SequenceEqual("high"u8))
                    draft.Priority = ReadingPriority.High;
                else if (!text.SequenceEqual("normal"u8))
                    return "priority: must be \"high\" or \"normal\"";
                return null;
        }
    }

    private string? TakePayload(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json, ref Draft draft)
    {
        var start = (int)reader.TokenStartIndex;
        if (PayloadRules.Check(ref reader, out var place) is { } fault)
            return $"{JsonFault.Find(json.Span, place).Path}: {fault}";
        var length = (int)reader.BytesConsumed - start;
        if (length > _maxPayloadBytes)
            return $"payload: is {length} bytes long, at most {_maxPayloadBytes} are allowed";
        draft.Payload = json.Slice(start, length);
        return null;
    }

    private string? TakeDataType(ReadOnlySpan<byte> text, ref Draft draft)
    {
        Span<char> buffer = stackalloc char[MaxDataTypeCharacters * 2];
        if (Utf8.ToUtf16(text, buffer, out _, out var length) != OperationStatus.Done || TextFault(buffer[..length], MaxDataTypeCharacters))
            return $"data_type: must be 1 to {MaxDataTypeCharacters} characters, no control characters among them";
        draft.DataType = _dataTypes.Get(buffer[..length]);
        return null;
    }

    private static string? TakeMessageId(ReadOnlySpan<byte> text, ref Draft draft)
    {
        Span<char> buffer = stackalloc char[MaxMessageIdCharacters * 2];
        if (Utf8.ToUtf16(text, buffer, out _, out var length) != OperationStatus.Done || TextFault(buffer[..length], MaxMessageIdCharacters))
            return $"message_id: must be 1 to {MaxMessageIdCharacters} characters, no control characters among them";
        draft.MessageId = new string(buffer[..length]);
        return null;
    }

    private static bool TextFault(ReadOnlySpan<char> text, int maxCharacters)
    {
        var characters = 0;
        foreach (var unit in text)
        {
            if (char.IsControl(unit))
                return true;
            // Pairs are whole: the first half stands for the character.
            if (!char.IsLowSurrogate(unit))
                characters++;
        }
        return characters == 0 || characters > maxCharacters;
    }

    /// <summary>A string's bytes without its escapes; those too long for any rule as they are.</summary>
    private static ReadOnlySpan<byte> TextOf(scoped ref Utf8JsonReader reader) =>
        reader.ValueIsEscaped && reader.ValueSpan.Length <= MaxEscapedLength ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;

    private static Member MemberNamed(ref Utf8JsonReader reader)
    {
        var name = reader.ValueSpan;
        if (reader.ValueIsEscaped)
        {
            if (PayloadRules.EscapeFault(name) is not null)
                return Member.Unknown;
            name = TextOf(ref reader);
        }
        return name.Length switch
        {
            7 when name.SequenceEqual("payload"u8) => Member.Payload,
            8 when name.SequenceEqual("priority"u8) => Member.Priority,
            9 when name.SequenceEqual("device_id"u8) => Member.DeviceId,
            9 when name.SequenceEqual("timestamp"u8) => Member.Timestamp,
            9 when name.SequenceEqual("data_type"u8) => Member.DataType,
            10 when name.SequenceEqual("message_id"u8) => Member.MessageId,
            _ => Member.Unknown,
        };
    }

    private static string NameOf(Member member) => member switch
    {
        Member.DeviceId => "device_id",
        Member.Timestamp => "timestamp",
        Member.DataType => "data_type",
        Member.Payload => "payload",
        Member.MessageId => "message_id",
        Member.Priority => "priority",
        _ => throw new ArgumentOutOfRangeException(nameof(member), member, null),
    };

    private static string Named(JsonTokenType kind) => kind switch
    {
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "a truth value",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.StartObject => "an object",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };
}
