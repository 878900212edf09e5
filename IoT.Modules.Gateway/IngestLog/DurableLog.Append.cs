using System.Buffers.Binary;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.IngestLog;

// Where a record goes is decided when it is appended: segment, offset and sequence. So the budget is exact, the index is ready, and the
// writer has nothing to do but to write. Under the gate there are a copy and one short checksum a record.
internal sealed partial class DurableLog
{
    private const int FirstBufferBytes = 256 * 1024;
    private const int LargestKeptBuffer = 16 * 1024 * 1024;

    private readonly Queue<CommitGroup> _pending = new();
    private readonly Stack<byte[]> _buffers = new();
    private CommitGroup? _open;
    private Segment _tail;
    private long _tailOffset;
    private long _nextSequence;
    private long _pendingBytes;
    private long _reservedBytes;
    private long _refusedAppends;
    private bool _writerSleeps;
    private Refusal _refused;
    private TaskCompletionSource? _room;

    [Flags]
    private enum Refusal
    {
        None = 0,
        Memory = 1,
        Disk = 2,
    }

    /// <summary>A reusable buffer for records that are appended together.</summary>
    public RecordBatch NewBatch() => new(_codec);

    /// <summary>
    /// Copies the record and gives it the next sequence. False when memory or disk have no room: hold back, or say so to the sender.
    /// On a log that has failed or is closed the ticket fails.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Larger than <see cref="IngestLogOptions.MaxPendingBytes"/>.</exception>
    public bool TryAppend(ReadOnlySpan<byte> record, out IngestTicket ticket)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(record.Length, _options.MaxPendingBytes - RecordCodec.HeaderBytes, nameof(record));
        var checksum = _codec.ChecksumOf(record);
        var size = RecordCodec.HeaderBytes + record.Length;
        lock (_gate)
        {
            if (_failure is not null || _closing)
                return Refused(out ticket);
            if (!HasRoom(size, size <= _tail.Capacity - _tailOffset ? 0 : CapacityFor(size)))
            {
                ticket = default;
                return false;
            }

            var sequence = _nextSequence;
            var group = GroupFor(size);
            var target = Place(group, size);
            record.CopyTo(target[RecordCodec.HeaderBytes..]);
            Number(group, target, record.Length, checksum);
            ticket = new IngestTicket(sequence, 1, group.Committed);
            WakeWriter();
            return true;
        }
    }

    /// <summary>Appends all records of the batch with consecutive sequences, or none; see <see cref="RecordBatch.IsAtomic"/> for what a crash may leave.</summary>
    /// <exception cref="ArgumentException">Empty, of another log, or larger than <see cref="IngestLogOptions.MaxPendingBytes"/>.</exception>
    public bool TryAppend(RecordBatch batch, out IngestTicket ticket)
    {
        if (batch.Count == 0 || batch.Codec != _codec || batch.Bytes > _options.MaxPendingBytes)
            throw new ArgumentException($"The batch has {batch.Count} records and {batch.Bytes} bytes; the limit is {_options.MaxPendingBytes}, in a batch of this log.", nameof(batch));
        lock (_gate)
        {
            if (_failure is not null || _closing)
                return Refused(out ticket);
            if (!HasRoom(batch.Bytes, NewSegmentBytes(batch)))
            {
                ticket = default;
                return false;
            }

            var sequence = _nextSequence;
            // All of an atomic batch goes into one group, so that a group after it proves all of it durable.
            var group = batch.IsAtomic ? GroupFor(batch.Bytes) : null;
            for (var rest = batch.Encoded; rest.Length > 0;)
            {
                var size = SizeOfFirst(rest);
                group = GroupFor(size);
                var target = Place(group, size);
                rest[..size].CopyTo(target);
                Number(group, target, size - RecordCodec.HeaderBytes, BinaryPrimitives.ReadUInt32LittleEndian(rest[20..]),
                    goesOn: batch.IsAtomic && rest.Length > size, follows: batch.IsAtomic && _nextSequence > sequence);
                rest = rest[size..];
            }
            ticket = new IngestTicket(sequence, batch.Count, group!.Committed);
            WakeWriter();
            return true;
        }
    }

    /// <summary>Completes when it is worth trying again after an append was refused; at once when none was since.</summary>
    /// <exception cref="IngestLogFailedException">There will be no room.</exception>
    public async Task WaitForRoomAsync(CancellationToken cancellationToken)
    {
        Task room;
        lock (_gate)
        {
            ThrowIfUnusable();
            if (_refused == Refusal.None)
                return;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            room = _room.Task;
        }
        await room.WaitAsync(cancellationToken);
        lock (_gate)
            ThrowIfUnusable();
    }

    private bool HasRoom(long bytes, long newSegmentBytes)
    {
        var refusal = Refusal.None;
        if (newSegmentBytes > 0 && (_outOfSpace || _reservedBytes + newSegmentBytes > _options.BudgetBytes))
            refusal = Refusal.Disk;
        else if (_pendingBytes + bytes > _options.MaxPendingBytes)
            refusal = Refusal.Memory;
        if (refusal == Refusal.None)
            return true;
        _refusedAppends++;
        if (refusal == Refusal.Disk && (_refused & Refusal.Disk) == 0)
            _logger.Full(_reservedBytes, _options.BudgetBytes);
        _refused |= refusal;
        return false;
    }

    private bool Refused(out IngestTicket ticket)
    {
        ticket = new IngestTicket(0, 0, Task.FromException(_failure ?? new IngestLogFailedException("The ingest log is closed.")));
        return true;
    }

    private void ThrowIfUnusable()
    {
        if (_failure is { } failure)
            throw new IngestLogFailedException(failure.Message, failure.InnerException);
        if (_closing)
            throw new IngestLogFailedException("The ingest log is closed.");
    }

    /// <summary>Bytes of segments that the records need beyond the last one.</summary>
    private long NewSegmentBytes(RecordBatch batch)
    {
        var records = batch.Encoded;
        var left = _tail.Capacity - _tailOffset;
        if (records.Length <= left)
            return 0;
        if (batch.IsAtomic)
            return CapacityFor(records.Length);
        var added = 0L;
        for (var rest = records; rest.Length > 0; rest = rest[SizeOfFirst(rest)..])
        {
            var size = SizeOfFirst(rest);
            if (size > left)
            {
                added += CapacityFor(size);
                left = CapacityFor(size) - SegmentHeader.Bytes;
            }
            left -= size;
        }
        return added;
    }

    private static int SizeOfFirst(ReadOnlySpan<byte> records) => RecordCodec.HeaderBytes + BinaryPrimitives.ReadInt32LittleEndian(records);

    private long CapacityFor(int size) => Math.Max(_options.SegmentBytes, SegmentHeader.Bytes + (long)size);

    private CommitGroup GroupFor(int size)
    {
        if (size > _tail.Capacity - _tailOffset)
            Roll(CapacityFor(size));
        if (_open is not null && _open.Segment == _tail && (long)_open.Length + size <= Array.MaxLength)
            return _open;
        var buffer = _buffers.TryPop(out var kept) ? kept : GC.AllocateUninitializedArray<byte>(FirstBufferBytes);
        _open = new CommitGroup(_tail, _tailOffset, _nextSequence, buffer);
        _pending.Enqueue(_open);
        return _open;
    }

    private Span<byte> Place(CommitGroup group, int size)
    {
        _tail.Index(_nextSequence, _tailOffset);
        _tailOffset += size;
        _pendingBytes += size;
        return group.Extend(size);
    }

    private void Number(CommitGroup group, Span<byte> target, int length, uint checksum, bool goesOn = false, bool follows = false)
    {
        _codec.WriteRecord(target, length, _nextSequence, (uint)group.Records, checksum, goesOn, follows);
        group.Records++;
        _nextSequence++;
    }

    private void Roll(long capacity)
    {
        _tail = new Segment(_nextSequence, capacity);
        _tailOffset = SegmentHeader.Bytes;
        _reservedBytes += capacity;
        _segments.Add(_tail);
        AssignSpare();
        _work.Set();
    }

    private void WakeWriter()
    {
        if (_writerSleeps)
            Monitor.PulseAll(_gate);
    }

    /// <summary>Under the gate: those who hold back for this reason may try again.</summary>
    private void RoomFor(Refusal reason)
    {
        if ((_refused & reason) == 0)
            return;
        _refused &= ~reason;
        _room?.TrySetResult();
        _room = null;
    }
}
