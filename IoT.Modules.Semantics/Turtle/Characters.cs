using System.Buffers;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>Which characters names may have, from Turtle's grammar.</summary>
internal static class Characters
{
    /// <summary>PN_CHARS below U+0080.</summary>
    public static SearchValues<byte> Name { get; } = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"u8);

    /// <summary>What ends an IRI or must not stand in one; the backslash starts an escape.</summary>
    public static SearchValues<byte> IriStop { get; } = SearchValues.Create([.. Enumerable.Range(0, 0x21).Select(i => (byte)i), .. "<>\"{}|^`\\"u8]);

    /// <summary>What a backslash may stand before in a local name.</summary>
    public static SearchValues<byte> LocalEscape { get; } = SearchValues.Create("_~.-!$&'()*+,;=/?#@%"u8);

    /// <summary>PN_CHARS_BASE.</summary>
    public static bool IsBase(int c) => c < 0x80
        ? (uint)((c | 0x20) - 'a') < 26
        : c is (>= 0xC0 and <= 0xD6) or (>= 0xD8 and <= 0xF6) or (>= 0xF8 and <= 0x2FF) or (>= 0x370 and <= 0x37D) or (>= 0x37F and <= 0x1FFF)
            or 0x200C or 0x200D or (>= 0x2070 and <= 0x218F) or (>= 0x2C00 and <= 0x2FEF) or (>= 0x3001 and <= 0xD7FF) or (>= 0xF900 and <= 0xFDCF)
            or (>= 0xFDF0 and <= 0xFFFD) or (>= 0x10000 and <= 0xEFFFF);

    /// <summary>PN_CHARS_U.</summary>
    public static bool IsStart(int c) => c == '_' || IsBase(c);

    /// <summary>PN_CHARS.</summary>
    public static bool IsName(int c) => IsStart(c) || c is '-' or (>= '0' and <= '9') or 0xB7 or (>= 0x300 and <= 0x36F) or 0x203F or 0x2040;

    public static bool IsDigit(int c) => (uint)(c - '0') < 10;

    public static bool IsHex(int c) => IsDigit(c) || (uint)((c | 0x20) - 'a') < 6;
}
