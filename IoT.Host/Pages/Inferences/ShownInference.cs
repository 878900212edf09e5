using System.Globalization;
using System.Text.Json;
using IoT.Modules.Semantics.Contracts;

namespace IoT.Host.Pages.Inferences;

/// <summary>A term as people read it: its short name, and all of it.</summary>
/// <param name="DeviceId">The device that it names; null: none.</param>
internal sealed record ShownTerm(string Text, string Full, string? DeviceId = null)
{
    private const string Device = "urn:iot:device:";

    public static ShownTerm Of(string iri)
    {
        if (iri.StartsWith(Device, StringComparison.Ordinal))
            return new ShownTerm(Uri.UnescapeDataString(iri[Device.Length..]), iri, Uri.UnescapeDataString(iri[Device.Length..]));
        var end = iri.LastIndexOfAny(['#', '/', ':']);
        return new ShownTerm(end >= 0 && end + 1 < iri.Length ? Uri.UnescapeDataString(iri[(end + 1)..]) : iri, iri);
    }

    /// <summary>As in N-Triples.</summary>
    public static ShownTerm OfTriples(string term) => term switch
    {
        ['<', .. var iri, '>'] => Of(iri),
        ['"', ..] => new ShownTerm(term[1..term.LastIndexOf('"')], term),
        _ => new ShownTerm(term, term),
    };

    /// <summary>As the API's JSON has it.</summary>
    public static ShownTerm OfJson(JsonElement value, bool isLiteral) =>
        value.ValueKind != JsonValueKind.String ? new ShownTerm(value.GetRawText(), value.GetRawText())
        : isLiteral ? new ShownTerm(value.GetString()!, value.GetString()!)
        : Of(value.GetString()!);
}

/// <summary>A premise, and what it follows from in turn.</summary>
internal sealed record ShownPremise(ShownTerm Subject, ShownTerm Predicate, ShownTerm Value, double Confidence, long? ReadingId, DateTime? Timestamp, IReadOnlyList<ShownReason> Because);

/// <summary>A rule and what it was applied to.</summary>
internal sealed record ShownReason(string Rule, IReadOnlyList<ShownPremise> Premises);

/// <summary>An inference as the page shows it.</summary>
internal sealed record ShownInference(Inference Inference, ShownTerm Subject, ShownTerm Predicate, ShownTerm Value, IReadOnlyList<ShownReason> Because)
{
    // What is deeper is in the API.
    private const int Deepest = 12;
    private const int MostPremises = 50;

    public static ShownInference Of(Inference inference)
    {
        IReadOnlyList<ShownReason> because = [];
        if (inference.Because is { } json)
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 10_000 });
            because = Reasons(document.RootElement, 0);
        }
        return new ShownInference(inference, ShownTerm.Of(inference.Subject), ShownTerm.Of(inference.Predicate), ShownTerm.OfTriples(inference.Value), because);
    }

    public static string Percent(double confidence) => confidence.ToString("0.##", CultureInfo.InvariantCulture);

    private static List<ShownReason> Reasons(JsonElement because, int depth) =>
        depth > Deepest ? []
            : [.. because.EnumerateArray().Select(reason => new ShownReason(
                reason.GetProperty("rule").GetString() ?? "",
                [.. reason.GetProperty("premises").EnumerateArray().Take(MostPremises).Select(premise => Premise(premise, depth))]))];

    private static ShownPremise Premise(JsonElement premise, int depth) => new(
        ShownTerm.OfJson(premise.GetProperty("subject"), false),
        ShownTerm.OfJson(premise.GetProperty("predicate"), false),
        ShownTerm.OfJson(premise.GetProperty("object"), premise.TryGetProperty("object_datatype", out _) || premise.TryGetProperty("object_language", out _)),
        premise.GetProperty("confidence").GetDouble(),
        premise.TryGetProperty("reading_id", out var id) ? id.GetInt64() : null,
        premise.TryGetProperty("timestamp", out var timestamp) ? timestamp.GetDateTime() : null,
        premise.TryGetProperty("because", out var because) ? Reasons(because, depth + 1) : []);
}
