namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// One segment file, or the plan for one. Everything but the index, <see cref="IsActive"/> and <see cref="DurableEnd"/> is guarded by the log's gate.
/// </summary>
internal sealed class Segment(long firstSequence, long capacity, int version = SegmentHeader.Version)
{
    private const long IndexStepBytes = 64 * 1024;

    private readonly Lock _indexGate = new();
    private readonly List<(long Sequence, long Offset)> _index = [];
    private long _nextIndexed;
    private long _durableEnd = SegmentHeader.Bytes;
    private bool _isActive;
    private int _readers;
    private bool _retired;

    public long FirstSequence => firstSequence;

    /// <summary>Bytes of the file.</summary>
    public long Capacity => capacity;

    /// <summary>Of its format; records are only added to one of the newest.</summary>
    public int Version => version;

    public string Name { get; } = SegmentHeader.NameOf(firstSequence);

    /// <summary>Null while it is planned only.</summary>
    public ILogFile? File { get; set; }

    /// <summary>Whether the file has its header and its name.</summary>
    public bool IsActive
    {
        get => Volatile.Read(ref _isActive);
        set => Volatile.Write(ref _isActive, value);
    }

    /// <summary>The offset up to which everything is durable.</summary>
    public long DurableEnd
    {
        get => Volatile.Read(ref _durableEnd);
        set => Volatile.Write(ref _durableEnd, value);
    }

    /// <summary>Remembers every 64 KiB where a record starts; a read begins there.</summary>
    public void Index(long sequence, long offset)
    {
        if (offset < _nextIndexed)
            return;
        lock (_indexGate)
            _index.Add((sequence, offset));
        _nextIndexed = offset + IndexStepBytes;
    }

    /// <summary>Recovery has put a skip in the place of these records.</summary>
    public void Unindex(long first, long last)
    {
        lock (_indexGate)
            _index.RemoveAll(entry => entry.Sequence >= first && entry.Sequence <= last);
    }

    /// <summary>A place to read from that is not behind the sequence.</summary>
    public (long Sequence, long Offset) Locate(long sequence)
    {
        lock (_indexGate)
        {
            int low = 0, high = _index.Count;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_index[middle].Sequence <= sequence)
                    low = middle + 1;
                else
                    high = middle;
            }
            return low == 0 ? (firstSequence, SegmentHeader.Bytes) : _index[low - 1];
        }
    }

    /// <summary>Keeps the file open for a reader.</summary>
    public void Enter() => _readers++;

    public void Leave()
    {
        _readers--;
        CloseWhenUnused();
    }

    /// <summary>Closes the file as soon as nobody reads it.</summary>
    public void Retire()
    {
        _retired = true;
        CloseWhenUnused();
    }

    private void CloseWhenUnused()
    {
        if (_retired && _readers == 0)
            File?.Dispose();
    }
}
