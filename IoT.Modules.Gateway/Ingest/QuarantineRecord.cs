using System.Buffers.Binary;
using System.Text;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// An entry for the quarantine as it stands in the ingest log. Little endian: kind (1 byte, 3), time of arrival in ticks UTC (8 bytes),
/// length of what came (8 bytes), then device id, topic, protocol and reason (each 2 + n bytes, UTF-8; nothing is empty), then the bytes
/// that are kept, to the record's end.
/// </summary>
internal static class QuarantineRecord
{
    private const byte Kind = 3;
    private const int FixedBytes = 17;

    public static bool Is(ReadOnlySpan<byte> record) => record[0] == Kind;

    public static int SizeOf(QuarantineEntry entry) =>
        FixedBytes + SizeOf(entry.DeviceId) + SizeOf(entry.Topic) + SizeOf(entry.Protocol) + SizeOf(entry.Reason) + entry.Bytes.Length;

    /// <param name="entry">The entry.</param>
    /// <param name="record">As long as <see cref="SizeOf(QuarantineEntry)"/> says.</param>
    public static void Write(QuarantineEntry entry, Span<byte> record)
    {
        record[0] = Kind;
        BinaryPrimitives.WriteInt64LittleEndian(record[1..], entry.ReceivedAt.Ticks);
        BinaryPrimitives.WriteInt64LittleEndian(record[9..], entry.Length);
        var at = FixedBytes;
        foreach (var text in (ReadOnlySpan<string?>)[entry.DeviceId, entry.Topic, entry.Protocol, entry.Reason])
        {
            var length = Encoding.UTF8.GetBytes(text ?? "", record[(at + sizeof(ushort))..]);
            BinaryPrimitives.WriteUInt16LittleEndian(record[at..], checked((ushort)length));
            at += sizeof(ushort) + length;
        }
        entry.Bytes.Span.CopyTo(record[at..]);
    }

    /// <summary>The entry of a record; its bytes are a slice of it.</summary>
    public static QuarantineEntry Read(ReadOnlyMemory<byte> record)
    {
        var at = FixedBytes;
        var (device, topic, protocol, reason) = (Text(), Text(), Text(), Text());
        var receivedAt = new DateTime(BinaryPrimitives.ReadInt64LittleEndian(record.Span[1..]), DateTimeKind.Utc);
        return new QuarantineEntry(device!, topic, protocol, receivedAt, reason ?? "", BinaryPrimitives.ReadInt64LittleEndian(record.Span[9..]), record[at..]);

        string? Text()
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(record.Span[at..]);
            var text = Encoding.UTF8.GetString(record.Span.Slice(at + sizeof(ushort), length));
            at += sizeof(ushort) + length;
            return length == 0 ? null : text;
        }
    }

    private static int SizeOf(string? text) => sizeof(ushort) + Encoding.UTF8.GetByteCount(text ?? "");
}
