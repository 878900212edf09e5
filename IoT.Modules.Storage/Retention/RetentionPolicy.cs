using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Partitions;

namespace IoT.Modules.Storage.Retention;

/// <summary>Which partitions go, and why.</summary>
internal static class RetentionPolicy
{
    public const string Age = "age";
    public const string Budget = "budget";
    private const long MiB = 1024 * 1024;

    /// <summary>
    /// Those that hold nothing young enough, and then the oldest ones until the rest is within the budget. Never one that holds the
    /// present or what is to come, nor one that is on its way out already.
    /// </summary>
    /// <param name="partitions">Oldest first.</param>
    /// <param name="days">What is older than that many days may go.</param>
    /// <param name="mebibytes">0: no limit.</param>
    public static List<PartitionToDrop> Plan(string table, IReadOnlyList<TimePartition> partitions, DateTime now, int days, int mebibytes, string ageSetting, string budgetSetting)
    {
        var cutoff = OldestAt(now, days);
        var left = partitions.Where(p => !p.IsDetaching).Sum(p => p.Bytes);
        var plan = new List<PartitionToDrop>();
        foreach (var partition in partitions.Where(p => !p.IsDetaching && p.RangeTo <= now))
        {
            string cause, reason;
            if (partition.RangeTo <= cutoff)
                (cause, reason) = (Age, FormattableString.Invariant($"older than {days} days ({ageSetting})"));
            else if (mebibytes > 0 && left > mebibytes * MiB)
                (cause, reason) = (Budget, FormattableString.Invariant($"{table} takes {(left + MiB - 1) / MiB} MiB, over the {mebibytes} of {budgetSetting}"));
            else
                continue;
            plan.Add(new PartitionToDrop(table, partition.Name, partition.RangeFrom, partition.RangeTo, partition.Rows, partition.Bytes, cause, reason));
            left -= partition.Bytes;
        }
        return plan;
    }

    public static DateTime OldestAt(DateTime now, int days) => now.Ticks > days * TimeSpan.TicksPerDay ? now.AddDays(-days) : DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc);
}
