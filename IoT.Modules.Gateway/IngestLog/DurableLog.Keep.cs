using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.IngestLog;

// The keeper makes segment files ahead of their use and deletes those that were trimmed, on a thread of its own: neither holds up a commit.
internal sealed partial class DurableLog
{
    private readonly AutoResetEvent _work = new(false);
    private readonly ITimer _retry;
    private ILogFile? _spare;
    private long _spareBytes;
    private bool _outOfSpace;
    private bool _retryDue;
    private long _trimTo;

    private enum Job
    {
        Wait,
        End,
        Delete,
        Make,
        Unmake,
    }

    /// <summary>Says that nothing below the sequence is needed any more. Segments that lie wholly below are deleted soon after; the last one stays.</summary>
    public void TrimTo(long sequence)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sequence, DurableSequence + 1);
        lock (_gate)
        {
            _trimTo = Math.Max(_trimTo, sequence);
            if (!_closing && _failure is null && CanDelete())
                _work.Set();
        }
    }

    private void Keep()
    {
        while (true)
        {
            var job = NextJob(out var bytes);
            switch (job)
            {
                case Job.End:
                    return;
                case Job.Wait:
                    _work.WaitOne();
                    break;
                case Job.Delete:
                    DeleteOldest();
                    break;
                case Job.Make:
                    MakeSpare(bytes);
                    break;
                case Job.Unmake:
                    DropSpare();
                    break;
            }
        }
    }

    private Job NextJob(out long bytes)
    {
        lock (_gate)
        {
            bytes = 0;
            if (_failure is not null || _writerEnded.Task.IsCompleted)
                return Job.End;
            if (CanDelete())
                return Job.Delete;
            AssignSpare();
            // One file at a time has the name of the spare: until the writer has renamed it there is nothing to make.
            if (_segments.Exists(segment => segment.File is not null && !segment.IsActive))
                return Job.Wait;
            var planned = _segments.Find(segment => segment.File is null);
            if (_spare is not null && (planned is not null || _reservedBytes + _spareBytes > _options.BudgetBytes))
                return Job.Unmake;
            if (_outOfSpace && !_retryDue)
                return Job.Wait;
            bytes = planned?.Capacity ?? _options.SegmentBytes;
            return planned is not null || (_spare is null && _reservedBytes + bytes <= _options.BudgetBytes) ? Job.Make : Job.Wait;
        }
    }

    /// <summary>Under the gate: gives the spare to the first segment that is planned only, if it fits.</summary>
    private void AssignSpare()
    {
        if (_spare is null || _segments.Find(segment => segment.File is null) is not { } planned || planned.Capacity != _spareBytes)
            return;
        (planned.File, _spare, _spareBytes) = (_spare, null, 0);
        Monitor.PulseAll(_gate);
    }

    private bool CanDelete() => _segments.Count > 1 && _segments[1].FirstSequence <= _trimTo && _segments[1].IsActive;

    /// <summary>One at a time and oldest first, so that a crash leaves no hole among those that stay.</summary>
    private void DeleteOldest()
    {
        Segment oldest;
        lock (_gate)
        {
            oldest = _segments[0];
            _segments.RemoveAt(0);
        }
        _files.Delete(oldest.Name);
        _files.SyncDirectory();
        lock (_gate)
        {
            oldest.Retire();
            _reservedBytes -= oldest.Capacity;
            RoomFor(Refusal.Disk);
        }
        RetryNow();
    }

    private void MakeSpare(long bytes)
    {
        ILogFile? made = null;
        try
        {
            made = _files.Create(LogRecovery.SpareName, bytes);
            made.Sync();
        }
        catch (IOException e) when (made is null && LogErrors.IsOutOfSpace(e))
        {
            RemovePartOfSpare();
            lock (_gate)
            {
                if (!_outOfSpace)
                    _logger.OutOfSpace(bytes, e.Message);
                (_outOfSpace, _retryDue) = (true, false);
                Monitor.PulseAll(_gate);
            }
            _retry.Change(_options.RetryInterval, Timeout.InfiniteTimeSpan);
            return;
        }

        lock (_gate)
        {
            (_spare, _spareBytes) = (made, bytes);
            if (_outOfSpace)
                _logger.SpaceAgain();
            (_outOfSpace, _retryDue) = (false, false);
            RoomFor(Refusal.Disk);
        }
    }

    private void RemovePartOfSpare()
    {
        if (_files.List().Contains(LogRecovery.SpareName))
            _files.Delete(LogRecovery.SpareName);
    }

    private void DropSpare()
    {
        lock (_gate)
        {
            _spare?.Dispose();
            (_spare, _spareBytes) = (null, 0);
        }
        _files.Delete(LogRecovery.SpareName);
    }

    private void RetryNow()
    {
        lock (_gate)
        {
            if (_closing && _writerEnded.Task.IsCompleted)
                return;
            _retryDue = true;
            _work.Set();
        }
    }
}
