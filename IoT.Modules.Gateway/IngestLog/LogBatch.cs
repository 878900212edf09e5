using System.Buffers;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>Durable records in order. Their payloads live until it is disposed.</summary>
internal sealed class LogBatch : IDisposable
{
    private (long Sequence, int Start, int Length)[] _records = [];
    private byte[] _buffer = [];
    private int _length;

    public int Count { get; private set; }

    /// <summary>Of the payloads.</summary>
    public int Bytes => _length;

    /// <summary>Where to read on. It may be beyond the last record when damaged or skipped sequences follow, even when the batch is empty.</summary>
    public long NextSequence { get; internal set; }

    public LogRecord this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            var (sequence, start, length) = _records[index];
            return new LogRecord(sequence, _buffer.AsMemory(start, length));
        }
    }

    internal void Add(long sequence, ReadOnlySpan<byte> payload)
    {
        _buffer = Grown(_buffer, _length, payload.Length);
        _records = Grown(_records, Count, 1);
        payload.CopyTo(_buffer.AsSpan(_length));
        _records[Count++] = (sequence, _length, payload.Length);
        _length += payload.Length;
    }

    public void Dispose()
    {
        (Count, _length) = (0, 0);
        Return(_buffer);
        Return(_records);
        (_buffer, _records) = ([], []);
    }

    private static T[] Grown<T>(T[] array, int used, int more)
    {
        if (array.Length - used >= more)
            return array;
        var larger = ArrayPool<T>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max((long)used + more, Math.Max(256, array.Length * 2L))));
        array.AsSpan(0, used).CopyTo(larger);
        Return(array);
        return larger;
    }

    private static void Return<T>(T[] array)
    {
        if (array.Length > 0)
            ArrayPool<T>.Shared.Return(array);
    }
}

internal readonly record struct LogRecord(long Sequence, ReadOnlyMemory<byte> Payload);
