using System.Globalization;
using System.Text.Json;

namespace IoT.Host.Pages;

/// <summary>One member of a payload; nested names are joined with a dot, a dot of a name's own is <c>%2E</c>.</summary>
internal readonly record struct PayloadMember(string Path, string Text, double? Number);

/// <summary>Payloads, flattened.</summary>
internal static class PayloadMembers
{
    private const int LongestText = 200;
    private const int LongestNumber = 24;
    private const int LongestSummary = 160;

    // Longer ones are shown as the beginning of their text where a summary is all there's room for.
    private const int LongestSummarised = 16 * 1024;

    /// <summary>The members in their order; arrays are one member each, as JSON.</summary>
    public static List<PayloadMember> Of(string payload, int most)
    {
        using var document = JsonDocument.Parse(payload);
        return [.. Members(document.RootElement, "").Take(most)];
    }

    /// <summary>Numbers only; those that a double can't hold are left out.</summary>
    public static IEnumerable<(string Path, double Value)> Numbers(JsonElement payload) =>
        Members(payload, "").Where(m => m.Number is not null).Select(m => (m.Path, m.Number!.Value));

    /// <summary>A line of text for a table.</summary>
    public static string Summary(string payload)
    {
        if (payload.Length > LongestSummarised)
            return Cut(payload, LongestSummary);
        return Cut(string.Join(" · ", Of(payload, 8).Select(m => $"{m.Path} {m.Text}")), LongestSummary);
    }

    private static IEnumerable<PayloadMember> Members(JsonElement element, string prefix)
    {
        foreach (var member in element.EnumerateObject())
        {
            var path = prefix + member.Name.Replace(".", "%2E", StringComparison.Ordinal);
            if (member.Value.ValueKind == JsonValueKind.Object)
            {
                foreach (var inner in Members(member.Value, path + "."))
                    yield return inner;
            }
            else
            {
                yield return new PayloadMember(path, Cut(TextOf(member.Value), LongestText), NumberOf(member.Value));
            }
        }
    }

    private static string TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Null => "null",
        // PostgreSQL writes 1e308 out.
        JsonValueKind.Number when value.GetRawText().Length > LongestNumber => value.GetDouble().ToString("R", CultureInfo.InvariantCulture),
        _ => value.GetRawText(),
    };

    private static double? NumberOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    private static string Cut(string text, int length)
    {
        if (text.Length <= length)
            return text;
        // Not through the middle of a character of two.
        return text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)] + "…";
    }
}
