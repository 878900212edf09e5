using System.Text;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>Character classes of the Turtle grammar.</summary>
internal static class Characters
{
    /// <summary>PN_CHARS without the characters beyond ASCII.</summary>
    public const byte Name = 1;

    /// <summary>PN_CHARS_U without them.</summary>
    public const byte NameStart = 2;

    /// <summary>PN_CHARS_BASE without them.</summary>
    public const byte Letter = 4;
    public const byte Digit = 8;
    public const byte Hex = 16;

    /// <summary>What may stand in an IRI as it is.</summary>
    public const byte Iri = 32;

    /// <summary>What may follow a backslash in a local name.</summary>
    public const byte LocalEscape = 64;

    public static ReadOnlySpan<byte> Classes => Table;

    private static readonly byte[] Table = Make();

    /// <summary>PN_CHARS_BASE beyond ASCII.</summary>
    public static bool IsLetter(int c) => c is (>= 0xC0 and <= 0xD6) or (>= 0xD8 and <= 0xF6) or (>= 0xF8 and <= 0x2FF) or (>= 0x370 and <= 0x37D)
        or (>= 0x37F and <= 0x1FFF) or (>= 0x200C and <= 0x200D) or (>= 0x2070 and <= 0x218F) or (>= 0x2C00 and <= 0x2FEF)
        or (>= 0x3001 and <= 0xD7FF) or (>= 0xF900 and <= 0xFDCF) or (>= 0xFDF0 and <= 0xFFFD) or (>= 0x10000 and <= 0xEFFFF);

    /// <summary>PN_CHARS beyond ASCII.</summary>
    public static bool IsName(int c) => IsLetter(c) || c is 0xB7 or (>= 0x300 and <= 0x36F) or (>= 0x203F and <= 0x2040);

    public static bool Is(byte c, byte kind) => (Table[c] & kind) != 0;

    /// <summary>Whether a scalar value may be in an IRI, escaped or not.</summary>
    public static bool IsIri(Rune rune) => rune.Value >= 0x80 || Is((byte)rune.Value, Iri);

    private static byte[] Make()
    {
        var table = new byte[256];
        for (var c = 0; c < 256; c++)
        {
            byte kinds = 0;
            if (char.IsAsciiLetter((char)c))
                kinds |= Name | NameStart | Letter;
            if (c == '_')
                kinds |= Name | NameStart;
            if (c == '-')
                kinds |= Name;
            if (char.IsAsciiDigit((char)c))
                kinds |= Name | Digit;
            if (char.IsAsciiHexDigit((char)c))
                kinds |= Hex;
            if (c > 0x20 && !"<>\"{}|^`\\".Contains((char)c, StringComparison.Ordinal))
                kinds |= Iri;
            if ("_~.-!$&'()*+,;=/?#@%".Contains((char)c, StringComparison.Ordinal))
                kinds |= LocalEscape;
            table[c] = kinds;
        }
        return table;
    }
}
