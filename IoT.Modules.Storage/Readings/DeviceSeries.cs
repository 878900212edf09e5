using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>
/// Which data_types a device has, and the hour of the newest reading of each (<c>device_series</c>), written in the transaction of the
/// reading that makes it so: once an hour for each series, so that it costs ingest next to nothing, and "latest" needs to look in one
/// hour only. Within the hour it looks from <c>newest_at</c> on, which <see cref="SeriesFlusher"/> writes behind. What stands there is
/// known in memory.
/// </summary>
internal sealed class DeviceSeries
{
    // Then it begins anew: what is known already is written again, and nothing changes.
    private const int MostKnown = 1_000_000;

    // An index page holds some 290 readings of a series, and PostgreSQL looks at all of them that "latest" may want; writing a place down
    // costs about what storing two readings does.
    private const int WorthWriting = 16;

    /// <summary>As a part of a statement: <c>{Insert} where … {Upsert}</c>.</summary>
    public const string Insert =
        """
        insert into device_series as s (device_id, data_type, newest_hour, newest_at)
        select device_id, data_type, hour, at from unnest(@SeriesDevices, @SeriesTypes, @SeriesHours, @SeriesAts) as k (device_id, data_type, hour, at)
        """;

    public const string Upsert =
        " order by device_id, data_type collate \"C\" on conflict (device_id, data_type) do update set newest_hour = greatest(s.newest_hour, excluded.newest_hour), newest_at = greatest(s.newest_at, excluded.newest_at)";

    private readonly ConcurrentDictionary<(Guid Device, string DataType), KnownSeries> _known = new();

    // Each stands in it once.
    private readonly ConcurrentQueue<KnownSeries> _unwritten = new();
    private int _count;

    /// <summary>Series with an hour that is not known to be written down, and their newest readings' times.</summary>
    internal sealed record Unknown(Dictionary<(Guid Device, string DataType), long> Newest)
    {
        public DynamicParameters AddTo(DynamicParameters parameters)
        {
            parameters.Add("SeriesDevices", new ArrayParameter<Guid>([.. Newest.Keys.Select(k => k.Device)], NpgsqlDbType.Uuid));
            parameters.Add("SeriesTypes", new ArrayParameter<string>([.. Newest.Keys.Select(k => k.DataType)], NpgsqlDbType.Varchar));
            parameters.Add("SeriesHours", new ArrayParameter<long>([.. Newest.Values.Select(ticks => PostgresTime.Of(HourOf(ticks)))], NpgsqlDbType.TimestampTz));
            parameters.Add("SeriesAts", new ArrayParameter<long>([.. Newest.Values.Select(PostgresTime.Of)], NpgsqlDbType.TimestampTz));
            return parameters;
        }
    }

    public Unknown NotKnown(IReadOnlyList<Reading> readings)
    {
        var unknown = new Dictionary<(Guid, string), long>();
        foreach (var reading in readings)
        {
            var ticks = reading.Timestamp.Ticks;
            if (Find(reading) is { } series && HourOf(ticks) <= series.HourTicks)
                continue;
            ref var newest = ref CollectionsMarshal.GetValueRefOrAddDefault(unknown, (reading.Device.Uuid, reading.DataType), out _);
            newest = Math.Max(newest, ticks);
        }
        return new Unknown(unknown);
    }

    /// <summary>They are committed, and these readings with them.</summary>
    public void Know(Unknown written, IReadOnlyList<Reading> readings)
    {
        if (written.Newest.Count > 0)
        {
            if (Interlocked.Add(ref _count, written.Newest.Count) > MostKnown)
            {
                _known.Clear();
                Interlocked.Exchange(ref _count, written.Newest.Count);
            }
            foreach (var (key, newest) in written.Newest)
            {
                var series = _known.GetOrAdd(key, k => new KnownSeries(k.Device, k.DataType));
                series.HourTicks = Math.Max(series.HourTicks, HourOf(newest));
                Write(series, newest);
            }
        }
        foreach (var reading in readings)
        {
            var ticks = reading.Timestamp.Ticks;
            if (Find(reading) is not { } series || ticks <= Volatile.Read(ref series.WrittenTicks))
                continue;
            if (ticks > series.NewestTicks)
                Volatile.Write(ref series.NewestTicks, ticks);
            if (Interlocked.Increment(ref series.Unwritten) >= WorthWriting && Interlocked.Exchange(ref series.IsQueued, 1) == 0)
                _unwritten.Enqueue(series);
        }
    }

    public int UnwrittenCount => _unwritten.Count;

    /// <summary>Up to so many series of which enough has come since their newest reading's time was written down, and that time.</summary>
    public List<(KnownSeries Series, long NewestTicks)> TakeUnwritten(int most)
    {
        var taken = new List<(KnownSeries, long)>();
        while (taken.Count < most && _unwritten.TryDequeue(out var series))
        {
            Volatile.Write(ref series.IsQueued, 0);
            taken.Add((series, Volatile.Read(ref series.NewestTicks)));
        }
        return taken;
    }

    /// <summary>It is committed.</summary>
    public static void Write(KnownSeries series, long newestTicks)
    {
        if (newestTicks <= Volatile.Read(ref series.WrittenTicks))
            return;
        Volatile.Write(ref series.WrittenTicks, newestTicks);
        Volatile.Write(ref series.Unwritten, 0);
    }

    public async Task<Unknown> InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Reading> readings, CancellationToken cancellationToken)
    {
        var unknown = NotKnown(readings);
        if (unknown.Newest.Count > 0)
            await connection.ExecuteAsync(new CommandDefinition(Insert + Upsert, unknown.AddTo(new DynamicParameters()), transaction, cancellationToken: cancellationToken));
        return unknown;
    }

    private static long HourOf(long ticks) => ticks - ticks % TimeSpan.TicksPerHour;

    private KnownSeries? Find(Reading reading)
    {
        var ofDevice = reading.Device.NewestSeries;
        if (ofDevice is not null && ofDevice.DataType == reading.DataType)
            return ofDevice;
        var known = _known.GetValueOrDefault((reading.Device.Uuid, reading.DataType));
        if (ofDevice is null && known is not null)
            reading.Device.NewestSeries = known;
        return known;
    }
}
