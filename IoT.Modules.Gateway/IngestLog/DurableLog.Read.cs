using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.IngestLog;

// Readers take what is durable by pread, which the page cache answers for all that is new; every record is checked again.
internal sealed partial class DurableLog
{
    /// <summary>Waits for the sequence to be durable, then reads from it on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Trimmed already.</exception>
    /// <exception cref="IngestLogFailedException">It never will be.</exception>
    public async ValueTask<LogBatch> ReadAsync(long fromSequence, int maxRecords, int maxBytes, CancellationToken cancellationToken)
    {
        if (DurableSequence < fromSequence)
            await WaitForDurableAsync(fromSequence, cancellationToken);
        return Read(fromSequence, maxRecords, maxBytes);
    }

    /// <summary>Completes when <see cref="DurableSequence"/> has reached the sequence.</summary>
    /// <exception cref="IngestLogFailedException">It never will.</exception>
    public async ValueTask WaitForDurableAsync(long sequence, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task moved;
            lock (_gate)
            {
                if (_durable >= sequence)
                    return;
                if (_failure is not null)
                    ThrowIfUnusable();
                _moved ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                moved = _moved.Task;
            }
            await moved.WaitAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Durable records from the sequence on: at least one, whatever its size, unless there is none; at most <paramref name="maxRecords"/>
    /// and as long as payloads fit into <paramref name="maxBytes"/>. A batch ends with its segment. Read on from <see cref="LogBatch.NextSequence"/>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Trimmed already.</exception>
    /// <exception cref="IOException">The disk can't read it.</exception>
    public LogBatch Read(long fromSequence, int maxRecords, int maxBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRecords, 1);
        var batch = new LogBatch { NextSequence = fromSequence };
        while (batch.Count == 0)
        {
            Segment segment;
            long stopAt;
            lock (_gate)
            {
                if (batch.NextSequence > _durable)
                    break;
                ArgumentOutOfRangeException.ThrowIfLessThan(batch.NextSequence, _segments[0].FirstSequence, nameof(fromSequence));
                if (_closing && _failure is not null)
                    ThrowIfUnusable();
                var at = SegmentOf(batch.NextSequence);
                segment = _segments[at];
                stopAt = Math.Min(_durable + 1, at + 1 < _segments.Count ? _segments[at + 1].FirstSequence : long.MaxValue);
                segment.Enter();
            }
            try
            {
                ReadInto(batch, segment, stopAt, maxRecords, maxBytes);
            }
            catch
            {
                batch.Dispose();
                throw;
            }
            finally
            {
                lock (_gate)
                    segment.Leave();
            }
        }
        return batch;
    }

    private void ReadInto(LogBatch batch, Segment segment, long stopAt, int maxRecords, int maxBytes)
    {
        var (sequence, offset) = segment.Locate(batch.NextSequence);
        using var cursor = new SegmentCursor(segment.File!, _codec, offset, segment.DurableEnd, sequence, stopAt);
        var from = batch.NextSequence;
        while (batch.Count < maxRecords && cursor.MoveNext())
        {
            if (cursor.Header.Sequence < from)
                continue;
            if (batch.Count > 0 && (long)batch.Bytes + cursor.Header.Length > maxBytes)
                break;
            batch.Add(cursor.Header.Sequence, cursor.Payload);
            batch.NextSequence = cursor.Header.Sequence + 1;
        }
        if (batch.Count == 0)
            batch.NextSequence = Math.Max(from, Math.Min(cursor.Expected, stopAt));
        foreach (var gap in cursor.Gaps)
            Report(segment, gap);
    }

    /// <summary>Damage that was not there when the log was opened.</summary>
    private void Report(Segment segment, Gap gap)
    {
        lock (_gate)
        {
            if (_damages.Exists(known => known.FirstSequence <= gap.FirstSequence && gap.LastSequence <= known.LastSequence))
                return;
            _damages.Add(new DamageReport(DamageKind.Records, segment.Name, gap.FromOffset, gap.ToOffset, gap.FirstSequence, gap.LastSequence));
        }
        _logger.Damaged(DamageKind.Records, segment.Name, gap.FromOffset, gap.ToOffset, gap.FirstSequence, gap.LastSequence);
    }

    /// <summary>Under the gate: the last segment that does not begin behind the sequence.</summary>
    private int SegmentOf(long sequence)
    {
        int low = 0, high = _segments.Count;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (_segments[middle].FirstSequence <= sequence)
                low = middle;
            else
                high = middle;
        }
        return low;
    }
}
