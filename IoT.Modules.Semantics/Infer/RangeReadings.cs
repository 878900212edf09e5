using System.Runtime.InteropServices;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Modules.Semantics.Infer;

/// <summary>What one device's member was over a time: its latest value there and the summary of its numbers.</summary>
internal sealed class RangeValue
{
    private decimal _sum;
    private double _wideSum;
    private bool _isWide;
    private long _numbers;

    public LiveValue Latest { get; private set; }

    public long Ticks { get; private set; } = long.MinValue;

    public long ReadingId { get; private set; }

    /// <summary>Readings that have it.</summary>
    public long Count { get; private set; }

    public LiveValue? Least { get; private set; }

    public LiveValue? Greatest { get; private set; }

    /// <summary>Of its numbers; null without any. Exact, then rounded to 12 digits behind the point.</summary>
    public LiveValue? Average => _numbers == 0 ? null : _isWide ? LiveValue.Of(_wideSum / _numbers) : LiveValue.Of(Math.Round(_sum / _numbers, 12));

    public void Add(LiveValue value, long ticks, long readingId)
    {
        Count++;
        if ((ticks, readingId).CompareTo((Ticks, ReadingId)) > 0)
            (Latest, Ticks, ReadingId) = (value, ticks, readingId);
        if (value.Number is not { } number)
            return;
        _numbers++;
        _wideSum += number;
        if (value.Exact is { } exact && !_isWide)
        {
            try
            {
                _sum += exact;
            }
            catch (OverflowException)
            {
                _isWide = true;
            }
        }
        else
            _isWide = true;
        if (Least is not { } least || number < least.Number)
            Least = value;
        if (Greatest is not { } greatest || number > greatest.Number)
            Greatest = value;
    }
}

/// <summary>The readings of a time, of all devices of the registry.</summary>
internal sealed class RangeReadings(DatabaseAccess database, LatestValues latest, Metrics metrics, SemanticsOptions options)
{
    // One device after the other by its index, from data_type to data_type: a range over all of them has no index of its own.
    private const string Sql =
        """
        select r.id, d.id as device_id, r.timestamp, convert_to(r.payload::text, 'UTF8')
        from unnest(@Devices) as d (id)
        cross join lateral (
            with recursive types as (
                (select data_type from device_data where device_id = d.id order by data_type limit 1)
                union all
                select (select n.data_type from device_data n where n.device_id = d.id and n.data_type > types.data_type order by n.data_type limit 1)
                from types where types.data_type is not null
            )
            select r.* from types
            cross join lateral (
                select id, timestamp, payload from device_data
                where device_id = d.id and data_type = types.data_type and timestamp >= @From and timestamp < @To
            ) r
            where types.data_type is not null
        ) r
        limit @Most
        """;

    /// <summary>By device and member. Fails as too large over <c>Semantics__MaxRangeReadings</c>.</summary>
    public async Task<Outcome<Dictionary<(string DeviceIri, Metric Metric), RangeValue>>> ReadAsync(DateTime from, DateTime to, CancellationToken cancellationToken)
    {
        var iriOf = latest.Registered().ToDictionary(device => device.Uuid, device => Naming.Names.OfDevice(device.Id));
        var payloads = new PayloadMembers(metrics);
        var members = new List<(Metric Metric, LiveValue Value)>();
        var values = new Dictionary<(string, Metric), RangeValue>();
        await using var connection = await database.Read.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(Sql, connection)
        {
            Parameters =
            {
                new NpgsqlParameter<Guid[]>("Devices", [.. iriOf.Keys]),
                new NpgsqlParameter<DateTime>("From", from),
                new NpgsqlParameter<DateTime>("To", to),
                new NpgsqlParameter<long>("Most", options.MaxRangeReadings + 1L),
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        for (var readings = 1; await reader.ReadAsync(cancellationToken); readings++)
        {
            if (readings > options.MaxRangeReadings)
                return new Failure(FailureKind.TooLarge, $"context.time_range holds more than {options.MaxRangeReadings} readings (Semantics__MaxRangeReadings); ask for a shorter one.");
            var iri = iriOf[reader.GetGuid(1)];
            payloads.Read(reader.GetFieldValue<byte[]>(3), members);
            foreach (var (metric, value) in members)
            {
                ref var range = ref CollectionsMarshal.GetValueRefOrAddDefault(values, (iri, metric), out _);
                (range ??= new RangeValue()).Add(value, reader.GetDateTime(2).Ticks, reader.GetInt64(0));
            }
        }
        return values;
    }
}
