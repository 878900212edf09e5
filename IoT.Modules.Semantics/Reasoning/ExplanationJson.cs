using System.Buffers;
using System.Text;
using System.Text.Json;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>Which reading a fact came from.</summary>
internal readonly record struct ReadingSource(long ReadingId, long Ticks);

/// <summary>An explanation as JSON: <c>[{"rule","bindings","premises":[{…,"because"?}]}]</c>, down to asserted facts and their readings.</summary>
internal sealed class ExplanationJson(Func<Explanation, ReadingSource?> readingOf, Action<HashSet<string>, RuleInfo> usesRule)
{
    // What is deeper or more is left out and said: few readers of JSON take more, and a premise that many rules share is told each time.
    private const int DeepestRules = 200;
    private const int MostPremises = 10_000;

    private int _premises;

    /// <summary>What it depends on: the subjects of what it told of, and what <c>usesRule</c> adds.</summary>
    public HashSet<string> Read { get; } = new(StringComparer.Ordinal);

    public string Of(Explanation explanation)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, InferenceJson.Options))
            Write(json, explanation);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public void Write(Utf8JsonWriter json, Explanation explanation)
    {
        _premises = 0;
        WriteBecause(json, explanation, 0);
    }

    private void WriteBecause(Utf8JsonWriter json, Explanation explanation, int depth)
    {
        json.WriteStartArray();
        json.WriteStartObject();
        json.WriteString("rule"u8, explanation.Rule?.Name);
        if (explanation.Rule is { } rule)
            usesRule(Read, rule);
        json.WriteStartObject("bindings"u8);
        foreach (var binding in explanation.Bindings)
        {
            json.WritePropertyName(binding.Variable);
            InferenceJson.WriteValue(json, binding.Value);
        }
        json.WriteEndObject();
        json.WriteStartArray("premises"u8);
        foreach (var premise in explanation.Premises)
        {
            if (++_premises > MostPremises)
                break;
            WritePremise(json, premise, depth);
        }
        json.WriteEndArray();
        if (_premises > MostPremises)
            json.WriteBoolean("truncated"u8, true);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private void WritePremise(Utf8JsonWriter json, Explanation premise, int depth)
    {
        json.WriteStartObject();
        InferenceJson.WriteTerm(json, "subject", premise.Fact.Subject);
        json.WriteString("predicate"u8, premise.Fact.Predicate.Value);
        InferenceJson.WriteTerm(json, "object", premise.Fact.Object);
        json.WriteNumber("confidence"u8, premise.Degree);
        Read.Add(InferenceJson.NameOf(premise.Fact.Subject));
        if (premise.Rule is not null)
        {
            if (depth < DeepestRules)
            {
                json.WritePropertyName("because"u8);
                WriteBecause(json, premise, depth + 1);
            }
            else
                json.WriteBoolean("truncated"u8, true);
        }
        else if (readingOf(premise) is { } reading)
        {
            json.WriteNumber("reading_id"u8, reading.ReadingId);
            json.WriteString("timestamp"u8, InferenceJson.TimeText(new DateTime(reading.Ticks, DateTimeKind.Utc)));
        }
        json.WriteEndObject();
    }
}
