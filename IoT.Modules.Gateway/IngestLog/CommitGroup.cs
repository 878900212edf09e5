namespace IoT.Modules.Gateway.IngestLog;

/// <summary>Records that are written and synced together: consecutive ones of one segment. Guarded by the log's gate until the writer takes it.</summary>
internal sealed class CommitGroup(Segment segment, long fileOffset, long firstSequence, byte[] buffer)
{
    // The continuations run on the thread pool: the writer goes on with the next group at once.
    private readonly TaskCompletionSource _committed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _buffer = buffer;
    private int _length;

    public Segment Segment => segment;
    public long FileOffset => fileOffset;
    public long FirstSequence => firstSequence;
    public int Records { get; set; }
    public int Length => _length;
    public Task Committed => _committed.Task;
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    /// <summary>Room at the end of the group's bytes.</summary>
    public Span<byte> Extend(int bytes)
    {
        if (bytes > _buffer.Length - _length)
        {
            var larger = GC.AllocateUninitializedArray<byte>((int)Math.Min(Array.MaxLength, Math.Max((long)_length + bytes, _buffer.Length * 2L)));
            Written.CopyTo(larger);
            _buffer = larger;
        }
        _length += bytes;
        return _buffer.AsSpan(_length - bytes, bytes);
    }

    public void Complete() => _committed.TrySetResult();

    public void Fail(Exception reason)
    {
        if (_committed.TrySetException(reason))
            _ = _committed.Task.Exception; // Seen: nobody may be waiting.
    }

    /// <summary>Takes the buffer back for another group.</summary>
    public byte[] Release()
    {
        var buffer = _buffer;
        (_buffer, _length) = ([], 0);
        return buffer;
    }
}
