using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A partition of a table by time.</summary>
/// <param name="From">Its first moment, UTC.</param>
/// <param name="To">The first moment that is no longer in it, UTC.</param>
/// <param name="Rows">About; PostgreSQL's own statistics.</param>
/// <param name="Bytes">On disk, indexes included.</param>
/// <param name="State"><c>past</c>, <c>current</c> (being written), <c>ahead</c>, or <c>detaching</c>: on its way out.</param>
public sealed record PartitionInfo(string Name, DateTime From, DateTime To, long Rows, long Bytes, string State);

/// <summary>The partitions of a table, oldest first.</summary>
/// <param name="Table"><c>device_data</c>, <c>device_summary_5m</c> or <c>device_summary_hour</c>.</param>
public sealed record ListPartitions(string Table) : IRequest<Outcome<Page<PartitionInfo>>>, ILimited, IValidated
{
    public static RequestGate Gate => RequestGate.Query;

    /// <summary>The tables that are partitioned by time.</summary>
    public static IReadOnlyList<string> Tables { get; } = ["device_data", "device_summary_5m", "device_summary_hour"];

    public IEnumerable<FieldError> Validate()
    {
        if (!Tables.Contains(Table))
            yield return new FieldError("table", $"one of {string.Join(", ", Tables)}");
    }
}

/// <summary>What retention would drop now, and why. Nothing is changed.</summary>
/// <param name="RetentionDays">Instead of the setting; null: as set.</param>
/// <param name="ReadingsMib">Likewise; 0: no limit.</param>
public sealed record PlanRetention(int? RetentionDays = null, int? ReadingsMib = null) : IRequest<Outcome<RetentionPlan>>, ILimited, IValidated
{
    public static RequestGate Gate => RequestGate.Query;

    public IEnumerable<FieldError> Validate()
    {
        if (RetentionDays is < 1 or > 36_500)
            yield return new FieldError("retention_days", "days, 1 to 36500");
        if (ReadingsMib is < 0)
            yield return new FieldError("readings_mib", "MiB, from 0, which is no limit");
    }
}

/// <summary>A partition that goes.</summary>
/// <param name="Table">Whose it is.</param>
/// <param name="Cause"><c>age</c> or <c>budget</c>.</param>
/// <param name="Reason">One sentence.</param>
public sealed record PartitionToDrop(string Table, string Name, DateTime From, DateTime To, long Rows, long Bytes, string Cause, string Reason);

/// <param name="Items">What would go, oldest first.</param>
/// <param name="Bytes">What the partitions of <c>device_data</c> take now.</param>
/// <param name="BytesAfter">What they would take then.</param>
/// <param name="OldestKept">Readings older than this would not be kept.</param>
public sealed record RetentionPlan(IReadOnlyList<PartitionToDrop> Items, string? NextCursor, long Bytes, long BytesAfter, DateTime OldestKept);

/// <summary>Drops now what retention would drop at its next turn; answers what is gone.</summary>
public sealed record RunRetention : IRequest<Outcome<Page<PartitionToDrop>>>;

/// <summary>What was done to partitions, newest first.</summary>
public sealed record ListStorageEvents(int Limit) : IRequest<Outcome<Page<StorageEvent>>>, ILimited
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <param name="Kind"><c>dropped</c>.</param>
/// <param name="Cause"><c>age</c> or <c>budget</c>.</param>
public sealed record StorageEvent(long Id, DateTime At, string Kind, string TableName, string Partition, DateTime RangeFrom, DateTime RangeTo, long Rows, long Bytes, string Cause, string Reason);

/// <summary>What is kept for how long, as the settings say.</summary>
public sealed record RetentionSettings(PartitionSpan PartitionBy, int RetentionDays, int ReadingsMib, int SummaryDays, int FineSummaryDays);

/// <summary>Asks for the settings.</summary>
public sealed record GetRetentionSettings : IRequest<RetentionSettings>;
