using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Inferences;

/// <summary>A single term out of its N-Triples form, as it was stored.</summary>
internal static class NTriplesTerm
{
    /// <exception cref="FormatException">It is not one.</exception>
    public static Term Parse(string text)
    {
        if (text.StartsWith("_:", StringComparison.Ordinal))
            return Term.Blank(text[2..]);
        if (text is ['<', .., '>'])
            return Term.Iri(Unescape(text[1..^1]));
        var end = text.LastIndexOf('"');
        if (text.Length < 2 || text[0] != '"' || end == 0)
            throw new FormatException($"Not a term of N-Triples: {text}");
        var lexical = Unescape(text[1..end]);
        var rest = text[(end + 1)..];
        return rest.Length == 0 ? Term.Literal(lexical)
            : rest[0] == '@' ? Term.LanguageLiteral(lexical, rest[1..])
            : rest.StartsWith("^^<", StringComparison.Ordinal) && rest[^1] == '>' ? Term.Literal(lexical, Unescape(rest[3..^1]))
            : throw new FormatException($"Not a term of N-Triples: {text}");
    }

    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                plain.Append(text[i]);
                continue;
            }
            switch (text[++i])
            {
                case 't': plain.Append('\t'); break;
                case 'b': plain.Append('\b'); break;
                case 'n': plain.Append('\n'); break;
                case 'r': plain.Append('\r'); break;
                case 'f': plain.Append('\f'); break;
                case 'u':
                    plain.Append((char)int.Parse(text.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                    i += 4;
                    break;
                case 'U':
                    plain.Append(new Rune(int.Parse(text.AsSpan(i + 1, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)).ToString());
                    i += 8;
                    break;
                default: plain.Append(text[i]); break;
            }
        }
        return plain.ToString();
    }
}
