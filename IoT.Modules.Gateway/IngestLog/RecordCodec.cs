using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// The record format, version 2. All numbers are little endian; records follow each other without padding and never leave their segment.
/// <code>
///  0  u32  payload length; bit 31 marks a skip, bit 30 a record whose batch goes on with the next, bit 29 one that goes on with the batch before it
///  4  u32  header checksum: CRC32C of bytes 8 to 23 and 0 to 3, salted
///  8  i64  sequence, from 1
/// 16  u32  record: its place in its commit group, from 0; skip: how many sequences it stands for
/// 20  u32  payload checksum: CRC32C, salted
/// 24       payload
/// </code>
/// Both checksums start from the CRC32C of the log's id, which never leaves the log: no payload can hold what passes for a record.
/// The header's own checksum makes the length trustworthy when only the payload is damaged, so one flipped bit costs one record.
/// The place in the group tells what had been made durable before the record was written: all that is before its group.
/// A skip is written by recovery only. It stands for sequences that a power cut left unreadable, so that none is given out twice.
/// Bits 30 and 29 tie the records of an atomic batch together, so that recovery knows one that a crash has left in part, whichever part
/// that is. Version 1 had neither and no payload long enough to look so: its records are read as they stand.
/// </summary>
internal sealed class RecordCodec(Guid logId)
{
    public const int HeaderBytes = 24;
    public const int LongestPayload = (1 << 29) - 1;
    private const uint SkipBit = 0x8000_0000, GoesOnBit = 0x4000_0000, FollowsBit = 0x2000_0000;

    private readonly uint _salt = SaltOf(logId);

    public Guid LogId => logId;

    public uint ChecksumOf(ReadOnlySpan<byte> payload) => Crc(_salt, payload);

    /// <param name="goesOn">The atomic batch that it is of has another record after it.</param>
    /// <param name="follows">It has one before it.</param>
    public void WriteRecord(Span<byte> target, int length, long sequence, uint place, uint payloadChecksum, bool goesOn = false, bool follows = false) =>
        WriteHeader(target, (uint)length | (goesOn ? GoesOnBit : 0) | (follows ? FollowsBit : 0), sequence, place, payloadChecksum);

    /// <summary>Writes a whole skip: the target's length is the skip's, header included.</summary>
    public void WriteSkip(Span<byte> target, long sequence, uint count)
    {
        var filler = target[HeaderBytes..];
        filler.Clear();
        WriteHeader(target, (uint)filler.Length | SkipBit, sequence, count, ChecksumOf(filler));
    }

    /// <summary>False when the bytes are not a header that this log has written.</summary>
    public bool TryReadHeader(ReadOnlySpan<byte> source, out RecordHeader header)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(source);
        header = new RecordHeader(
            (int)(length & LongestPayload),
            (length & SkipBit) != 0,
            (length & GoesOnBit) != 0,
            (length & FollowsBit) != 0,
            BinaryPrimitives.ReadInt64LittleEndian(source[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[20..]));
        return BinaryPrimitives.ReadUInt32LittleEndian(source[4..]) == HeaderChecksum(source, length) && header.Sequence > 0;
    }

    /// <summary>CRC32C with the processor's instruction: some 8 GB/s.</summary>
    public static uint Crc(uint seed, ReadOnlySpan<byte> bytes)
    {
        var crc = seed;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        foreach (var tail in bytes[(words.Length * sizeof(ulong))..])
            crc = BitOperations.Crc32C(crc, tail);
        return crc;
    }

    private void WriteHeader(Span<byte> target, uint length, long sequence, uint place, uint payloadChecksum)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, length);
        BinaryPrimitives.WriteInt64LittleEndian(target[8..], sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(target[16..], place);
        BinaryPrimitives.WriteUInt32LittleEndian(target[20..], payloadChecksum);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], HeaderChecksum(target, length));
    }

    private uint HeaderChecksum(ReadOnlySpan<byte> header, uint length) =>
        BitOperations.Crc32C(Crc(_salt, header[8..HeaderBytes]), length);

    private static uint SaltOf(Guid logId)
    {
        Span<byte> id = stackalloc byte[16];
        logId.TryWriteBytes(id);
        return Crc(uint.MaxValue, id);
    }
}

/// <param name="Length">Of the payload, in bytes.</param>
/// <param name="IsSkip">Stands for sequences that are gone.</param>
/// <param name="GoesOn">The next record is of the same atomic batch.</param>
/// <param name="Follows">The record before is of the same atomic batch.</param>
/// <param name="Sequence">From 1.</param>
/// <param name="Place">In its commit group, from 0; of a skip, how many sequences it stands for.</param>
/// <param name="PayloadChecksum">As written.</param>
internal readonly record struct RecordHeader(int Length, bool IsSkip, bool GoesOn, bool Follows, long Sequence, uint Place, uint PayloadChecksum);
