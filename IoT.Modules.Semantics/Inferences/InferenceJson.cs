using System.Buffers;
using System.Globalization;
using System.Text.Json;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Semantics.Inferences;

/// <summary>Inferences and terms as JSON. IRIs are texts; of literals, numbers and truth values are JSON's own, the rest is its text.</summary>
internal static class InferenceJson
{
    public static JsonWriterOptions Options { get; } = new() { SkipValidation = true, Encoder = Json.Options.Encoder, MaxDepth = 10_000 };

    public static ReadOnlyMemory<byte> Of(Inference inference)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Options))
            Write(json, inference);
        return buffer.WrittenMemory;
    }

    public static void Write(Utf8JsonWriter json, Inference inference)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, inference.Id);
        json.WriteString("subject"u8, inference.Subject);
        json.WriteString("predicate"u8, inference.Predicate);
        WriteTerm(json, "object", NTriplesTerm.Parse(inference.Value));
        json.WriteString("rule"u8, inference.Rule);
        json.WriteNumber("confidence"u8, inference.Confidence);
        json.WriteBoolean("active"u8, inference.ClearedAt is null);
        json.WriteString("raised_at"u8, TimeText(inference.RaisedAt));
        if (inference.ClearedAt is { } clearedAt)
            json.WriteString("cleared_at"u8, TimeText(clearedAt));
        else
            json.WriteNull("cleared_at"u8);
        json.WritePropertyName("because"u8);
        if (inference.Because is { } because)
            json.WriteRawValue(because, skipInputValidation: true);
        else
            json.WriteNullValue();
        json.WriteEndObject();
    }

    /// <summary>The term as a member; for a literal that is not a plain text also its datatype, or its language.</summary>
    public static void WriteTerm(Utf8JsonWriter json, string name, Term term)
    {
        json.WritePropertyName(name);
        WriteValue(json, term);
        if (term.Kind != TermKind.Literal)
            return;
        if (term.Language is not null)
            json.WriteString($"{name}_language", term.Language);
        else
            json.WriteString($"{name}_datatype", term.Datatype);
    }

    public static void WriteValue(Utf8JsonWriter json, Term term)
    {
        switch (term)
        {
            case { Kind: TermKind.Literal, Datatype: Xsd.Boolean, Value: "true" or "1" }:
                json.WriteBooleanValue(true);
                break;
            case { Kind: TermKind.Literal, Datatype: Xsd.Boolean, Value: "false" or "0" }:
                json.WriteBooleanValue(false);
                break;
            case { Kind: TermKind.Literal, Datatype: Xsd.Integer or Xsd.Decimal } when decimal.TryParse(term.Value, NumberStyles.Number, CultureInfo.InvariantCulture, out var number):
                json.WriteNumberValue(number);
                break;
            case { Kind: TermKind.Literal, Datatype: Xsd.Double or Xsd.Float } when double.TryParse(term.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case { Kind: TermKind.Blank }:
                json.WriteStringValue($"_:{term.Value}");
                break;
            default:
                json.WriteStringValue(term.Value);
                break;
        }
    }

    /// <summary>Of a subject: its IRI, or <c>_:</c> and its label.</summary>
    public static string NameOf(Term subject) => subject.Kind == TermKind.Blank ? $"_:{subject.Value}" : subject.Value;

    public static string TimeText(DateTime utc) => utc.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);
}
