using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Summaries;

/// <summary>Writes stats into the tables of five minutes and of hours.</summary>
internal sealed class SummaryTables(SummaryPartitions partitions)
{
    /// <summary>Who changes these tables, one session at a time: folding and rebuilding.</summary>
    public const long AdvisoryLock = 0x496F54_0003;

    private const int RowsInStatement = 10_000;

    // What is there has arrived before what comes.
    private static string Upsert(string table) =>
        $"""
         insert into {table} as s (device_id, data_type, metric, bucket, count, sum, min, max, first, first_at, last, last_at)
         select * from unnest(@Devices, @DataTypes, @Metrics, @Buckets, @Counts, @Sums, @Mins, @Maxs, @Firsts, @FirstAts, @Lasts, @LastAts)
         on conflict (device_id, data_type, metric, bucket) do update set
             count = s.count + excluded.count, sum = s.sum + excluded.sum, min = least(s.min, excluded.min), max = greatest(s.max, excluded.max),
             first = case when excluded.first_at < s.first_at then excluded.first else s.first end, first_at = least(s.first_at, excluded.first_at),
             last = case when excluded.last_at >= s.last_at then excluded.last else s.last end, last_at = greatest(s.last_at, excluded.last_at)
         """;

    private static readonly string UpsertFine = Upsert(SummaryPartitions.FineTable);
    private static readonly string UpsertHour = Upsert(SummaryPartitions.HourTable);

    /// <summary>Makes the partitions that these will need; before the transaction that writes them.</summary>
    public async Task PrepareAsync(StatTable table, CancellationToken cancellationToken)
    {
        await partitions.EnsureAsync(SummaryPartitions.FineTable, Months(table, SummaryPartitions.FineTable), cancellationToken);
        await partitions.EnsureAsync(SummaryPartitions.HourTable, Months(table, SummaryPartitions.HourTable), cancellationToken);
    }

    /// <summary>The same for everything that falls into a time.</summary>
    public async Task PrepareAsync(TimeRange range, CancellationToken cancellationToken)
    {
        foreach (var table in new[] { SummaryPartitions.FineTable, SummaryPartitions.HourTable })
        {
            var oldest = partitions.OldestTicks(table);
            for (var at = range.From; at < range.To; at = PartitionSpan.Month.Around(at).To)
            {
                // A month that begins too early may end late enough.
                var inMonth = Math.Min(PartitionSpan.Month.Around(at).To.Ticks, range.To.Ticks) - 1;
                if (inMonth >= oldest)
                    await partitions.EnsureAsync(table, [inMonth], cancellationToken);
            }
        }
    }

    public async Task AddAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, StatTable table, CancellationToken cancellationToken)
    {
        var (oldestFine, oldestHour) = (partitions.OldestTicks(SummaryPartitions.FineTable), partitions.OldestTicks(SummaryPartitions.HourTable));
        await WriteAsync(UpsertFine, table.Stats.Where(s => s.Key.Bucket >= oldestFine && !table.IsCountOfReadings(s.Key.Kind)));
        await WriteAsync(UpsertHour, table.ByHour().Where(s => s.Key.Bucket >= oldestHour));

        async Task WriteAsync(string sql, IEnumerable<KeyValuePair<StatKey, Stat>> stats)
        {
            // In the order of the index: neighbours are found in the same pages.
            var sorted = stats.ToArray();
            Array.Sort(sorted, (x, y) => x.Key.Device.CompareTo(y.Key.Device) is var byDevice and not 0 ? byDevice
                : x.Key.Kind != y.Key.Kind ? x.Key.Kind.CompareTo(y.Key.Kind) : x.Key.Bucket.CompareTo(y.Key.Bucket));
            foreach (var rows in sorted.Chunk(RowsInStatement))
                await connection.ExecuteAsync(new CommandDefinition(sql, ParametersOf(rows, table), transaction, cancellationToken: cancellationToken));
        }
    }

    private IEnumerable<long> Months(StatTable table, string name)
    {
        var oldest = partitions.OldestTicks(name);
        return table.Stats.Keys.Select(k => k.Bucket).Distinct().Where(b => b >= oldest);
    }

    private static object ParametersOf(KeyValuePair<StatKey, Stat>[] rows, StatTable table)
    {
        return new
        {
            Devices = Column(r => r.Key.Device, NpgsqlDbType.Uuid),
            DataTypes = Column(r => table.DataTypes[r.Key.Kind - 1], NpgsqlDbType.Text),
            Metrics = Column(r => table.Metrics[r.Key.Kind - 1], NpgsqlDbType.Text),
            Buckets = Column(r => Time(r.Key.Bucket), NpgsqlDbType.TimestampTz),
            Counts = Column(r => r.Value.Count, NpgsqlDbType.Bigint),
            Sums = Column(r => r.Value.Sum, NpgsqlDbType.Double),
            Mins = Column(r => r.Value.Min, NpgsqlDbType.Double),
            Maxs = Column(r => r.Value.Max, NpgsqlDbType.Double),
            Firsts = Column(r => r.Value.First, NpgsqlDbType.Double),
            FirstAts = Column(r => Time(r.Value.FirstAt), NpgsqlDbType.TimestampTz),
            Lasts = Column(r => r.Value.Last, NpgsqlDbType.Double),
            LastAts = Column(r => Time(r.Value.LastAt), NpgsqlDbType.TimestampTz),
        };

        ArrayParameter<T> Column<T>(Converter<KeyValuePair<StatKey, Stat>, T> value, NpgsqlDbType type) => new(Array.ConvertAll(rows, value), type);

        static DateTime Time(long ticks) => new(ticks, DateTimeKind.Utc);
    }
}
