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
/// hour only. What stands there is known in memory.
/// </summary>
internal sealed class DeviceSeries
{
    // Then it begins anew: what is known already is written again, and nothing changes.
    private const int MostKnown = 1_000_000;

    /// <summary>As a part of a statement: <c>{Insert} where … {Upsert}</c>.</summary>
    public const string Insert =
        """
        insert into device_series as s (device_id, data_type, newest_hour)
        select device_id, data_type, hour from unnest(@SeriesDevices, @SeriesTypes, @SeriesHours) as k (device_id, data_type, hour)
        """;

    public const string Upsert =
        " order by device_id, data_type collate \"C\" on conflict (device_id, data_type) do update set newest_hour = greatest(s.newest_hour, excluded.newest_hour)";

    private readonly ConcurrentDictionary<(Guid Device, string DataType), long> _known = new();
    private int _count;

    /// <summary>Series with an hour that is not known to be written down.</summary>
    internal sealed record Unknown(Dictionary<(Guid Device, string DataType), long> Hours)
    {
        public DynamicParameters AddTo(DynamicParameters parameters)
        {
            parameters.Add("SeriesDevices", new ArrayParameter<Guid>([.. Hours.Keys.Select(k => k.Device)], NpgsqlDbType.Uuid));
            parameters.Add("SeriesTypes", new ArrayParameter<string>([.. Hours.Keys.Select(k => k.DataType)], NpgsqlDbType.Varchar));
            parameters.Add("SeriesHours", new ArrayParameter<DateTime>([.. Hours.Values.Select(ticks => new DateTime(ticks, DateTimeKind.Utc))], NpgsqlDbType.TimestampTz));
            return parameters;
        }
    }

    public Unknown NotKnown(IReadOnlyList<Reading> readings)
    {
        var hours = new Dictionary<(Guid, string), long>();
        foreach (var reading in readings)
        {
            var ticks = reading.Timestamp.Ticks;
            var hour = ticks - ticks % TimeSpan.TicksPerHour;
            var ofDevice = reading.Device.NewestSeries;
            var isOfDevice = ofDevice is null || ofDevice.DataType == reading.DataType;
            if (isOfDevice && hour <= ofDevice?.HourTicks)
                continue;
            var key = (reading.Device.Uuid, reading.DataType);
            if (_known.TryGetValue(key, out var known) && hour <= known)
            {
                if (isOfDevice)
                    reading.Device.NewestSeries = new KnownSeries(reading.DataType, known);
                continue;
            }
            ref var newest = ref CollectionsMarshal.GetValueRefOrAddDefault(hours, key, out _);
            newest = Math.Max(newest, hour);
        }
        return new Unknown(hours);
    }

    /// <summary>They are committed.</summary>
    public void Know(Unknown written)
    {
        if (written.Hours.Count == 0)
            return;
        if (Interlocked.Add(ref _count, written.Hours.Count) > MostKnown)
        {
            _known.Clear();
            Interlocked.Exchange(ref _count, written.Hours.Count);
        }
        foreach (var (key, hour) in written.Hours)
            _known.AddOrUpdate(key, hour, (_, before) => Math.Max(before, hour));
    }

    public async Task<Unknown> InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Reading> readings, CancellationToken cancellationToken)
    {
        var unknown = NotKnown(readings);
        if (unknown.Hours.Count > 0)
            await connection.ExecuteAsync(new CommandDefinition(Insert + Upsert, unknown.AddTo(new DynamicParameters()), transaction, cancellationToken: cancellationToken));
        return unknown;
    }
}
