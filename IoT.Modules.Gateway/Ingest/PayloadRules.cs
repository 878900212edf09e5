using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>What a payload may hold beyond being JSON: what <c>jsonb</c> takes, and what doubles and rules can reckon with.</summary>
internal static class PayloadRules
{
    /// <summary>Objects and arrays in one another; the payload itself is the first.</summary>
    public const int MaxDepth = 32;

    /// <summary>
    /// Whatever the settings allow. Measured on PostgreSQL: 20 million zeros (40 MB) are too many for one <c>jsonb</c> array, and 5
    /// million times 1e308 (30 MB) go in but can't be read back, being over 1 GB of text; 16 MiB of it stay below.
    /// </summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    public const int MaxNameCharacters = 256;

    public const int MaxNumberLength = 100;

    // jsonb writes numbers out: 1e100000 would be 100 kB of zeros, and a payload full of 1e308 comes back fifty times its size.
    private const int MinExponent = -400;
    private const int MaxExponent = 308;

    /// <summary>Digits that the exponents of a payload stand for, all numbers together.</summary>
    public const int MaxWrittenOutDigits = 64 * 1024;

    /// <summary>
    /// Reads on from the payload's opening brace to its closing one. Answers the first thing that is wrong and the place of its token
    /// from the reader's start; null when all is well.
    /// </summary>
    /// <exception cref="JsonException">The payload is malformed.</exception>
    public static string? Check(ref Utf8JsonReader reader, out int place)
    {
        var depth = reader.CurrentDepth;
        string? fault = null;
        var writtenOut = 0;
        place = 0;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (fault is not null)
                continue;
            fault = reader.TokenType switch
            {
                JsonTokenType.Number => NumberFault(reader.ValueSpan, ref writtenOut),
                JsonTokenType.String => reader.ValueIsEscaped ? EscapeFault(reader.ValueSpan) : null,
                JsonTokenType.PropertyName => NameFault(ref reader),
                _ => null,
            };
            place = (int)reader.TokenStartIndex;
        }
        return fault;
    }

    /// <summary>What PostgreSQL refuses among the escapes of a string: NUL and half a surrogate pair.</summary>
    public static string? EscapeFault(ReadOnlySpan<byte> raw)
    {
        for (var at = raw.IndexOf((byte)'\\'); at >= 0; at = raw.IndexOf((byte)'\\'))
        {
            if (raw[at + 1] != 'u')
            {
                raw = raw[(at + 2)..];
                continue;
            }
            var unit = Unit(raw[at..]);
            raw = raw[(at + 6)..];
            if (unit == 0)
                return "must not hold \\u0000";
            if (char.IsLowSurrogate(unit))
                return "holds half a surrogate pair";
            if (!char.IsHighSurrogate(unit))
                continue;
            if (raw is not [(byte)'\\', (byte)'u', _, _, _, _, ..] || !char.IsLowSurrogate(Unit(raw)))
                return "holds half a surrogate pair";
            raw = raw[6..];
        }
        return null;
    }

    private static string? NameFault(ref Utf8JsonReader reader)
    {
        var raw = reader.ValueSpan;
        if (reader.ValueIsEscaped && EscapeFault(raw) is { } fault)
            return $"its name {fault}";
        // A character takes at least one byte, so only longer names are counted.
        return raw.Length > MaxNameCharacters && Characters(raw) is var count and > MaxNameCharacters
            ? $"its name has {count} characters, at most {MaxNameCharacters} are allowed"
            : null;
    }

    private static string? NumberFault(ReadOnlySpan<byte> literal, ref int writtenOut)
    {
        if (literal.Length > MaxNumberLength)
            return $"the number {Shortened(literal)} has {literal.Length} characters, at most {MaxNumberLength} are allowed";
        // That short and without an exponent it is finite.
        var e = literal.IndexOfAny((byte)'e', (byte)'E');
        if (e < 0)
            return null;
        var exponent = Exponent(literal[(e + 1)..]);
        if (exponent is < MinExponent or > MaxExponent
            || !double.TryParse(literal, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value))
            return $"the number {Shortened(literal)} is out of range: a finite double with an exponent from {MinExponent} to {MaxExponent} is allowed";
        writtenOut += Math.Abs(exponent);
        return writtenOut > MaxWrittenOutDigits ? $"the payload's exponents stand for more than {MaxWrittenOutDigits} digits" : null;
    }

    private static int Exponent(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out int value, out var used) && used == text.Length ? value : int.MaxValue;

    /// <summary>Code points of a string as written, whose escapes are known to be sound.</summary>
    private static int Characters(ReadOnlySpan<byte> raw)
    {
        var count = 0;
        for (var i = 0; i < raw.Length; i++)
        {
            if ((raw[i] & 0xC0) == 0x80)
                continue;
            count++;
            if (raw[i] != '\\')
                continue;
            if (raw[i + 1] != 'u')
                i++;
            else
                i += char.IsHighSurrogate(Unit(raw[i..])) ? 11 : 5;
        }
        return count;
    }

    /// <summary>The value of a <c>\uXXXX</c>, which the reader has checked.</summary>
    private static char Unit(ReadOnlySpan<byte> escape) =>
        Utf8Parser.TryParse(escape.Slice(2, 4), out ushort unit, out _, 'x') ? (char)unit : '\0';

    internal static string Shortened(ReadOnlySpan<byte> ascii) =>
        ascii.Length <= 24 ? Encoding.ASCII.GetString(ascii) : string.Create(CultureInfo.InvariantCulture, $"{Encoding.ASCII.GetString(ascii[..24])}…");
}
