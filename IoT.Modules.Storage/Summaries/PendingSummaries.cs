using System.Collections.Concurrent;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Summaries;

/// <summary>
/// What a batch of readings adds to the summaries, as a few packed rows in the batch's own transaction: some 1.5 µs a reading of many
/// devices, against 30 for a row a metric brought up to date at once (decision 0015). <see cref="SummaryFolder"/> does that later, for
/// many batches together; whoever reads adds both.
/// </summary>
internal sealed class PendingSummaries(StorageOptions options)
{
    /// <summary>So many parts of the devices, each in rows of its own once a batch is large: a query reads one of them.</summary>
    public const int Slots = 16;

    // Below this, one row for all devices is read as quickly.
    private const int MostInOneRow = 1_000;

    /// <summary>As a part of a statement; a <c>where</c> may follow.</summary>
    public const string Insert =
        """
        insert into summary_pending (slot, data_types, metrics, single_device, single_kind, single_at, single_value, device, kind, bucket, count, sum, min, max, first, first_at, last, last_at)
        select slot, @SumTypes, @SumMetrics, (@SumSingleDevice)[a:b], (@SumSingleKind)[a:b], (@SumSingleAt)[a:b], (@SumSingleValue)[a:b],
            (@SumDevice)[c:d], (@SumKind)[c:d], (@SumBucket)[c:d], (@SumCount)[c:d], (@SumSum)[c:d], (@SumMin)[c:d], (@SumMax)[c:d],
            (@SumFirst)[c:d], (@SumFirstAt)[c:d], (@SumLast)[c:d], (@SumLastAt)[c:d]
        from unnest(@SumSlots, @SumA, @SumB, @SumC, @SumD) as slots (slot, a, b, c, d)
        """;

    private readonly ConcurrentBag<ReadingStats> _idle = [];
    private long _values;

    /// <summary>Values that this host has written since it was forgotten last, about.</summary>
    public long Values => Interlocked.Read(ref _values);

    /// <summary>They are being folded.</summary>
    public void Forget() => Interlocked.Exchange(ref _values, 0);

    /// <summary>The slot of a device.</summary>
    public static short SlotOf(Guid device)
    {
        Span<byte> bytes = stackalloc byte[16];
        device.TryWriteBytes(bytes, bigEndian: true, out _);
        return (short)(bytes[0] % Slots);
    }

    /// <summary>What these readings add, as the parameters of <see cref="Insert"/>.</summary>
    public DynamicParameters AddTo(DynamicParameters parameters, IReadOnlyList<Reading> readings)
    {
        if (!options.Summaries)
            return Packed.Of(new StatTable()).AddTo(parameters);
        var stats = _idle.TryTake(out var idle) ? idle : new ReadingStats();
        stats.Begin();
        for (var i = 0; i < readings.Count; i++)
            stats.Add(readings[i], i);
        Packed.Of(stats.Table).AddTo(parameters);
        Interlocked.Add(ref _values, stats.Table.Stats.Count);
        _idle.Add(stats);
        return parameters;
    }

    public async Task InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Reading> readings, CancellationToken cancellationToken)
    {
        if (options.Summaries && readings.Count > 0)
            await connection.ExecuteAsync(new CommandDefinition(Insert, AddTo(new DynamicParameters(), readings), transaction, cancellationToken: cancellationToken));
    }

    /// <summary>Stats as columns, sorted by slot, those of a single value apart.</summary>
    private sealed record Packed(short[] Slots, int[] SingleEnds, int[] GroupEnds, KeyValuePair<StatKey, Stat>[] Singles, KeyValuePair<StatKey, Stat>[] Groups, StatTable Table)
    {
        public static Packed Of(StatTable table)
        {
            var slots = table.Stats.Count == 0 ? [] : table.Stats.Count <= MostInOneRow ? [(short)-1] : Enumerable.Range(0, PendingSummaries.Slots).Select(s => (short)s).ToArray();
            var singles = new List<KeyValuePair<StatKey, Stat>>[Math.Max(1, slots.Length)];
            var groups = new List<KeyValuePair<StatKey, Stat>>[singles.Length];
            for (var i = 0; i < singles.Length; i++)
                (singles[i], groups[i]) = ([], []);
            foreach (var pair in table.Stats)
            {
                var slot = slots.Length > 1 ? SlotOf(pair.Key.Device) : 0;
                (pair.Value.Count == 1 ? singles : groups)[slot].Add(pair);
            }
            return new Packed(slots, Ends(singles), Ends(groups), [.. singles.SelectMany(s => s)], [.. groups.SelectMany(g => g)], table);
        }

        public DynamicParameters AddTo(DynamicParameters parameters)
        {
            parameters.Add("SumSlots", new ArrayParameter<short>(Slots, NpgsqlDbType.Smallint));
            Bounds("SumA", "SumB", SingleEnds);
            Bounds("SumC", "SumD", GroupEnds);
            parameters.Add("SumTypes", new ArrayParameter<string>([.. Table.DataTypes], NpgsqlDbType.Text));
            parameters.Add("SumMetrics", new ArrayParameter<string>([.. Table.Metrics], NpgsqlDbType.Text));
            Column("SumSingleDevice", Singles, p => p.Key.Device, NpgsqlDbType.Uuid);
            Column("SumSingleKind", Singles, p => p.Key.Kind, NpgsqlDbType.Integer);
            Column("SumSingleAt", Singles, p => Time(p.Value.FirstAt), NpgsqlDbType.TimestampTz);
            Column("SumSingleValue", Singles, p => p.Value.Sum, NpgsqlDbType.Double);
            Column("SumDevice", Groups, p => p.Key.Device, NpgsqlDbType.Uuid);
            Column("SumKind", Groups, p => p.Key.Kind, NpgsqlDbType.Integer);
            Column("SumBucket", Groups, p => Time(p.Key.Bucket), NpgsqlDbType.TimestampTz);
            Column("SumCount", Groups, p => p.Value.Count, NpgsqlDbType.Bigint);
            Column("SumSum", Groups, p => p.Value.Sum, NpgsqlDbType.Double);
            Column("SumMin", Groups, p => p.Value.Min, NpgsqlDbType.Double);
            Column("SumMax", Groups, p => p.Value.Max, NpgsqlDbType.Double);
            Column("SumFirst", Groups, p => p.Value.First, NpgsqlDbType.Double);
            Column("SumFirstAt", Groups, p => Time(p.Value.FirstAt), NpgsqlDbType.TimestampTz);
            Column("SumLast", Groups, p => p.Value.Last, NpgsqlDbType.Double);
            Column("SumLastAt", Groups, p => Time(p.Value.LastAt), NpgsqlDbType.TimestampTz);
            return parameters;

            void Column<T>(string name, KeyValuePair<StatKey, Stat>[] rows, Converter<KeyValuePair<StatKey, Stat>, T> value, NpgsqlDbType type) =>
                parameters.Add(name, new ArrayParameter<T>(Array.ConvertAll(rows, value), type));

            // From the end before to its own, counted from 1.
            void Bounds(string first, string last, int[] ends)
            {
                parameters.Add(first, new ArrayParameter<int>([.. Slots.Select((_, i) => i == 0 ? 1 : ends[i - 1] + 1)], NpgsqlDbType.Integer));
                parameters.Add(last, new ArrayParameter<int>([.. Slots.Select((_, i) => ends[i])], NpgsqlDbType.Integer));
            }
        }

        private static DateTime Time(long ticks) => new(ticks, DateTimeKind.Utc);

        private static int[] Ends(List<KeyValuePair<StatKey, Stat>>[] parts)
        {
            var end = 0;
            return [.. parts.Select(part => end += part.Count)];
        }
    }
}
