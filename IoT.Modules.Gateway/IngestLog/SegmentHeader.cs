using System.Buffers.Binary;
using System.Globalization;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// The first 64 bytes of a segment, and its name, which is its first sequence in 20 digits.
/// <code>
///  0  8 bytes  "IoTLogSg"
///  8  u32      format version, 2; 1 is read, and nothing is added to such a segment
/// 12  16 bytes log id
/// 28  i64      first sequence
/// 36  u32      CRC32C of bytes 0 to 35
/// 40           zeros
/// </code>
/// </summary>
internal static class SegmentHeader
{
    public const int Bytes = 64;
    public const int Version = 2;
    public const int OldestVersion = 1;
    private const string Extension = ".log";
    private const int Digits = 20;

    private static ReadOnlySpan<byte> Magic => "IoTLogSg"u8;

    public static string NameOf(long firstSequence) => firstSequence.ToString("D20", CultureInfo.InvariantCulture) + Extension;

    public static bool TryParseName(string name, out long firstSequence)
    {
        firstSequence = 0;
        return name.Length == Digits + Extension.Length && name.EndsWith(Extension, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(0, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out firstSequence) && firstSequence > 0;
    }

    public static void Write(Span<byte> target, Guid logId, long firstSequence)
    {
        target[..Bytes].Clear();
        Magic.CopyTo(target);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Version);
        logId.TryWriteBytes(target[12..]);
        BinaryPrimitives.WriteInt64LittleEndian(target[28..], firstSequence);
        BinaryPrimitives.WriteUInt32LittleEndian(target[36..], RecordCodec.Crc(uint.MaxValue, target[..36]));
    }

    public static SegmentHeaderState Read(ReadOnlySpan<byte> source, out Guid logId, out long firstSequence, out uint version)
    {
        (logId, firstSequence, version) = (Guid.Empty, 0, 0);
        if (source.IndexOfAnyExcept((byte)0) < 0)
            return SegmentHeaderState.Blank;
        if (source.Length < Bytes)
            return SegmentHeaderState.Foreign;
        version = BinaryPrimitives.ReadUInt32LittleEndian(source[8..]);
        logId = new Guid(source.Slice(12, 16));
        firstSequence = BinaryPrimitives.ReadInt64LittleEndian(source[28..]);
        var named = source.StartsWith(Magic);
        if (RecordCodec.Crc(uint.MaxValue, source[..36]) == BinaryPrimitives.ReadUInt32LittleEndian(source[36..]) && named)
            return SegmentHeaderState.Sound;
        return named ? SegmentHeaderState.Damaged : SegmentHeaderState.Foreign;
    }
}

internal enum SegmentHeaderState
{
    Sound,

    /// <summary>Ours by its first bytes, but the checksum is wrong.</summary>
    Damaged,

    /// <summary>Nothing but zeros.</summary>
    Blank,

    /// <summary>Not recognisable, unless records of the log are found behind it.</summary>
    Foreign,
}
