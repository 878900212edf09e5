using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>One read of the log, whose payloads several lanes store: its buffer goes back when the last of them is done.</summary>
internal sealed class SharedBatch(LogBatch records, int users)
{
    private int _users = users;

    public LogBatch Records => records;

    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            records.Dispose();
    }
}
