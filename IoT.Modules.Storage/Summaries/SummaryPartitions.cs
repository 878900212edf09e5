using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.Retention;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Summaries;

/// <summary>The tables of summaries and their partitions, a month each; made when something is to go into them.</summary>
internal sealed class SummaryPartitions(PostgresPools database, StorageOptions options, TimeProvider time, ILogger<SummaryPartitions> logger)
{
    public const string FineTable = "device_summary_5m";
    public const string HourTable = "device_summary_hour";

    // Rows are brought up to date in their page as long as it has room.
    private const string Room = "with (fillfactor = 80)";

    private readonly TimePartitions _fine = new(FineTable, PartitionSpan.Month, Room, database, time, logger);
    private readonly TimePartitions _hour = new(HourTable, PartitionSpan.Month, Room, database, time, logger);

    public void Forget()
    {
        _fine.Forget();
        _hour.Forget();
    }

    /// <summary>The oldest bucket of a table that is kept.</summary>
    public long OldestTicks(string table) =>
        RetentionPolicy.OldestAt(time.GetUtcNow().UtcDateTime, table == FineTable ? options.FineSummaryDays : options.SummaryDays).Ticks;

    public async Task EnsureAsync(string table, IEnumerable<long> buckets, CancellationToken cancellationToken)
    {
        var partitions = table == FineTable ? _fine : _hour;
        foreach (var ticks in buckets)
        {
            var bucket = new DateTime(ticks, DateTimeKind.Utc);
            if (!partitions.Holds(bucket))
                await partitions.EnsureAsync(bucket, null, cancellationToken);
        }
    }
}
