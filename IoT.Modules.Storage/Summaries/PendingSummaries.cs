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
            return new Packed(new StatTable()).AddTo(parameters);
        var stats = _idle.TryTake(out var idle) ? idle : new ReadingStats();
        stats.Begin();
        for (var i = 0; i < readings.Count; i++)
            stats.Add(readings[i], i);
        new Packed(stats.Table).AddTo(parameters);
        Interlocked.Add(ref _values, stats.Table.Stats.Count);
        _idle.Add(stats);
        return parameters;
    }

    public async Task InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Reading> readings, CancellationToken cancellationToken)
    {
        if (options.Summaries && readings.Count > 0)
            await connection.ExecuteAsync(new CommandDefinition(Insert, AddTo(new DynamicParameters(), readings), transaction, cancellationToken: cancellationToken));
    }

    /// <summary>
    /// Stats as columns, sorted by slot, those of a single value apart: counted first, so that each column is made once, at its size.
    /// With a value or two for each of many devices this was most of what a write allocated.
    /// </summary>
    private sealed class Packed
    {
        private readonly StatTable _table;
        private readonly short[] _slots;
        private readonly int[] _singleEnds;
        private readonly int[] _groupEnds;

        public Packed(StatTable table)
        {
            _table = table;
            _slots = table.Stats.Count == 0 ? [] : table.Stats.Count <= MostInOneRow ? [-1] : [.. Enumerable.Range(0, Slots).Select(s => (short)s)];
            (_singleEnds, _groupEnds) = (new int[_slots.Length], new int[_slots.Length]);
            foreach (var (key, stat) in table.Stats)
                (stat.Count == 1 ? _singleEnds : _groupEnds)[PlaceOf(key)]++;
            for (var slot = 1; slot < _slots.Length; slot++)
            {
                _singleEnds[slot] += _singleEnds[slot - 1];
                _groupEnds[slot] += _groupEnds[slot - 1];
            }
        }

        public DynamicParameters AddTo(DynamicParameters parameters)
        {
            var singles = new SingleColumns(_slots.Length == 0 ? 0 : _singleEnds[^1]);
            var groups = new GroupColumns(_slots.Length == 0 ? 0 : _groupEnds[^1]);
            int[] nextSingle = [.. Begins(_singleEnds)], nextGroup = [.. Begins(_groupEnds)];
            foreach (var (key, stat) in _table.Stats)
            {
                var slot = PlaceOf(key);
                if (stat.Count == 1)
                    singles.Set(nextSingle[slot]++, key, stat);
                else
                    groups.Set(nextGroup[slot]++, key, stat);
            }
            parameters.Add("SumSlots", new ArrayParameter<short>(_slots, NpgsqlDbType.Smallint));
            Bounds("SumA", "SumB", _singleEnds);
            Bounds("SumC", "SumD", _groupEnds);
            parameters.Add("SumTypes", new ArrayParameter<string>([.. _table.DataTypes], NpgsqlDbType.Text));
            parameters.Add("SumMetrics", new ArrayParameter<string>([.. _table.Metrics], NpgsqlDbType.Text));
            singles.AddTo(parameters);
            groups.AddTo(parameters);
            return parameters;

            // From the end before to its own, counted from 1.
            void Bounds(string first, string last, int[] ends)
            {
                parameters.Add(first, new ArrayParameter<int>([.. Begins(ends).Select(begin => begin + 1)], NpgsqlDbType.Integer));
                parameters.Add(last, new ArrayParameter<int>(ends, NpgsqlDbType.Integer));
            }
        }

        private static IEnumerable<int> Begins(int[] ends) => ends.Select((_, slot) => slot == 0 ? 0 : ends[slot - 1]);

        private int PlaceOf(in StatKey key) => _slots.Length > 1 ? SlotOf(key.Device) : 0;
    }

    private sealed class SingleColumns(int count)
    {
        private readonly Guid[] _device = new Guid[count];
        private readonly int[] _kind = new int[count];
        private readonly long[] _at = new long[count];
        private readonly double[] _value = new double[count];

        public void Set(int place, in StatKey key, in Stat stat) =>
            (_device[place], _kind[place], _at[place], _value[place]) = (key.Device, key.Kind, Time(stat.FirstAt), stat.Sum);

        public void AddTo(DynamicParameters parameters)
        {
            parameters.Add("SumSingleDevice", new ArrayParameter<Guid>(_device, NpgsqlDbType.Uuid));
            parameters.Add("SumSingleKind", new ArrayParameter<int>(_kind, NpgsqlDbType.Integer));
            parameters.Add("SumSingleAt", new ArrayParameter<long>(_at, NpgsqlDbType.TimestampTz));
            parameters.Add("SumSingleValue", new ArrayParameter<double>(_value, NpgsqlDbType.Double));
        }
    }

    private sealed class GroupColumns(int count)
    {
        private readonly Guid[] _device = new Guid[count];
        private readonly int[] _kind = new int[count];
        private readonly long[] _bucket = new long[count];
        private readonly long[] _count = new long[count];
        private readonly double[] _sum = new double[count];
        private readonly double[] _min = new double[count];
        private readonly double[] _max = new double[count];
        private readonly double[] _first = new double[count];
        private readonly long[] _firstAt = new long[count];
        private readonly double[] _last = new double[count];
        private readonly long[] _lastAt = new long[count];

        public void Set(int place, in StatKey key, in Stat stat)
        {
            (_device[place], _kind[place], _bucket[place], _count[place], _sum[place]) = (key.Device, key.Kind, Time(key.Bucket), stat.Count, stat.Sum);
            (_min[place], _max[place], _first[place], _firstAt[place], _last[place], _lastAt[place]) = (stat.Min, stat.Max, stat.First, Time(stat.FirstAt), stat.Last, Time(stat.LastAt));
        }

        public void AddTo(DynamicParameters parameters)
        {
            parameters.Add("SumDevice", new ArrayParameter<Guid>(_device, NpgsqlDbType.Uuid));
            parameters.Add("SumKind", new ArrayParameter<int>(_kind, NpgsqlDbType.Integer));
            parameters.Add("SumBucket", new ArrayParameter<long>(_bucket, NpgsqlDbType.TimestampTz));
            parameters.Add("SumCount", new ArrayParameter<long>(_count, NpgsqlDbType.Bigint));
            parameters.Add("SumSum", new ArrayParameter<double>(_sum, NpgsqlDbType.Double));
            parameters.Add("SumMin", new ArrayParameter<double>(_min, NpgsqlDbType.Double));
            parameters.Add("SumMax", new ArrayParameter<double>(_max, NpgsqlDbType.Double));
            parameters.Add("SumFirst", new ArrayParameter<double>(_first, NpgsqlDbType.Double));
            parameters.Add("SumFirstAt", new ArrayParameter<long>(_firstAt, NpgsqlDbType.TimestampTz));
            parameters.Add("SumLast", new ArrayParameter<double>(_last, NpgsqlDbType.Double));
            parameters.Add("SumLastAt", new ArrayParameter<long>(_lastAt, NpgsqlDbType.TimestampTz));
        }
    }

    private static long Time(long ticks) => PostgresTime.Of(ticks);
}
