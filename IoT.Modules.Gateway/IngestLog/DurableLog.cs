using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// The ingest log: append-only, in segment files, group commit by fdatasync. A ticket that completes means that its record is on disk.
/// Appending, reading and trimming may be done by any thread at any time. Sequences are dense and go on over restarts, but for numbers
/// that recovery passes over.
/// </summary>
internal sealed partial class DurableLog : IAsyncDisposable
{
    private readonly object _gate = new();
    private readonly ILogFiles _files;
    private readonly IngestLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RecordCodec _codec;
    private readonly List<Segment> _segments;
    private readonly List<DamageReport> _damages;
    private readonly TaskCompletionSource<IngestLogFailedException> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _writerEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _keeperEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IngestLogFailedException? _failure;
    private bool _closing;

    private DurableLog(ILogFiles files, IngestLogOptions options, TimeProvider time, ILogger logger, RecoveredLog found)
    {
        (_files, _options, _time, _logger) = (files, options, time, logger);
        (_codec, _segments, _damages) = (found.Codec, found.Segments, found.Damages);
        (_nextSequence, _durable) = (found.NextSequence, found.NextSequence - 1);
        _tail = _segments[^1];
        _tailOffset = _tail.Version == SegmentHeader.Version ? _tail.DurableEnd : _tail.Capacity;
        _reservedBytes = _segments.Sum(segment => segment.Capacity);
        _retry = time.CreateTimer(_ => RetryNow(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public Guid LogId => _codec.LogId;

    /// <summary>Of the oldest segment that is left: the first sequence that may be read.</summary>
    public long FirstSequence
    {
        get
        {
            lock (_gate)
                return _segments[0].FirstSequence;
        }
    }

    /// <summary>Format version of the oldest segment that is left.</summary>
    public int FirstVersion
    {
        get
        {
            lock (_gate)
                return _segments[0].Version;
        }
    }

    /// <summary>What the next record gets.</summary>
    public long NextSequence
    {
        get
        {
            lock (_gate)
                return _nextSequence;
        }
    }

    /// <summary>Everything up to here is on disk and may be read.</summary>
    public long DurableSequence => Volatile.Read(ref _durable);

    /// <summary>Bytes of all segment files, the one made ahead included.</summary>
    public long SizeBytes
    {
        get
        {
            lock (_gate)
                return _reservedBytes + _spareBytes;
        }
    }

    public long BudgetBytes => _options.BudgetBytes;

    /// <summary>
    /// An append was refused for want of disk, or records wait for a segment that finds no space, and nothing has changed since. Small
    /// records that still fit are taken.
    /// </summary>
    public bool IsFull
    {
        get
        {
            lock (_gate)
                return (_refused & Refusal.Disk) != 0 || (_outOfSpace && _segments.Exists(segment => segment.File is null));
        }
    }

    /// <summary>Bytes that wait for their commit.</summary>
    public long PendingBytes
    {
        get
        {
            lock (_gate)
                return _pendingBytes;
        }
    }

    /// <summary>Commits since it was opened.</summary>
    public long Commits => Volatile.Read(ref _commits);

    public long CommittedRecords => Volatile.Read(ref _committedRecords);

    public long CommittedBytes => Volatile.Read(ref _committedBytes);

    /// <summary>Appends refused since it was opened.</summary>
    public long RefusedAppends => Volatile.Read(ref _refusedAppends);

    /// <summary>What was found damaged when it was opened, and by readers since. A copy.</summary>
    public IReadOnlyList<DamageReport> Damages
    {
        get
        {
            lock (_gate)
                return [.. _damages];
        }
    }

    /// <summary>Completes when the log has failed: the host must stop. Never completes when it is closed in order.</summary>
    public Task<IngestLogFailedException> Failed => _failed.Task;

    /// <summary>Opens the log in the directory, or begins one. Reads all of it: seconds for gigabytes.</summary>
    /// <exception cref="IngestLogUnusableException">A person must decide.</exception>
    /// <exception cref="IOException">It is in use, can't be read, or there is no space for its first segment.</exception>
    public static DurableLog Open(string directory, IngestLogOptions options, TimeProvider time, ILogger logger) =>
        Open(new LogFiles(directory), options, time, logger);

    /// <summary>Takes the files over: they are disposed with the log, or when it can't be opened.</summary>
    public static DurableLog Open(ILogFiles files, IngestLogOptions options, TimeProvider time, ILogger logger)
    {
        try
        {
            options.Validate();
            var started = time.GetTimestamp();
            var log = new DurableLog(files, options, time, logger, new LogRecovery(files, options, logger).Run());
            logger.Opened(log.LogId, log._segments.Count, log.FirstSequence, log.DurableSequence, log._damages.Count, (long)time.GetElapsedTime(started).TotalMilliseconds);
            log.StartThread("ingest log writer", log.Write, log._writerEnded);
            log.StartThread("ingest log keeper", log.Keep, log._keeperEnded);
            return log;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Commits what was appended, then closes. What finds no space any more fails.</summary>
    public async ValueTask DisposeAsync()
    {
        bool first;
        lock (_gate)
        {
            first = !_closing;
            _closing = true;
            Monitor.PulseAll(_gate);
        }
        if (!first)
        {
            await _closed.Task;
            return;
        }

        await _writerEnded.Task;
        _work.Set();
        await _keeperEnded.Task;
        await _retry.DisposeAsync();
        lock (_gate)
        {
            Release(new IngestLogFailedException("The ingest log is closed."));
            _segments.ForEach(segment => segment.Retire());
            _spare?.Dispose();
        }
        _work.Dispose();
        _files.Dispose();
        _closed.SetResult();
    }

    private void StartThread(string name, Action body, TaskCompletionSource ended)
    {
        // Threads of their own: they spend their lives in blocking system calls.
        new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                Fail(e);
            }
            ended.SetResult();
        })
        {
            Name = name,
            IsBackground = true,
        }.Start();
    }

    /// <summary>The end: whatever has not been promised is refused, and nothing is written or synced any more.</summary>
    private void Fail(Exception reason)
    {
        IngestLogFailedException failure;
        lock (_gate)
        {
            if (_failure is not null)
                return;
            failure = new IngestLogFailedException($"The ingest log has failed: {reason.Message}", reason);
            Release(failure);
            Monitor.PulseAll(_gate);
        }
        _work.Set();
        _logger.Failed(reason);
        _failed.SetResult(failure);
    }

    /// <summary>Under the gate: fails all that wait.</summary>
    private void Release(IngestLogFailedException reason)
    {
        _failure ??= reason;
        _current?.Fail(reason);
        while (_pending.TryDequeue(out var group))
            group.Fail(reason);
        (_open, _current) = (null, null);
        _room?.TrySetResult();
        _moved?.TrySetResult();
        (_room, _moved) = (null, null);
    }
}
