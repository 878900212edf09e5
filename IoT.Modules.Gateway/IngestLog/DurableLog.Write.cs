namespace IoT.Modules.Gateway.IngestLog;

// The one writer. Whatever waits when a group is durable is the next group: an idle log commits at once, a busy one in large groups.
internal sealed partial class DurableLog
{
    private CommitGroup? _current;
    private long _durable;
    private long _commits;
    private long _committedRecords;
    private long _committedBytes;
    private TaskCompletionSource? _moved;

    private void Write()
    {
        while (TakeGroup() is { } group)
            Commit(group);
    }

    /// <summary>Null when the log has failed, or is closing and there is nothing left that can be written.</summary>
    private CommitGroup? TakeGroup()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_failure is not null)
                    return null;
                if (_pending.TryPeek(out var group))
                {
                    if (group.Segment.File is not null)
                    {
                        _current = _pending.Dequeue();
                        if (_open == group)
                            _open = null;
                        return group;
                    }
                    if (_closing && _outOfSpace)
                        return null;
                }
                else if (_closing)
                    return null;
                _writerSleeps = true;
                Monitor.Wait(_gate);
                _writerSleeps = false;
            }
        }
    }

    private void Commit(CommitGroup group)
    {
        var segment = group.Segment;
        if (!segment.IsActive)
        {
            LogRecovery.Activate(_files, segment, _codec);
            _work.Set();
        }
        var started = _time.GetTimestamp();
        segment.File!.Write(group.Written, group.FileOffset);
        segment.File.SyncData();
        var info = new CommitInfo(group.Records, group.Length, _time.GetElapsedTime(started));

        TaskCompletionSource? moved;
        lock (_gate)
        {
            if (_failure is not null)
                return;
            segment.DurableEnd = group.FileOffset + group.Length;
            Volatile.Write(ref _durable, group.FirstSequence + group.Records - 1);
            _current = null;
            _commits++;
            _committedRecords += group.Records;
            _committedBytes += group.Length;
            _pendingBytes -= group.Length;
            var buffer = group.Release();
            if (buffer.Length <= LargestKeptBuffer && _buffers.Count < 2)
                _buffers.Push(buffer);
            if (_pendingBytes <= _options.MaxPendingBytes / 2)
                RoomFor(Refusal.Memory);
            (moved, _moved) = (_moved, null);
        }
        group.Complete();
        moved?.SetResult();
        _options.Committed?.Invoke(info);
    }
}
