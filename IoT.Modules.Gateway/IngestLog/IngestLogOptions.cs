namespace IoT.Modules.Gateway.IngestLog;

internal sealed record IngestLogOptions
{
    /// <summary>Bytes of one segment file. Default 64 MiB. A larger record gets a segment of its own size.</summary>
    public long SegmentBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Bytes of all segment files. Default 4 GiB, at least two segments.</summary>
    public long BudgetBytes { get; init; } = 4L * 1024 * 1024 * 1024;

    /// <summary>Bytes that wait in memory for their commit. Default 64 MiB. Also the limit of one append.</summary>
    public int MaxPendingBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>How long to wait before a segment is tried again for which the disk had no space. Default 1 s.</summary>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Called on the writer's thread after each commit; must be quick and must not throw.</summary>
    public Action<CommitInfo>? Committed { get; init; }

    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(SegmentBytes, 4096);
        ArgumentOutOfRangeException.ThrowIfLessThan(BudgetBytes, 2 * SegmentBytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPendingBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxPendingBytes, RecordCodec.LongestPayload);
        ArgumentOutOfRangeException.ThrowIfLessThan(BudgetBytes - SegmentBytes, MaxPendingBytes + SegmentHeader.Bytes);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(RetryInterval, TimeSpan.Zero);
    }
}

/// <param name="Records">In the group.</param>
/// <param name="Bytes">Written, headers included.</param>
/// <param name="Elapsed">Of the write and its fdatasync.</param>
internal readonly record struct CommitInfo(int Records, int Bytes, TimeSpan Elapsed);

/// <summary>The promise that an append is durable: <see cref="Committed"/> completes after its fdatasync, or fails with <see cref="IngestLogFailedException"/>.</summary>
/// <param name="FirstSequence">Of the first record.</param>
/// <param name="Count">Records; they have consecutive sequences.</param>
/// <param name="Committed">Shared by all that were committed together; completes in order of sequence.</param>
internal readonly record struct IngestTicket(long FirstSequence, int Count, Task Committed)
{
    public long LastSequence => FirstSequence + Count - 1;
}

/// <summary>The log can't keep its promise any more (or is closed): the host must stop. Nothing was retried.</summary>
internal sealed class IngestLogFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The log can't be opened without a decision by a person; the message says which file and why.</summary>
internal sealed class IngestLogUnusableException(string message) : Exception(message);
