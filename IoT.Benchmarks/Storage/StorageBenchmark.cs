using System.Diagnostics;
using System.Globalization;
using Dapper;
using IoT.Benchmarks.Ingest;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;
using Npgsql;

namespace IoT.Benchmarks.Storage;

/// <summary>What keeping readings for years costs: layout, queries over much history, summaries, partitions coming and going.</summary>
internal sealed partial class StorageBenchmark : IDisposable
{
    public const string Name = "storage";

    private static readonly TimeSpan LongestDrain = TimeSpan.FromMinutes(5);

    private readonly BenchOptions _options;
    private readonly StorageSizes _sizes;
    private readonly WorkFolder _folder;
    private readonly CancellationToken _stop;
    private readonly List<Figure> _figures;

    private StorageBenchmark(BenchOptions options, List<Figure> figures, CancellationToken stop) =>
        (_options, _sizes, _figures, _folder, _stop) = (options, StorageSizes.Of(options), figures, new WorkFolder(options.Keep), stop);

    public static async Task RunAsync(BenchOptions options, List<Figure> figures, CancellationToken cancellationToken)
    {
        using var benchmark = new StorageBenchmark(options, figures, cancellationToken);
        await benchmark.RunAsync();
    }

    public void Dispose() => _folder.Dispose();

    private async Task RunAsync()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true; // As the module sets it, whose rows are read here.
        await using var host = await HostUnderTest.StartAsync(_folder, "storage", new Dictionary<string, string>(), _stop);
        await using var database = NpgsqlDataSource.Create(host.ConnectionString + ";Command Timeout=0");
        if (_options.Wants("bytes_per_reading"))
            await LayoutAsync(new Layouts(database));
        if (_options.Wants("range_query", "latest", "summary_cost_by_history"))
            await HistoryAsync(host, new HistoryTable(host, database));
        if (_options.Wants("ingest_with_summaries", "ingest_with_summaries_10k_devices"))
            await SummariesAsync(host);
        if (_options.Wants("partitions_under_ingest"))
            await PartitionsAsync(host, database);
        await host.StopAsync();
    }

    private async Task LayoutAsync(Layouts layouts)
    {
        Say($"bytes_per_reading: {_sizes.Layout} readings each");
        var bare = await layouts.MeasureAsync(Layouts.Bare, _sizes.Layout, _stop);
        var ours = await layouts.MeasureAsync(Layouts.Bare + Layouts.Series + Layouts.Arrival + Layouts.Time, _sizes.Layout, _stop);
        var seed = await layouts.MeasureAsync(Layouts.Seed, _sizes.Layout, _stop);
        Add(Figure.AtMost(Name, "bytes_per_reading", ours.Bytes, "B", "the seed's schema", seed.Bytes, 0.9));
        Add(Figure.Told(Name, "bytes_per_reading: insert", ours.Microseconds, "µs/reading", "the seed's schema", seed.Microseconds));
        foreach (var (index, sql) in new[]
                 {
                     ("brin (id)", Layouts.Arrival),
                     ("brin (timestamp)", Layouts.Time),
                     ("(timestamp desc, device_id)", "create index on bench_layout (timestamp desc, device_id);"),
                     ("(data_type, status) where active", "create index on bench_layout (data_type, status) where status = 'active';"),
                     ("(8 bytes for device and data_type, timestamp)", Layouts.Series),
                     ("(device_id, data_type, timestamp desc, id desc)", "create index on bench_layout (device_id, data_type, timestamp desc, id desc);"),
                     ("(device_id, timestamp)", "create index on bench_layout (device_id, timestamp);"),
                 })
        {
            var with = await layouts.MeasureAsync(Layouts.Bare + sql, _sizes.Layout, _stop);
            Add(Figure.Told(Name, $"index {index}: bytes", with.Bytes - bare.Bytes, "B/reading", "the table alone", bare.Bytes));
            Add(Figure.Told(Name, $"index {index}: insert", with.Microseconds - bare.Microseconds, "µs/reading", "the table alone", bare.Microseconds));
        }
    }

    private async Task HistoryAsync(HostUnderTest host, HistoryTable table)
    {
        var (p95, cost, refresh) = (new double[2], new double[2], new double[2]);
        int[] sizes = [_sizes.Few, _sizes.Many];
        for (var i = 0; i < sizes.Length; i++)
        {
            Say($"history: {sizes[i]} readings");
            await table.FillAsync(sizes[i], _stop);
            if (_options.Wants("range_query"))
                p95[i] = await table.RangeP95Async(_options.IsQuick ? 120 : 400, _stop);
            if (i == 0 && _options.Wants("latest"))
            {
                var (sparse, dense, byKey) = await table.LatestAsync(_stop);
                Add(Figure.AtMost(Name, "latest of 1,000 devices", sparse, "ms", "1,000 rows by primary key", byKey, 2));
                Add(Figure.AtMost(Name, "latest of 1,000 devices, 360 readings an hour", dense, "ms", "1,000 rows by primary key", byKey, 2));
            }
            if (!_options.Wants("summary_cost_by_history"))
                continue;
            var rebuilt = await table.RebuildAsync(sizes[i], _stop);
            Add(Figure.Told(Name, string.Create(CultureInfo.InvariantCulture, $"summaries: rebuilt from {sizes[i]:#,0} readings"), rebuilt, "readings/s"));
            refresh[i] = await table.RefreshSecondsAsync(_stop);
            // A run to warm up, and that the buckets of now are there; then two.
            await SummaryCpuAsync(host);
            cost[i] = (await SummaryCpuAsync(host) + await SummaryCpuAsync(host)) / 2;
        }
        if (p95[1] > 0)
            Add(Figure.AtMost(Name, string.Create(CultureInfo.InvariantCulture, $"range_query p95 at {sizes[1]:#,0}"), p95[1], "ms", string.Create(CultureInfo.InvariantCulture, $"at {sizes[0]:#,0}"), p95[0], 1.5));
        if (cost[1] <= 0)
            return;
        Add(Figure.AtMost(Name, string.Create(CultureInfo.InvariantCulture, $"summary_cost_by_history: PostgreSQL at {sizes[1]:#,0}"), cost[1], "µs/reading", string.Create(CultureInfo.InvariantCulture, $"at {sizes[0]:#,0}"), cost[0], 1.2));
        for (var i = 0; i < sizes.Length; i++)
            Add(Figure.Told(Name, string.Create(CultureInfo.InvariantCulture, $"the seed's view refreshed at {sizes[i]:#,0}"), refresh[i], "s", $"storing {_sizes.Messages} readings with summaries", cost[i] * _sizes.Messages / 1e6));
    }

    /// <summary>PostgreSQL's CPU for storing readings with their summaries, folding included, µs a reading.</summary>
    private async Task<double> SummaryCpuAsync(HostUnderTest host)
    {
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, StorageSizes.Devices, _stop);
        await FoldedAsync(host);
        var cpu = ProcessUse.CpuSecondsOfFamily(host.Postmaster);
        var result = await load.RunAsync(new LoadOrder(_sizes.Messages, 0, IngestSizes.InFlight), _stop);
        await host.StoredAsync(LongestDrain, _stop);
        await FoldedAsync(host);
        return (ProcessUse.CpuSecondsOfFamily(host.Postmaster) - cpu) * 1e6 / result.Answered;
    }

    private async Task SummariesAsync(HostUnderTest with)
    {
        await using var without = await HostUnderTest.StartAsync(_folder, "without", new Dictionary<string, string> { ["Storage__Summaries"] = "false" }, _stop);
        foreach (var (devices, name, bar) in new[] { (IngestSizes.Connections, "ingest_with_summaries", 0.8), (IngestSizes.ManyDevices, "ingest_with_summaries_10k_devices", 0.6) })
        {
            if (!_options.Wants(name))
                continue;
            Say($"{name}: {_sizes.Rounds} rounds of {_sizes.Messages} readings of {devices} devices");
            var seconds = new double[2];
            HostUnderTest[] hosts = [with, without];
            for (var round = 0; round <= _sizes.Rounds; round++)
            {
                for (var i = 0; i < hosts.Length; i++)
                {
                    var stored = await StoredSecondsAsync(hosts[i], devices);
                    // The first round warms up.
                    if (round > 0)
                        seconds[i] += stored;
                }
                if (round == 0)
                    await FoldedAsync(with);
            }
            // What is left to the folding, which has up to a minute or 2.5 million values to put together, is added as if readings waited for it.
            var cpu = ProcessUse.CpuSeconds(with.Pid) + ProcessUse.CpuSecondsOfFamily(with.Postmaster);
            await FoldedAsync(with);
            var folding = ProcessUse.CpuSeconds(with.Pid) + ProcessUse.CpuSecondsOfFamily(with.Postmaster) - cpu;
            seconds[0] += folding;
            var readings = (double)_sizes.Rounds * _sizes.Messages;
            Add(Figure.AtLeast(Name, name, readings / seconds[0], "readings/s", "without summaries", readings / seconds[1], bar));
            Add(Figure.Told(Name, $"{name}: folding", folding * 1e6 / readings, "µs/reading"));
        }
        await without.StopAsync();
    }

    /// <summary>Seconds until all readings are stored.</summary>
    private async Task<double> StoredSecondsAsync(HostUnderTest host, int devices)
    {
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, devices, _stop);
        await using var table = new ReadingsTable(host.ConnectionString);
        await table.ClearAsync(_stop);
        var id = await table.LastIdAsync(_stop);
        var result = await load.RunAsync(new LoadOrder(_sizes.Messages, 0, IngestSizes.InFlight), _stop);
        var stored = await table.WaitForRowsAsync(id, result.Answered, LongestDrain, _stop);
        return Stopwatch.GetElapsedTime(result.StartedAt, stored).TotalSeconds;
    }

    /// <summary>Nothing is pending when it comes back.</summary>
    private async Task FoldedAsync(HostUnderTest host) =>
        (await host.Client.PostAsync(new Uri("/api/v1/summaries:fold", UriKind.Relative), null, _stop)).EnsureSuccessStatusCode();

    private void Add(Figure figure) => _figures.Add(figure);

    private static void Say(string what) => Console.WriteLine($"{what} (load average {ProcessUse.LoadAverage})");
}
