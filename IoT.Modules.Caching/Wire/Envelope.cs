using System.Buffers.Binary;
using System.IO.Compression;
using IoT.Modules.Caching.Contracts;

namespace IoT.Modules.Caching.Wire;

/// <summary>
/// A value's bytes below memory: format (1 byte: 1 plain, 2 gzip), the kind's version (2), epoch (8) and stamp (8) of the generations it
/// was computed under, expiry in Unix milliseconds (8), length of the value before compression (4), all little-endian; then the value. Bytes
/// of any other form are a miss: another release may have written them.
/// </summary>
internal static class Envelope
{
    private const byte Plain = 1;
    private const byte Gzip = 2;
    private const int HeadLength = 31;

    // Ten years: nothing is kept for longer.
    private const long LongestMilliseconds = 10L * 365 * 24 * 3_600 * 1_000;

    /// <summary>Larger values stay in memory.</summary>
    public const int MaxLength = 16 * 1024 * 1024;

    /// <summary>Null: too large.</summary>
    public static byte[]? Write<T>(CacheKind<T> kind, T value, long epoch, long stamp, DateTimeOffset expires, int compressAbove)
    {
        using var body = new MemoryStream();
        using (var writer = new BinaryWriter(body))
        {
            writer.Write(new byte[HeadLength]);
            kind.Codec!.Write(writer, value);
            writer.Flush();
            var length = (int)body.Length - HeadLength;
            if (length > MaxLength)
                return null;
            var isCompressed = compressAbove > 0 && length > compressAbove;
            var bytes = isCompressed ? Compress(body.GetBuffer().AsSpan(HeadLength, length)) : body.ToArray();
            var head = bytes.AsSpan();
            head[0] = isCompressed ? Gzip : Plain;
            BinaryPrimitives.WriteUInt16LittleEndian(head[1..], (ushort)kind.Version);
            BinaryPrimitives.WriteInt64LittleEndian(head[3..], epoch);
            BinaryPrimitives.WriteInt64LittleEndian(head[11..], stamp);
            BinaryPrimitives.WriteInt64LittleEndian(head[19..], expires.ToUnixTimeMilliseconds());
            BinaryPrimitives.WriteInt32LittleEndian(head[27..], length);
            return bytes;
        }
    }

    /// <summary>False for whatever can't be used: of another form, version, epoch or stamp, expired, damaged.</summary>
    public static bool TryRead<T>(CacheKind<T> kind, ReadOnlyMemory<byte> bytes, long epoch, long stamp, DateTimeOffset now, out T value, out TimeSpan left)
    {
        value = default!;
        left = default;
        var head = bytes.Span;
        if (head.Length < HeadLength || head[0] is not (Plain or Gzip)
            || BinaryPrimitives.ReadUInt16LittleEndian(head[1..]) != (ushort)kind.Version
            || BinaryPrimitives.ReadInt64LittleEndian(head[3..]) != epoch || BinaryPrimitives.ReadInt64LittleEndian(head[11..]) != stamp)
            return false;
        var milliseconds = BinaryPrimitives.ReadInt64LittleEndian(head[19..]) - now.ToUnixTimeMilliseconds();
        var length = BinaryPrimitives.ReadInt32LittleEndian(head[27..]);
        if (milliseconds is <= 0 or > LongestMilliseconds || length is < 0 or > MaxLength)
            return false;
        left = TimeSpan.FromMilliseconds(milliseconds);
        try
        {
            using var body = head[0] == Gzip ? Decompress(bytes[HeadLength..], length) : Open(bytes[HeadLength..]);
            if (body.Length != length)
                return false;
            using var reader = new BinaryReader(body);
            value = kind.Codec!.Read(reader);
            return body.Position == body.Length;
        }
        catch (Exception)
        {
            // Whatever a codec makes of foreign bytes is a miss, not a fault.
            return false;
        }
    }

    private static byte[] Compress(ReadOnlySpan<byte> value)
    {
        using var target = new MemoryStream(HeadLength + value.Length / 2);
        target.Write(new byte[HeadLength]);
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(value);
        return target.ToArray();
    }

    private static MemoryStream Decompress(ReadOnlyMemory<byte> bytes, int length)
    {
        using var gzip = new GZipStream(Open(bytes), CompressionMode.Decompress);
        var value = new byte[length];
        gzip.ReadExactly(value);
        if (gzip.ReadByte() >= 0)
            throw new InvalidDataException("It is longer than it says.");
        return new MemoryStream(value);
    }

    private static MemoryStream Open(ReadOnlyMemory<byte> bytes) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(bytes, out var segment)
            ? new MemoryStream(segment.Array!, segment.Offset, segment.Count, writable: false)
            : new MemoryStream(bytes.ToArray());
}
