using System.Buffers;
using System.Text;

namespace IoT.Modules.Semantics.Naming;

/// <summary>Names of entities, members and vocabulary as IRIs: one rule for devices, locations and entities of any type.</summary>
internal static class Names
{
    public const string Root = "urn:iot:";
    public const string Device = Root + "device:";
    public const string Metric = Root + "metric:";
    public const string Average = Root + "avg:";
    public const string Minimum = Root + "min:";
    public const string Maximum = Root + "max:";
    public const string Count = Root + "count:";
    public const string Location = Root + "location:";
    public const string Vocabulary = Root + "vocab:";

    public const string DeviceClass = Vocabulary + "Device";
    public const string LocatedIn = Vocabulary + "locatedIn";

    private static readonly SearchValues<char> Unescaped = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    // What RFC 3987 lets nowhere into an IRI; a % only before two hexadecimal digits.
    private static readonly SearchValues<char> NeverInIri = SearchValues.Create("<>\"{}|^`\\ ");

    /// <summary><c>urn:iot:</c>, the type in lower case and the escaped id; an id that is an absolute IRI stays as it is.</summary>
    public static string Entity(string type, string id) => IsAbsolute(id) ? id : $"{Root}{Escape(type.ToLowerInvariant())}:{Escape(id)}";

    public static string OfDevice(string id) => Device + Escape(id);

    public static string OfLocation(string id) => IsAbsolute(id) ? id : Location + Escape(id);

    /// <summary>The class that a device's type is.</summary>
    public static string OfType(string type) => IsAbsolute(type) ? type : Vocabulary + Escape(type);

    /// <summary>A subject as somebody asks for it: an IRI, or the id of a device.</summary>
    public static string OfSubject(string text) => IsAbsolute(text) || text.StartsWith("_:", StringComparison.Ordinal) ? text : OfDevice(text);

    /// <summary>One member's name in the path of a metric: its own dots are escaped, since dots join.</summary>
    public static string Member(string name) => Escape(name).Replace(".", "%2E", StringComparison.Ordinal);

    public static bool IsAbsolute(string text) =>
        (text.StartsWith("urn:", StringComparison.OrdinalIgnoreCase) || text.StartsWith("http:", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
        && IsIri(text);

    /// <summary>Percent-encodes the UTF-8 of everything but <c>A-Z a-z 0-9 . _ -</c>.</summary>
    public static string Escape(string id)
    {
        if (!id.AsSpan().ContainsAnyExcept(Unescaped))
            return id;
        var escaped = new StringBuilder(id.Length + 16);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in id.EnumerateRunes())
        {
            if (rune.IsBmp && Unescaped.Contains((char)rune.Value))
            {
                escaped.Append((char)rune.Value);
                continue;
            }
            foreach (var b in utf8[..rune.EncodeToUtf8(utf8)])
                escaped.Append('%').Append(Convert.ToHexString([b]));
        }
        return escaped.ToString();
    }

    /// <summary>Type and id of an entity's IRI as an MQTT topic has them; of other IRIs the type is <c>iri</c> and the id all of it, escaped.</summary>
    public static (string Type, string Id) TopicOf(string iri)
    {
        if (iri.StartsWith(Root, StringComparison.Ordinal) && iri.IndexOf(':', Root.Length) is var end and > 0 && end + 1 < iri.Length)
        {
            var (type, id) = (iri[Root.Length..end], iri[(end + 1)..]);
            if (IsTopicLevel(type) && IsTopicLevel(id))
                return (type, id);
        }
        return ("iri", Escape(iri));
    }

    private static bool IsTopicLevel(string text) => text.AsSpan().IndexOfAny("/+#\0") < 0;

    private static bool IsIri(string text)
    {
        if (text.AsSpan().ContainsAny(NeverInIri) || text[^1] == ':')
            return false;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]))
                return false;
            if (char.IsSurrogate(text[i]) && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i])))
                return false;
            if (text[i] == '%' && !(i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2])))
                return false;
        }
        return true;
    }
}
