namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// Hands changes that were appended to the ingest log on to the writer of the state, in memory, so that it need not read the log, most of
/// which is readings. What it has no room for is dropped, and read from the log after all.
/// </summary>
internal sealed class BrokerFeed
{
    /// <summary>Bytes of the records in the log; objects take a few times as many.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    private readonly Queue<(long Sequence, IReadOnlyList<BrokerChange> Changes, int Bytes)> _entries = new();
    private long _bytes;
    private TaskCompletionSource? _arrived;

    /// <summary>
    /// Held from before an append until after its <see cref="Add"/>: whoever takes it knows the changes of every append that is on disk.
    /// </summary>
    public Lock Gate { get; } = new();

    /// <summary>Everything up to this sequence number is to be read from the log.</summary>
    public long DroppedUpTo { get; private set; }

    public bool IsHalfFull => Volatile.Read(ref _bytes) > MaxBytes / 2;

    /// <summary>Under <see cref="Gate"/>, in order.</summary>
    /// <param name="changes">Not to be changed any more.</param>
    public void Add(long sequence, IReadOnlyList<BrokerChange> changes, int bytes)
    {
        if (_bytes + bytes > MaxBytes)
        {
            _entries.Clear();
            _bytes = 0;
            DroppedUpTo = sequence;
        }
        else
        {
            _entries.Enqueue((sequence, changes, bytes));
            _bytes += bytes;
        }
        _arrived?.TrySetResult();
        _arrived = null;
    }

    /// <summary>What was taken could not be used: it is read again from the log.</summary>
    public void PutBack(long upTo)
    {
        lock (Gate)
            DroppedUpTo = Math.Max(DroppedUpTo, upTo);
    }

    /// <summary>
    /// Moves entries up to the sequence number into the list until it holds enough, and gives back how far that goes; null when some of
    /// it was dropped: then the log is to be read from the position up to <see cref="DroppedUpTo"/>.
    /// </summary>
    public long? Take(long position, long upTo, int enough, List<BrokerChange> into)
    {
        lock (Gate)
        {
            if (DroppedUpTo > position)
                return null;
            var reached = position;
            while (_entries.TryPeek(out var entry) && entry.Sequence <= upTo)
            {
                if (into.Count >= enough)
                    return reached;
                reached = entry.Sequence;
                _bytes -= entry.Bytes;
                if (entry.Sequence > position)
                    into.AddRange(entry.Changes);
                _entries.Dequeue();
            }
            return upTo;
        }
    }

    /// <summary>Completes when there is something to take.</summary>
    public Task WaitAsync()
    {
        lock (Gate)
        {
            if (_entries.Count > 0)
                return Task.CompletedTask;
            _arrived ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _arrived.Task;
        }
    }
}
