using System.Diagnostics;
using System.Globalization;
using Dapper;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Queries;
using IoT.Modules.Storage.Readings;
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
        await ExecuteAsync("select learn_device_series()", cancellationToken);
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

    /// <summary>
    /// Milliseconds for the newest reading of each data_type of 1,000 devices, by the platform's own statement, and for 1,000 rows by
    /// primary key; over a connection that keeps statements prepared, as the platform's are. Sparse: a reading an hour or so. Dense: one
    /// every ten seconds, and of the place that is written down eight more have come, half of what may.
    /// </summary>
    public async Task<(double Sparse, double Dense, double ByKey)> LatestAsync(CancellationToken cancellationToken)
    {
        const int devices = 1_000;
        var hour = _start.Date.AddDays(6);
        await ExecuteAsync(
            string.Create(CultureInfo.InvariantCulture, $"""
             drop table if exists bench_keyed;
             create table bench_keyed (id bigint primary key, device_id uuid, timestamp timestamptz, data_type varchar(50), payload jsonb, status varchar(20));
             insert into bench_keyed select id, device_id, timestamp, data_type, payload, status from device_data limit 200000;
             insert into devices (id, external_id, location) select md5(l || '-' || n)::uuid, l || '-' || n, l from generate_series(0, 999) n, unnest(array['bench-latest', 'bench-dense']) l on conflict do nothing;
             insert into device_data (device_id, timestamp, data_type, payload)
                 select md5('bench-latest-' || (n % 1000))::uuid, r.timestamp, 'machine', r.payload from (select row_number() over () as n, timestamp, payload from device_data limit 200000) r;
             insert into device_data (device_id, timestamp, data_type, payload)
                 select md5('bench-dense-' || (n % 1000))::uuid, timestamptz '{hour:yyyy-MM-dd}Z' + n / 1000 * interval '10 s', 'machine', r.payload from (select row_number() over () - 1 as n, payload from bench_keyed, generate_series(1, 2) limit 360000) r;
             select learn_device_series();
             update device_series s set newest_at = newest_at - interval '80 s' from devices d where d.id = s.device_id and d.location = 'bench-dense';
             """), cancellationToken);
        foreach (var table in new[] { "device_data", "device_series", "devices", "bench_keyed" })
            await ExecuteAsync($"vacuum analyze {table}", cancellationToken);
        await using var source = new NpgsqlDataSourceBuilder(FormattableString.Invariant($"{host.ConnectionString};Max Auto Prepare=64;Auto Prepare Min Usages=2")).Build();
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        var keys = (await connection.QueryAsync<long>("select id from bench_keyed order by random() limit 1000")).ToArray();
        (string Sql, object Given)[] questions =
        [
            (GetLatestOfDevicesHandler.Sql, Of("bench-latest")), (GetLatestOfDevicesHandler.Sql, Of("bench-dense")),
            ("select 'bench-latest-1' as external_id, data_type as series_type, device_id, timestamp as since, id, timestamp, payload::text as payload, status from bench_keyed where id = any(@keys)", new { keys }),
        ];
        // In turns, so that whatever else the machine does slows all of them.
        var times = questions.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < 120; round++)
        {
            foreach (var (index, (sql, given)) in questions.Index())
            {
                var started = Stopwatch.GetTimestamp();
                var rows = (await connection.QueryAsync<Latest.Row>(sql, given)).Count();
                times[index].Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                if (rows != devices)
                    throw new InvalidOperationException($"{rows} rows, not {devices}.");
            }
        }
        await ExecuteAsync(
            """
            drop table bench_keyed;
            delete from device_data where device_id in (select id from devices where location in ('bench-latest', 'bench-dense'));
            delete from device_series where device_id in (select id from devices where location in ('bench-latest', 'bench-dense'));
            delete from devices where location in ('bench-latest', 'bench-dense');
            """, cancellationToken);
        await ExecuteAsync("vacuum device_data", cancellationToken);
        return (Median(0), Median(1), Median(2));

        static DynamicParameters Of(string location)
        {
            var parameters = SeriesOf.ParametersOf(new DeviceFilter(Location: location));
            parameters.Add("AfterDevice", null, System.Data.DbType.String);
            parameters.Add("AfterType", null, System.Data.DbType.String);
            parameters.Add("Count", devices);
            return parameters;
        }

        // The first ones warm up.
        double Median(int question) => times[question].Skip(20).Order().ElementAt(50);
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The partitions of the last seven days, and the devices, by readings of them.</summary>
    private async Task EnsurePastAsync(CancellationToken cancellationToken)
    {
        var readings = Enumerable.Range(0, StorageSizes.Devices).Select(device => string.Create(
            CultureInfo.InvariantCulture, $$$"""{"device_id":"{{{Samples.DeviceId(device)}}}","data_type":"machine","timestamp":"{{{_start:yyyy-MM-ddTHH:mm:ssZ}}}","payload":{}}"""));
        (await host.Client.PostAsync(new Uri("/api/v1/data", UriKind.Relative), new StringContent($"[{string.Join(',', readings)}]"), cancellationToken)).EnsureSuccessStatusCode();
        await host.StoredAsync(TimeSpan.FromMinutes(1), cancellationToken);
    }
}
