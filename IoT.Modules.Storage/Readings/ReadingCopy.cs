using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Npgsql;

namespace IoT.Modules.Storage.Readings;

/// <summary>
/// Readings by binary COPY: PostgreSQL puts them into pages many at a time, with one record of its log a page, where an insert has one a
/// row. Encoded here, into as few pieces as fit; decision 0028 has what that brings.
/// </summary>
internal static class ReadingCopy
{
    /// <summary>Below so many readings its round trips cost more than it saves.</summary>
    public const int WorthItFrom = 500;

    private const string Copy = "copy device_data (id, device_id, timestamp, data_type, payload) from stdin (format binary)";

    private const int PieceBytes = 64 * 1024;
    private const int LongestSilenceMs = 60_000;

    private const short Columns = 5;
    private const byte JsonbVersion = 1;

    // Of a row: the number of columns, and of each its length; id, device and time are of a fixed one.
    private const int FixedBytes = sizeof(short) + Columns * sizeof(int) + sizeof(long) + 16 + sizeof(long) + sizeof(byte);

    // Signature, flags, no extension. Not as text: that would make two bytes of its 0xFF.
    private static ReadOnlySpan<byte> Header => [(byte)'P', (byte)'G', (byte)'C', (byte)'O', (byte)'P', (byte)'Y', (byte)'\n', 0xFF, (byte)'\r', (byte)'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>Within the connection's transaction, all of them or none.</summary>
    /// <exception cref="PostgresException">PostgreSQL refuses one of them.</exception>
    public static async Task WriteAsync(NpgsqlConnection connection, long[] ids, Reading[] readings, CancellationToken cancellationToken)
    {
        // What PostgreSQL has to say comes with the end of the stream, when it is disposed.
        await using var stream = await connection.BeginRawBinaryCopyAsync(Copy, cancellationToken);
        (stream.ReadTimeout, stream.WriteTimeout) = (LongestSilenceMs, LongestSilenceMs);
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            Header.CopyTo(piece);
            var length = Header.Length;
            for (var row = 0; row < readings.Length;)
            {
                row += Fill(piece, ref length, ids.AsSpan(row), readings.AsSpan(row));
                if (row == readings.Length)
                    break;
                if (length > 0)
                {
                    await stream.WriteAsync(piece.AsMemory(0, length), cancellationToken);
                    length = 0;
                    continue;
                }
                // Larger than a piece.
                ArrayPool<byte>.Shared.Return(piece);
                piece = [];
                piece = ArrayPool<byte>.Shared.Rent(LongestOf(readings[row]));
            }
            await stream.WriteAsync(piece.AsMemory(0, length), cancellationToken);
        }
        catch
        {
            await stream.CancelAsync();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <summary>As many rows as fit; answers how many.</summary>
    private static int Fill(Span<byte> piece, ref int length, ReadOnlySpan<long> ids, ReadOnlySpan<Reading> readings)
    {
        for (var row = 0; row < readings.Length; row++)
        {
            if (piece.Length - length < LongestOf(readings[row]))
                return row;
            length += WriteRow(piece[length..], ids[row], readings[row]);
        }
        return readings.Length;
    }

    private static int LongestOf(in Reading reading) => FixedBytes + Encoding.UTF8.GetMaxByteCount(reading.DataType.Length) + reading.Payload.Length;

    private static int WriteRow(Span<byte> target, long id, in Reading reading)
    {
        BinaryPrimitives.WriteInt16BigEndian(target, Columns);
        BinaryPrimitives.WriteInt32BigEndian(target[2..], sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(target[6..], id);
        BinaryPrimitives.WriteInt32BigEndian(target[14..], 16);
        reading.Device.Uuid.TryWriteBytes(target[18..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(target[34..], sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(target[38..], PostgresTime.Of(reading.Timestamp.Ticks));
        var textLength = Encoding.UTF8.GetBytes(reading.DataType, target[50..]);
        BinaryPrimitives.WriteInt32BigEndian(target[46..], textLength);
        var at = 50 + textLength;
        BinaryPrimitives.WriteInt32BigEndian(target[at..], sizeof(byte) + reading.Payload.Length);
        target[at + 4] = JsonbVersion;
        reading.Payload.Span.CopyTo(target[(at + 5)..]);
        return at + 5 + reading.Payload.Length;
    }
}
