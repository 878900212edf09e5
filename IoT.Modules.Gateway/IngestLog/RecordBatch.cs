using System.Buffers;
using System.Buffers.Binary;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// Records to be appended together, encoded in place: write one through the <see cref="IBufferWriter{T}"/>, then <see cref="EndRecord"/>.
/// Checksums are computed here, outside the log's lock. After an append the batch may be cleared and used again; after a refused one,
/// offered again as it is. Not for several threads at once.
/// </summary>
internal sealed class RecordBatch : IBufferWriter<byte>, IDisposable
{
    private const int FirstBytes = 4096;
    private readonly RecordCodec _codec;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int _end;
    private int _length = RecordCodec.HeaderBytes;

    internal RecordBatch(RecordCodec codec) => _codec = codec;

    /// <summary>Ended records.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of the ended records in the log, headers included.</summary>
    public int Bytes => _end;

    /// <summary>The ended records: headers without sequence, and payloads.</summary>
    internal ReadOnlySpan<byte> Encoded => _buffer.AsSpan(0, _end);

    internal RecordCodec Codec => _codec;

    /// <summary>After a crash all of its records are there or none. Otherwise a prefix of them may be, never acknowledged.</summary>
    public bool IsAtomic { get; set; }

    public void Add(ReadOnlySpan<byte> record)
    {
        record.CopyTo(GetSpan(record.Length));
        Advance(record.Length);
        EndRecord();
    }

    /// <summary>What was written since the last record becomes a record; it may be empty.</summary>
    public void EndRecord()
    {
        Ensure(0);
        var payload = _buffer.AsSpan(_end + RecordCodec.HeaderBytes, _length - _end - RecordCodec.HeaderBytes);
        var header = _buffer.AsSpan(_end, RecordCodec.HeaderBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], _codec.ChecksumOf(payload));
        _end = _length;
        _length = _end + RecordCodec.HeaderBytes;
        Count++;
    }

    /// <summary>Forgets what was written since the last record.</summary>
    public void DropRecord() => _length = _end + RecordCodec.HeaderBytes;

    public void Clear() => (_end, _length, Count, IsAtomic) = (0, RecordCodec.HeaderBytes, 0, false);

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _buffer.Length - _length);
        _length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(Math.Max(sizeHint, 1));
        return _buffer.AsSpan(_length);
    }

    public void Dispose()
    {
        var buffer = _buffer;
        _buffer = [];
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    private void Ensure(int more)
    {
        if (_buffer.Length - _length >= more) // Less than nothing when the next header doesn't fit yet.
            return;
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max((long)_length + more, _buffer.Length * 2L)));
        _buffer.AsSpan(0, Math.Min(_length, _buffer.Length)).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
