using System.Diagnostics;
using System.Globalization;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Benchmarks.Storage;

/// <summary>A host's <c>device_data</c> with some history in it, and what questions about it take.</summary>
internal sealed class HistoryTable(HostUnderTest host, NpgsqlDataSource database)
{
    // As dense as one device's readings can be told apart, all devices in turns: a device's rows are on pages of their own.
    private const string Fill =
        """
        insert into device_data (device_id, timestamp, data_type, payload)
        select ($1::uuid[])[1 + n % $2], $3::timestamptz + n * $4::interval, 'machine',
            jsonb_build_object('temperature', 20 + n % 60, 'vibration', (n % 5000) / 1000.0, 'pressure', 950 + n % 100, 'value', n % 1000, 'unit', repeat('x', 80))
        from generate_series($5::bigint, $6::bigint) n
        """;

    private readonly Random _random = new(1);
    private readonly Guid[] _devices = [.. Enumerable.Range(0, StorageSizes.Devices).Select(i => DeviceUuid.Of(Samples.DeviceId(i)))];
    private DateTime _start;
    private TimeSpan _step;

    /// <summary>Seven days of readings up to an hour ago.</summary>
    public async Task FillAsync(int rows, CancellationToken cancellationToken)
    {
        await ExecuteAsync("truncate device_data, device_summary_5m, device_summary_hour, summary_pending", cancellationToken);
        foreach (var device in Enumerable.Range(0, StorageSizes.Devices))
            await ExecuteAsync($"insert into devices (id, external_id) values ('{_devices[device]}', '{Samples.DeviceId(device)}') on conflict do nothing", cancellationToken);
        _step = TimeSpan.FromDays(7) / rows;
        _start = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1) - _step * rows;
        await EnsurePastAsync(cancellationToken);
        const int chunk = 500_000;
        for (var first = 0; first < rows; first += chunk)
        {
            await using var command = database.CreateCommand(Fill);
            command.CommandTimeout = 0;
            foreach (var value in new object[] { _devices, _devices.Length, _start, _step, (long)first, (long)Math.Min(first + chunk, rows) - 1 })
                command.Parameters.Add(new NpgsqlParameter { Value = value });
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        await ExecuteAsync("vacuum analyze device_data", cancellationToken);
        await ExecuteAsync("checkpoint", cancellationToken);
    }

    /// <summary>Makes the summaries of what has been filled in; answers readings a second.</summary>
    public async Task<double> RebuildAsync(int rows, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        (await host.Client.PostAsync(new Uri("/api/v1/summaries:rebuild", UriKind.Relative), null, cancellationToken)).EnsureSuccessStatusCode();
        while ((await host.Client.GetStringAsync(new Uri("/api/v1/summaries", UriKind.Relative), cancellationToken)).Contains("rebuilding", StringComparison.Ordinal))
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancellationToken);
        return rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>p95 over the API of 1,000 readings of one device, from anywhere in its history, in ms.</summary>
    public async Task<double> RangeP95Async(int queries, CancellationToken cancellationToken)
    {
        var times = new List<double>();
        for (var i = 0; i < queries + queries / 4; i++)
        {
            var end = _start + TimeSpan.FromDays(7) * (0.6 + _random.NextDouble() * 0.4);
            var path = string.Create(CultureInfo.InvariantCulture,
                $"/api/v1/devices/{Samples.DeviceId(_random.Next(StorageSizes.Devices))}/data?limit=1000&from={_start:yyyy-MM-ddTHH:mm:ssZ}&to={end:yyyy-MM-ddTHH:mm:ssZ}");
            var started = Stopwatch.GetTimestamp();
            await host.Client.GetByteArrayAsync(new Uri(path, UriKind.Relative), cancellationToken);
            // The first ones warm up.
            if (i >= queries / 4)
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        return times.Order().ElementAt((int)(times.Count * 0.95));
    }

    /// <summary>What the seed document does instead: its materialized view of seven days, made and then refreshed. Seconds of a refresh.</summary>
    public async Task<double> RefreshSecondsAsync(CancellationToken cancellationToken)
    {
        await ExecuteAsync(
            """
            drop materialized view if exists bench_summary_hourly;
            create materialized view bench_summary_hourly as
            select device_id, date_trunc('hour', timestamp) as hour, data_type, count(*) as message_count, avg((payload->>'value')::numeric) as avg_value,
                max((payload->>'value')::numeric) as max_value, min((payload->>'value')::numeric) as min_value
            from device_data where timestamp >= now() - interval '7 days' group by device_id, hour, data_type;
            create unique index on bench_summary_hourly (device_id, hour, data_type);
            """, cancellationToken);
        var started = Stopwatch.GetTimestamp();
        await ExecuteAsync("refresh materialized view concurrently bench_summary_hourly", cancellationToken);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        await ExecuteAsync("drop materialized view bench_summary_hourly", cancellationToken);
        return seconds;
    }

    /// <summary>Milliseconds for the newest reading of each data_type of 1,000 devices, and for 1,000 rows by primary key.</summary>
    public async Task<(double Latest, double ByKey)> LatestAsync(CancellationToken cancellationToken)
    {
        const int devices = 1_000;
        await ExecuteAsync(
            """
            drop table if exists bench_latest, bench_keyed;
            create table bench_latest (like device_data including defaults);
            create table bench_keyed (id bigint primary key, device_id uuid, timestamp timestamptz, data_type varchar(50), payload jsonb, status varchar(20));
            insert into bench_keyed select id, device_id, timestamp, data_type, payload, status from device_data limit 200000;
            insert into bench_latest (device_id, timestamp, data_type, payload)
                select md5((n % 1000)::text)::uuid, r.timestamp, 'machine', r.payload from (select row_number() over () as n, timestamp, payload from device_data limit 200000) r;
            create index on bench_latest (device_id, data_type, timestamp desc, id desc);
            """, cancellationToken);
        await ExecuteAsync("vacuum analyze bench_latest", cancellationToken);
        await ExecuteAsync("vacuum analyze bench_keyed", cancellationToken);
        const string latest =
            """
            select l.* from unnest($1::uuid[]) as d (id)
            cross join lateral (
                with recursive types as (
                    (select data_type from bench_latest where device_id = d.id order by data_type limit 1)
                    union all
                    select (select r.data_type from bench_latest r where r.device_id = d.id and r.data_type > types.data_type order by r.data_type limit 1) from types where types.data_type is not null)
                select r.* from types cross join lateral (
                    select id, timestamp, data_type, payload::text, status from bench_latest where device_id = d.id and data_type = types.data_type order by timestamp desc, id desc limit 1) r) l
            """;
        var ids = new List<Guid>();
        await using (var command = database.CreateCommand("select distinct device_id from bench_latest limit 1000"))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
                ids.Add(reader.GetGuid(0));
        }
        var keys = new List<long>();
        await using (var command = database.CreateCommand("select id from bench_keyed order by random() limit 1000"))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
                keys.Add(reader.GetInt64(0));
        }
        var result = (await MedianMsAsync(latest, ids.ToArray(), Math.Min(devices, ids.Count)), await MedianMsAsync("select id, timestamp, data_type, payload::text, status from bench_keyed where id = any($1)", keys.ToArray(), devices));
        await ExecuteAsync("drop table bench_latest, bench_keyed", cancellationToken);
        return result;

        async Task<double> MedianMsAsync(string sql, object parameter, int expected)
        {
            var times = new List<double>();
            for (var i = 0; i < 40; i++)
            {
                await using var command = database.CreateCommand(sql);
                command.Parameters.Add(new NpgsqlParameter { Value = parameter });
                var started = Stopwatch.GetTimestamp();
                var rows = 0;
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                while (await reader.ReadAsync(cancellationToken))
                    rows++;
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                if (rows != expected)
                    throw new InvalidOperationException($"{rows} rows, not {expected}.");
            }
            return times.Skip(10).Order().ElementAt(15);
        }
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The partitions of the last seven days, by readings for them.</summary>
    private async Task EnsurePastAsync(CancellationToken cancellationToken)
    {
        var body = string.Create(CultureInfo.InvariantCulture, $$$"""{"device_id":"bench-past","data_type":"t","timestamp":"{{{_start:yyyy-MM-ddTHH:mm:ssZ}}}","payload":{}}""");
        (await host.Client.PostAsync(new Uri("/api/v1/data", UriKind.Relative), new StringContent(body), cancellationToken)).EnsureSuccessStatusCode();
        await host.Client.GetStringAsync(new Uri("/api/v1/devices/bench-past/latest", UriKind.Relative), cancellationToken);
    }
}
