using System.Diagnostics;
using System.Globalization;
using Dapper;
using IoT.Benchmarks.Ingest;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using Npgsql;

namespace IoT.Benchmarks.Storage;

/// <summary>Partitions dropped and made while readings come in as fast as they can.</summary>
internal sealed partial class StorageBenchmark
{
    private const int OldPartitions = 6;

    private async Task PartitionsAsync(HostUnderTest host, NpgsqlDataSource database)
    {
        Say($"partitions_under_ingest: {_sizes.Seconds} s without, {_sizes.Seconds} s with");
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, IngestSizes.Connections, _stop);
        await using var table = new ReadingsTable(host.ConnectionString);
        await table.ClearAsync(_stop);
        await load.RunAsync(new LoadOrder(_sizes.Messages, 0, IngestSizes.InFlight), _stop);
        var before = await WatchAsync(host, database, load, _ => Task.CompletedTask);

        await MakeOldAsync(database);
        var made = 0;
        var during = await WatchAsync(host, database, load, async stop =>
        {
            // Old ones go, and readings of months that have no partition yet make new ones.
            var dropping = host.Client.PostAsync(new Uri("/api/v1/retention:run", UriKind.Relative), null, stop);
            for (; made < OldPartitions; made++)
                await PostAsync(host, "bench-late", TimeProvider.System.GetUtcNow().UtcDateTime.AddMonths(-24 - made), stop);
            (await dropping).EnsureSuccessStatusCode();
        });
        await using var gone = database.CreateCommand("select count(*) from storage_events where kind = 'dropped' and table_name = 'device_data'");
        Add(Figure.Told(Name, "partitions_under_ingest: dropped", (long)(await gone.ExecuteScalarAsync(_stop))!, "partitions"));
        Add(Figure.Told(Name, "partitions_under_ingest: made", made, "partitions"));
        Add(Figure.AtMost(Name, "partitions_under_ingest: ack to visible, p99", during.Visible, "ms", "without", before.Visible, 2));
        Add(Figure.AtMost(Name, "partitions_under_ingest: query p99", during.Query, "ms", "without", before.Query, 2));
        Add(Figure.Told(Name, "partitions_under_ingest: acked", during.PerSecond, "readings/s", "without", before.PerSecond));
    }

    /// <summary>While the load runs: how long after its acknowledgement a reading can be seen, and how long a query takes.</summary>
    private async Task<(double Visible, double Query, double PerSecond)> WatchAsync(HostUnderTest host, NpgsqlDataSource database, LoadProcess load, Func<CancellationToken, Task> meanwhile)
    {
        var running = load.RunAsync(new LoadOrder(0, _sizes.Seconds, IngestSizes.InFlight), _stop);
        var acting = meanwhile(_stop);
        var (visible, queries) = (new List<double>(), new List<double>());
        while (!running.IsCompleted)
        {
            var at = TimeProvider.System.GetUtcNow().UtcDateTime;
            at = new DateTime(at.Ticks - at.Ticks % TimeSpan.TicksPerMicrosecond, DateTimeKind.Utc);
            await PostAsync(host, "bench-probe", at, _stop);
            var acked = Stopwatch.GetTimestamp();
            while (!await IsVisibleAsync(database, at))
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, _stop);
            visible.Add(Stopwatch.GetElapsedTime(acked).TotalMilliseconds);
            // Not over the API: a query there waits for what has been acknowledged.
            var started = Stopwatch.GetTimestamp();
            var device = DeviceUuid.Of(Samples.DeviceId(queries.Count % IngestSizes.Connections));
            await using (var connection = await database.OpenConnectionAsync(_stop))
                await connection.QueryAsync<Series.Row>(GetHistoryHandler.OneType, GetHistoryHandler.ParametersOf(device, Samples.DataType, null, null, null, 100));
            queries.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        await acting;
        return (P99(visible), P99(queries), (await running).PerSecond);
    }

    private static async Task<bool> IsVisibleAsync(NpgsqlDataSource database, DateTime at)
    {
        await using var command = database.CreateCommand("select exists (select 1 from device_data where reading_series(device_id, data_type) = reading_series($1, 't') and device_id = $1 and data_type = 't' and timestamp = $2)");
        command.Parameters.Add(new NpgsqlParameter { Value = DeviceUuid.Of("bench-probe") });
        command.Parameters.Add(new NpgsqlParameter { Value = at });
        return (bool)(await command.ExecuteScalarAsync())!;
    }

    private static async Task PostAsync(HostUnderTest host, string device, DateTime at, CancellationToken stop)
    {
        var body = string.Create(CultureInfo.InvariantCulture, $$$"""{"device_id":"{{{device}}}","data_type":"t","timestamp":"{{{at:yyyy-MM-ddTHH:mm:ss.ffffff}}}Z","payload":{"value":1}}""");
        (await host.Client.PostAsync(new Uri("/api/v1/data", UriKind.Relative), new StringContent(body), stop)).EnsureSuccessStatusCode();
    }

    /// <summary>Months beyond what is kept, with readings in them.</summary>
    private async Task MakeOldAsync(NpgsqlDataSource database)
    {
        var month = new DateTime(TimeProvider.System.GetUtcNow().Year - 8, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        for (var i = 0; i < OldPartitions; i++)
        {
            var (from, to) = (month.AddMonths(i), month.AddMonths(i + 1));
            var name = string.Create(CultureInfo.InvariantCulture, $"device_data_y{from:yyyy}m{from:MM}");
            await using var command = database.CreateCommand(string.Create(CultureInfo.InvariantCulture,
                $"""
                 create table {name} (like device_data including defaults);
                 insert into {name} (device_id, timestamp, data_type, payload) select gen_random_uuid(), '{from:yyyy-MM-dd}Z'::timestamptz + n * interval '1 second', 't', '{"{}"}' from generate_series(1, {_sizes.Layout / OldPartitions}) n;
                 alter table device_data attach partition {name} for values from ('{from:yyyy-MM-dd}Z') to ('{to:yyyy-MM-dd}Z');
                 """));
            await command.ExecuteNonQueryAsync(_stop);
        }
    }

    private static double P99(List<double> values) => values.Order().ElementAt((int)(values.Count * 0.99));
}
