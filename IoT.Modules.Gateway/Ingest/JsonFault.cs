using System.Buffers;
using System.Text;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>A place in a JSON object and, when it is malformed there, what is wrong.</summary>
/// <param name="Path">Of members and items: <c>payload.a[3].b</c>; <c>reading</c> for the object itself.</param>
/// <param name="Place">Bytes from the object's start; its end when nothing is wrong.</param>
/// <param name="What">Null when nothing is malformed up to there.</param>
internal readonly record struct JsonFault(string Path, int Place, string? What)
{
    private const int MaxDepth = PayloadRules.MaxDepth + 1;
    private const int MaxPathLength = 200;
    private const int MaxNameLength = 40;

    private static readonly SearchValues<byte> Space = SearchValues.Create(" \t\r\n"u8);

    private static readonly SearchValues<byte> Ordinary =
        SearchValues.Create([.. Enumerable.Range(0x20, 0xE0).Where(b => b is not ('"' or '\\')).Select(b => (byte)b)]);

    private static readonly SearchValues<byte> Word =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-."u8);

    private enum Expect
    {
        Value,
        FirstItem,
        FirstName,
        Name,
        Colon,
        CommaOrEnd,
    }

    /// <summary>A level of the path: a member by its name as written, or an item by its number.</summary>
    private struct Level
    {
        public bool IsArray;
        public int Item;
        public int NameStart;
        public int NameLength;
    }

    /// <summary>
    /// Walks an object by the grammar, as strictly as the framework's reader but in words for a sender, until something is malformed
    /// or the token that covers <paramref name="place"/> is reached. For what has failed: nothing here is paid for by sound readings.
    /// </summary>
    public static JsonFault Find(ReadOnlySpan<byte> json, int place = int.MaxValue)
    {
        Span<Level> levels = stackalloc Level[MaxDepth];
        var depth = 0;
        var at = 0;
        var expect = Expect.Value;
        while (true)
        {
            var space = json[at..].IndexOfAnyExcept(Space);
            if (space < 0)
                return new(PathOf(json, levels[..depth]), json.Length, "it ends in the middle");
            at += space;
            var start = at;
            var b = json[at];
            string? what = null;
            switch (expect)
            {
                case Expect.Name or Expect.FirstName when b == '"':
                    what = String(json, ref at);
                    levels[depth - 1].NameStart = start + 1;
                    levels[depth - 1].NameLength = Math.Max(0, at - start - (what is null ? 2 : 1));
                    expect = Expect.Colon;
                    break;
                case Expect.FirstName or Expect.CommaOrEnd when b == '}' && !levels[depth - 1].IsArray:
                case Expect.FirstItem or Expect.CommaOrEnd when b == ']' && levels[depth - 1].IsArray:
                    at++;
                    if (--depth == 0)
                        return new("reading", at, null);
                    expect = Expect.CommaOrEnd;
                    break;
                case Expect.CommaOrEnd when b == ',':
                    at++;
                    expect = levels[depth - 1].IsArray ? Expect.Value : Expect.Name;
                    levels[depth - 1].Item++;
                    levels[depth - 1].NameLength = -1;
                    break;
                case Expect.Colon when b == ':':
                    at++;
                    expect = Expect.Value;
                    break;
                case Expect.Value or Expect.FirstItem when b is (byte)'{' or (byte)'[':
                    if (place <= start && depth > 0)
                        break;
                    if (depth == MaxDepth)
                    {
                        what = $"it is nested deeper than {PayloadRules.MaxDepth} levels";
                        break;
                    }
                    levels[depth++] = new Level { IsArray = b == '[', NameLength = -1 };
                    expect = b == '[' ? Expect.FirstItem : Expect.FirstName;
                    at++;
                    break;
                case Expect.Value or Expect.FirstItem:
                    what = Scalar(json, ref at);
                    expect = Expect.CommaOrEnd;
                    break;
                default:
                    what = Unexpected(json, at, expect, levels[depth - 1].IsArray);
                    break;
            }
            if (what is not null || place < at || (place == start && start == at))
                return new(PathOf(json, levels[..depth]), what is null ? place : at, what);
        }
    }

    private static string? Scalar(ReadOnlySpan<byte> json, ref int at)
    {
        if (json[at] == '"')
            return String(json, ref at);
        var rest = json[at..];
        var length = rest.IndexOfAnyExcept(Word);
        var word = length < 0 ? rest : rest[..length];
        if (word.SequenceEqual("true"u8) || word.SequenceEqual("false"u8) || word.SequenceEqual("null"u8) || IsNumber(word))
        {
            at += word.Length;
            return null;
        }
        return rest[0] switch
        {
            (byte)'\'' => "text must stand in double quotes",
            (byte)',' or (byte)'}' or (byte)']' => "a value is missing",
            _ when word.IsEmpty => $"a value is expected, not {Shown(rest[0])}",
            _ when IsNotFinite(word) => $"{PayloadRules.Shortened(word)} is no JSON number: only finite numbers are",
            _ when (char)word[0] is '-' or '+' or '.' or (>= '0' and <= '9') => $"{PayloadRules.Shortened(word)} is not written as JSON writes numbers",
            _ => $"{PayloadRules.Shortened(word)} is no JSON value: text must stand in double quotes",
        };
    }

    private static bool IsNotFinite(ReadOnlySpan<byte> word)
    {
        word = word.TrimStart("+-"u8);
        return Ascii.EqualsIgnoreCase(word, "nan"u8) || Ascii.EqualsIgnoreCase(word, "inf"u8) || Ascii.EqualsIgnoreCase(word, "infinity"u8);
    }

    private static bool IsNumber(ReadOnlySpan<byte> word)
    {
        if (word is [(byte)'-', ..])
            word = word[1..];
        if (word is [(byte)'0', ..])
            word = word[1..];
        else if (!SkipDigits(ref word))
            return false;
        if (word is [(byte)'.', ..] && !SkipDigits(ref word, 1))
            return false;
        if (word is [(byte)'e' or (byte)'E', ..] && !SkipDigits(ref word, word is [_, (byte)'+' or (byte)'-', ..] ? 2 : 1))
            return false;
        return word.IsEmpty;
    }

    private static bool SkipDigits(ref ReadOnlySpan<byte> word, int from = 0)
    {
        word = word[from..];
        var digits = word.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        digits = digits < 0 ? word.Length : digits;
        word = word[digits..];
        return digits > 0;
    }

    /// <summary>Moves past a string, or to the byte of it that is wrong.</summary>
    private static string? String(ReadOnlySpan<byte> json, ref int at)
    {
        for (at++; ; at++)
        {
            var run = json[at..].IndexOfAnyExcept(Ordinary);
            if (run < 0)
            {
                at = json.Length;
                return "its text is not closed";
            }
            at += run;
            if (json[at] == '"')
            {
                at++;
                return null;
            }
            if (json[at] != '\\')
                return $"its text holds a control character ({Shown(json[at])}), which must be escaped";
            if (at + 1 == json.Length)
            {
                at++;
                return "its text is not closed";
            }
            if (json[at + 1] == 'u')
            {
                for (var i = 2; i < 6; i++)
                {
                    if (at + i >= json.Length || !char.IsAsciiHexDigit((char)json[at + i]))
                        return "its text holds a \\u without four hexadecimal digits";
                }
                at += 5;
            }
            else if (!"\"\\/bfnrt"u8.Contains(json[++at]))
            {
                return $"its text holds \\ before {Shown(json[at])}, which is no JSON escape";
            }
        }
    }

    private static string Unexpected(ReadOnlySpan<byte> json, int at, Expect expect, bool inArray) => (expect, json[at]) switch
    {
        (Expect.Name, (byte)'}') => "a comma stands before the closing }",
        (Expect.Name or Expect.FirstName, (byte)'\'') => "member names must stand in double quotes",
        (Expect.Name or Expect.FirstName, var b) => $"a member name in double quotes is expected, not {Shown(b)}",
        (Expect.Colon, var b) => $"a colon is expected after the name, not {Shown(b)}",
        (_, var b) => $"a comma or {(inArray ? ']' : '}')} is expected, not {Shown(b)}",
    };

    internal static string Shown(byte b) => b is > 0x20 and < 0x7F ? ((char)b).ToString() : $"byte 0x{b:X2}";

    private static string PathOf(ReadOnlySpan<byte> json, ReadOnlySpan<Level> levels)
    {
        var path = new StringBuilder();
        foreach (var level in levels)
        {
            if (!level.IsArray && level.NameLength < 0)
                break;
            if (path.Length > MaxPathLength)
                return path.Append('…').ToString();
            if (level.IsArray)
                path.Append('[').Append(level.Item).Append(']');
            else
                AppendName(path, json.Slice(level.NameStart, level.NameLength));
        }
        return path.Length == 0 ? "reading" : path.ToString();
    }

    /// <summary>As the sender wrote it, escapes and all, and as fact names write it: a dot of its own is %2E.</summary>
    private static void AppendName(StringBuilder path, ReadOnlySpan<byte> raw)
    {
        if (path.Length > 0)
            path.Append('.');
        if (raw.IsEmpty)
            path.Append("\"\"");
        var left = MaxNameLength;
        while (!raw.IsEmpty)
        {
            if (left-- == 0)
            {
                path.Append('…');
                return;
            }
            Rune.DecodeFromUtf8(raw, out var rune, out var length);
            raw = raw[length..];
            if (rune.Value == '.')
                path.Append("%2E");
            else
                path.Append(Rune.IsControl(rune) ? Rune.ReplacementChar.ToString() : rune.ToString());
        }
    }
}
