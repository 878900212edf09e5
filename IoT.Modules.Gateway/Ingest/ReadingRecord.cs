using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// A reading as it stands in the ingest log. Little endian: kind (1 byte), flags (1 byte), timestamp in ticks UTC (8 bytes), length and
/// bytes of the device id (1 + n), of the data_type (1 + n, UTF-8), in kind 2 of the message id (2 + n, UTF-8), then the payload to the
/// record's end. Kind 1 is a reading without a message id. Kinds 16 and 17 are the same with a payload that is compressed: its length as it was (4 bytes),
/// then Brotli. A new form gets a new kind; records of old kinds are read as long as a log may hold them.
/// </summary>
internal static class ReadingRecord
{
    private const byte ReadingKind = 1;
    private const byte IdentifiedReadingKind = 2;
    private const byte Compressed = 16;
    private const int FixedBytes = 12;

    // The quickest setting: a payload's repeated names are what there is to gain.
    private const int CompressionQuality = 1;
    private const int CompressionWindow = 18;

    // The device had no row when the reading was admitted: its sender may bring new devices.
    private const byte RegistersDevice = 1;

    private static int SizeOf(in Reading reading) =>
        FixedBytes + reading.Device.Id.Length + Encoding.UTF8.GetByteCount(reading.DataType) + reading.Payload.Length
        + (reading.MessageId is { } id ? sizeof(ushort) + Encoding.UTF8.GetByteCount(id) : 0);

    /// <summary>Adds the reading to the batch as its next record.</summary>
    /// <param name="batch">Gets one record more.</param>
    /// <param name="reading">The reading.</param>
    /// <param name="compressAbove">Payloads of more bytes are compressed, if that makes them smaller.</param>
    public static void Append(RecordBatch batch, in Reading reading, int compressAbove)
    {
        var size = SizeOf(reading);
        var record = batch.GetSpan(size)[..size];
        record[0] = reading.MessageId is null ? ReadingKind : IdentifiedReadingKind;
        record[1] = reading.Device.IsRegistered ? (byte)0 : RegistersDevice;
        BinaryPrimitives.WriteInt64LittleEndian(record[2..], reading.Timestamp.Ticks);
        var at = 10;
        at += WriteText(reading.Device.Id, record[at..]);
        at += WriteText(reading.DataType, record[at..]);
        if (reading.MessageId is { } messageId)
        {
            var length = Encoding.UTF8.GetBytes(messageId, record[(at + sizeof(ushort))..]);
            BinaryPrimitives.WriteUInt16LittleEndian(record[at..], (ushort)length);
            at += sizeof(ushort) + length;
        }
        var payload = reading.Payload.Span;
        // Into the room of the payload itself: what does not fit there is not worth it.
        if (payload.Length > compressAbove && payload.Length > sizeof(int)
            && BrotliEncoder.TryCompress(payload, record[(at + sizeof(int))..], out var compressed, CompressionQuality, CompressionWindow))
        {
            record[0] += Compressed - ReadingKind;
            BinaryPrimitives.WriteInt32LittleEndian(record[at..], payload.Length);
            at += sizeof(int) + compressed;
        }
        else
        {
            payload.CopyTo(record[at..]);
            at = size;
        }
        batch.Advance(at);
        batch.EndRecord();
    }

    /// <summary>The reading of a record; its payload is a slice of it, unless it is compressed.</summary>
    /// <exception cref="InvalidDataException">The record is of a kind that this version does not know, or does not hold what it says.</exception>
    public static Reading Read(ReadOnlyMemory<byte> record, DeviceDirectory directory, Func<ReadOnlySpan<byte>, string> dataTypeOf)
    {
        var bytes = record.Span;
        var isCompressed = bytes[0] >= Compressed;
        var kind = isCompressed ? bytes[0] - (Compressed - ReadingKind) : bytes[0];
        if (kind is not (ReadingKind or IdentifiedReadingKind))
            throw new InvalidDataException($"The ingest log holds a record of kind {bytes[0]}, which this version does not know: it was written by a newer one.");
        var timestamp = new DateTime(BinaryPrimitives.ReadInt64LittleEndian(bytes[2..]), DateTimeKind.Utc);
        var id = bytes.Slice(11, bytes[10]);
        var at = 11 + id.Length;
        var dataType = bytes.Slice(at + 1, bytes[at]);
        at += 1 + dataType.Length;
        string? messageId = null;
        if (kind == IdentifiedReadingKind)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
            messageId = Encoding.UTF8.GetString(bytes.Slice(at + sizeof(ushort), length));
            at += sizeof(ushort) + length;
        }
        return new Reading(DeviceOf(id, (bytes[1] & RegistersDevice) != 0, directory), timestamp, dataTypeOf(dataType), isCompressed ? Decompressed(bytes[at..]) : record[at..], messageId);
    }

    public static string DeviceIdOf(ReadOnlySpan<byte> record) => Encoding.ASCII.GetString(record.Slice(11, record[10]));

    private static DeviceEntry DeviceOf(ReadOnlySpan<byte> idUtf8, bool registers, DeviceDirectory directory)
    {
        Span<char> id = stackalloc char[DeviceId.MaxLength];
        id = id[..Encoding.ASCII.GetChars(idUtf8, id)];
        return directory.Find(id) ?? (registers ? directory.FindOrAdd(new string(id)) : DeviceDirectory.Removed(new string(id)));
    }

    private static byte[] Decompressed(ReadOnlySpan<byte> bytes)
    {
        var payload = new byte[BinaryPrimitives.ReadInt32LittleEndian(bytes)];
        return BrotliDecoder.TryDecompress(bytes[sizeof(int)..], payload, out var length) && length == payload.Length
            ? payload
            : throw new InvalidDataException("A reading in the ingest log can't be decompressed, though its checksum is right.");
    }

    private static int WriteText(string text, Span<byte> target)
    {
        target[0] = (byte)Encoding.UTF8.GetBytes(text, target[1..]);
        return 1 + target[0];
    }
}
