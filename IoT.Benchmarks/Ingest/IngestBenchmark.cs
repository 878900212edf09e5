using System.Diagnostics;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Ingest;

/// <summary>
/// What durable ingest costs, against binary COPY of the same rows and against Kestrel alone, measured in the same run on the same
/// machine: load process, host and PostgreSQL share it.
/// </summary>
internal sealed class IngestBenchmark : IDisposable
{
    public const string Name = "ingest";

    private const string Copy = "binary COPY, 2 connections";

    private static readonly TimeSpan LongestDrain = TimeSpan.FromMinutes(5);

    private readonly BenchOptions _options;
    private readonly IngestSizes _sizes;
    private readonly WorkFolder _folder;
    private readonly CancellationToken _stop;
    private readonly List<Figure> _figures;
    private double? _peak;

    private IngestBenchmark(BenchOptions options, List<Figure> figures, CancellationToken stop) =>
        (_options, _sizes, _figures, _folder, _stop) = (options, IngestSizes.Of(options), figures, new WorkFolder(options.Keep), stop);

    public static async Task RunAsync(BenchOptions options, List<Figure> figures, CancellationToken cancellationToken)
    {
        using var benchmark = new IngestBenchmark(options, figures, cancellationToken);
        Console.WriteLine($"load average at the start: {ProcessUse.LoadAverage}");
        await benchmark.RunAsync();
    }

    public void Dispose() => _folder.Dispose();

    private async Task RunAsync()
    {
        string server;
        await using (var host = await HostUnderTest.StartAsync(_folder, "main", new Dictionary<string, string>(), _stop))
        await using (var table = new ReadingsTable(host.ConnectionString))
        {
            server = host.ServerFolder;
            if (_options.Wants("acked_and_stored_rate", "ack_p99_at_half_peak"))
                await StoredRateAsync(host, table, IngestSizes.Connections, "acked_and_stored_rate");
            if (_options.Wants("ack_p99_at_half_peak"))
                await LatencyAsync(host, table);
            if (_options.Wants("acked_and_stored_rate_10k_devices"))
                await StoredRateAsync(host, table, IngestSizes.ManyDevices, "acked_and_stored_rate_10k_devices");
            if (_options.Wants("pipelined_vs_one_in_flight"))
                await PipelinedAsync(host, table);
            if (_options.Wants("http_single"))
                await HttpAsync(host, table);
            if (_options.Wants("memory_flat"))
                await MemoryAsync(host, table);
            await host.StopAsync();
        }
        if (_options.Wants("drain_backlog"))
            await DrainAsync(server);
    }

    private async Task StoredRateAsync(HostUnderTest host, ReadingsTable table, int devices, string name)
    {
        Say($"{name}: {_sizes.Messages} readings of {devices} devices");
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, devices, _stop);
        await WarmUpAsync(load, host, table, Math.Max(_sizes.WarmUp, devices * 4));
        var copyBefore = await table.CopyAsync(_sizes.Messages, devices, _stop);
        // Once more: what the first round made worth compiling well has been by now.
        await WarmUpAsync(load, host, table, _sizes.WarmUp);

        await table.ClearAsync(_stop);
        var id = await table.LastIdAsync(_stop);
        var allocated = await host.MetricAsync("dotnet_gc_heap_total_allocated_bytes_total", _stop);
        var (hostCpu, serverCpu) = (ProcessUse.CpuSeconds(host.Pid), ProcessUse.CpuSecondsOfFamily(host.Postmaster));
        var result = await load.RunAsync(new LoadOrder(_sizes.Messages, 0, IngestSizes.InFlight), _stop);
        var stored = await table.WaitForRowsAsync(id, result.Answered, LongestDrain, _stop);
        (hostCpu, serverCpu) = (ProcessUse.CpuSeconds(host.Pid) - hostCpu, ProcessUse.CpuSecondsOfFamily(host.Postmaster) - serverCpu);
        allocated = await host.MetricAsync("dotnet_gc_heap_total_allocated_bytes_total", _stop) - allocated;

        var copyAfter = await table.CopyAsync(_sizes.Messages, devices, _stop);
        // Both halves took the same rows: their common rate.
        var copy = 2 / (1 / copyBefore + 1 / copyAfter);
        var rate = result.Answered / Stopwatch.GetElapsedTime(result.StartedAt, stored).TotalSeconds;
        if (devices == IngestSizes.Connections)
            _peak = rate;
        Add(Figure.AtLeast(Name, name, rate, "readings/s", Copy, copy, 0.45));
        Add(Figure.Told(Name, $"{name}: acked", result.PerSecond, "readings/s", Copy, copy));
        Add(Figure.Told(Name, $"{name}: ack p99", result.P99Ms, "ms"));
        Add(Figure.Told(Name, $"{name}: CPU of the host", hostCpu * 1e6 / result.Answered, "µs/reading"));
        Add(Figure.Told(Name, $"{name}: CPU of PostgreSQL", serverCpu * 1e6 / result.Answered, "µs/reading"));
        Add(Figure.Told(Name, $"{name}: CPU of the load", result.CpuSeconds * 1e6 / result.Answered, "µs/reading"));
        if (allocated is { } bytes)
            Add(Figure.Told(Name, $"{name}: bytes_allocated_per_message", bytes / result.Answered, "B"));
    }

    private async Task LatencyAsync(HostUnderTest host, ReadingsTable table)
    {
        var rate = _peak!.Value / 2;
        Say(FormattableString.Invariant($"ack_p99_at_half_peak: {rate:0} readings/s for {_sizes.Seconds} s"));
        await table.ClearAsync(_stop);
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, IngestSizes.Connections, _stop);
        await load.RunAsync(new LoadOrder(0, 1, IngestSizes.InFlight, rate), _stop);
        var result = await load.RunAsync(new LoadOrder(0, _sizes.Seconds, IngestSizes.InFlight, rate), _stop);
        await host.StoredAsync(LongestDrain, _stop);
        Add(Figure.Below(Name, "ack_p99_at_half_peak", result.P99Ms, "ms", 50));
        Add(Figure.Told(Name, "ack_p99_at_half_peak: p50", result.P50Ms, "ms"));
        Add(Figure.Told(Name, "ack_p99_at_half_peak: rate", result.PerSecond, "readings/s", "the rate asked for", rate));
    }

    private async Task PipelinedAsync(HostUnderTest host, ReadingsTable table)
    {
        Say($"pipelined_vs_one_in_flight: {_sizes.Seconds / 2} s each");
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, 1, 1, _stop);
        await WarmUpAsync(load, host, table, _sizes.WarmUp);
        var one = await load.RunAsync(new LoadOrder(0, _sizes.Seconds / 2, 1), _stop);
        var many = await load.RunAsync(new LoadOrder(0, _sizes.Seconds / 2, IngestSizes.InFlight), _stop);
        await host.StoredAsync(LongestDrain, _stop);
        Add(Figure.AtLeast(Name, "pipelined_vs_one_in_flight", many.PerSecond, "readings/s", "the same client, one in flight", one.PerSecond, 20));
        Add(Figure.Told(Name, "pipelined_vs_one_in_flight: one, p50", one.P50Ms, "ms"));
        Add(Figure.Told(Name, "pipelined_vs_one_in_flight: 100, p50", many.P50Ms, "ms"));
    }

    private async Task HttpAsync(HostUnderTest host, ReadingsTable table)
    {
        Say($"http_single: {IngestSizes.HttpConnections} connections, {_sizes.Seconds / 2} s each");
        await table.ClearAsync(_stop);
        var order = new LoadOrder(0, _sizes.Seconds / 2, 1);
        LoadResult reference, ours;
        await using (var server = await ReferenceServer.StartAsync(HostUnderTest.FreePort(), _stop))
        await using (var load = await LoadProcess.HttpAsync(server.Port, IngestSizes.HttpConnections, _stop))
        {
            await load.RunAsync(order with { Seconds = _sizes.Seconds / 4 }, _stop);
            reference = await load.RunAsync(order, _stop);
        }
        await using (var load = await LoadProcess.HttpAsync(host.HttpPort, IngestSizes.HttpConnections, _stop))
        {
            await load.RunAsync(order with { Seconds = _sizes.Seconds / 4 }, _stop);
            var cpu = ProcessUse.CpuSeconds(host.Pid);
            ours = await load.RunAsync(order, _stop);
            cpu = ProcessUse.CpuSeconds(host.Pid) - cpu;
            await host.StoredAsync(LongestDrain, _stop);
            Add(Figure.AtLeast(Name, "http_single", ours.PerSecond, "requests/s", "Kestrel: parse, ignore, 200", reference.PerSecond, 0.35));
            Add(Figure.Told(Name, "http_single: p99", ours.P99Ms, "ms", "Kestrel: parse, ignore, 200", reference.P99Ms));
            Add(Figure.Told(Name, "http_single: CPU of the host", cpu * 1e6 / ours.Answered, "µs/request"));
        }
    }

    private async Task MemoryAsync(HostUnderTest host, ReadingsTable table)
    {
        Say($"memory_flat: {_sizes.Memory} readings");
        await table.ClearAsync(_stop);
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, IngestSizes.Connections, _stop);
        List<double> early = [], late = [];
        // In parts, each stored before the next: what grows is then not what waits to be stored.
        const int parts = 50;
        for (var part = 1; part <= parts; part++)
        {
            await load.RunAsync(new LoadOrder(Math.Max(_sizes.Memory / parts, 1), 0, IngestSizes.InFlight), _stop);
            await host.StoredAsync(LongestDrain, _stop);
            // Around the 20 % mark, and the last tenth.
            if (part is >= parts / 10 and <= parts * 3 / 10)
                early.Add(ProcessUse.ResidentMiB(host.Pid));
            else if (part > parts * 9 / 10)
                late.Add(ProcessUse.ResidentMiB(host.Pid));
        }
        Add(Figure.AtMost(Name, "memory_flat", Median(late), "MiB resident at 100 %", "resident at 20 %", Median(early), 1.15));
        Add(Figure.Told(Name, "memory_flat: slope", (Median(late) - Median(early)) * 1024 * 1024 / (_sizes.Memory * 0.75), "B/reading"));
    }

    private async Task DrainAsync(string serverFolder)
    {
        Say($"drain_backlog: {_sizes.Backlog} readings");
        await using var server = new StandingServer(serverFolder);
        await server.StartAsync(_stop);
        await using var host = await HostUnderTest.StartAsync(_folder, "drain", new Dictionary<string, string> { ["ConnectionStrings__Postgres"] = server.ConnectionString }, _stop);
        await using var table = new ReadingsTable(server.ConnectionString);
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, IngestSizes.Connections, _stop);
        await WarmUpAsync(load, host, table, _sizes.WarmUp);
        var copyBefore = await table.CopyAsync(_sizes.Backlog, IngestSizes.Connections, _stop);
        await table.ClearAsync(_stop);
        var id = await table.LastIdAsync(_stop);

        await server.StopAsync(_stop);
        table.Disconnect();
        var result = await load.RunAsync(new LoadOrder(_sizes.Backlog, 0, IngestSizes.InFlight), _stop);
        await server.StartAsync(_stop);

        // The writers come back when they next try: the time until then is not the drain's.
        long before;
        while ((before = await table.LastIdAsync(_stop) - id) <= 0)
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, _stop);
        var started = Stopwatch.GetTimestamp();
        var cpu = (Host: ProcessUse.CpuSeconds(host.Pid), Server: ProcessUse.CpuSecondsOfFamily(server.Pid));
        var stored = await table.WaitForRowsAsync(id, result.Answered, LongestDrain, _stop);
        var seconds = Stopwatch.GetElapsedTime(started, stored).TotalSeconds;
        cpu = (ProcessUse.CpuSeconds(host.Pid) - cpu.Host, ProcessUse.CpuSecondsOfFamily(server.Pid) - cpu.Server);
        var rate = (result.Answered - before) / seconds;

        var copyAfter = await table.CopyAsync(_sizes.Backlog, IngestSizes.Connections, _stop);
        var copy = 2 / (1 / copyBefore + 1 / copyAfter);
        Add(Figure.AtLeast(Name, "drain_backlog", rate, "readings/s", Copy, copy, 0.6));
        Add(Figure.Told(Name, "drain_backlog: acked while PostgreSQL was away", result.PerSecond, "readings/s", Copy, copy));
        Add(Figure.Told(Name, "drain_backlog: CPU of the host", cpu.Host * 1e6 / (result.Answered - before), "µs/reading"));
        Add(Figure.Told(Name, "drain_backlog: CPU of PostgreSQL", cpu.Server * 1e6 / (result.Answered - before), "µs/reading"));
        await host.StopAsync();
    }

    private async Task WarmUpAsync(LoadProcess load, HostUnderTest host, ReadingsTable table, int messages)
    {
        await table.ClearAsync(_stop);
        await load.RunAsync(new LoadOrder(messages, 0, IngestSizes.InFlight), _stop);
        await host.StoredAsync(LongestDrain, _stop);
    }

    private void Add(Figure figure) => _figures.Add(figure);

    private static void Say(string what) => Console.WriteLine($"{what} (load average {ProcessUse.LoadAverage})");

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
