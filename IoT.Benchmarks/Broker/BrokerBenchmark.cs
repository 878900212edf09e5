using System.Globalization;
using IoT.Benchmarks.Ingest;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;
using IoT.Modules.Gateway;

namespace IoT.Benchmarks.Broker;

/// <summary>
/// The broker against Mosquitto, measured in the same run by the same load on the same machine. PostgreSQL is taken away after the
/// start, so that publishes end in the ingest log: what is compared is the broker, durable as it is.
/// </summary>
internal sealed class BrokerBenchmark : IDisposable
{
    public const string Name = "broker";

    private const double MiB = 1024 * 1024;

    private readonly BenchOptions _options;
    private readonly BrokerSizes _sizes;
    private readonly WorkFolder _folder;
    private readonly CancellationToken _stop;
    private readonly List<Figure> _figures;

    private BrokerBenchmark(BenchOptions options, List<Figure> figures, CancellationToken stop) =>
        (_options, _sizes, _figures, _folder, _stop) = (options, BrokerSizes.Of(options), figures, new WorkFolder(options.Keep), stop);

    public static async Task RunAsync(BenchOptions options, List<Figure> figures, CancellationToken cancellationToken)
    {
        using var benchmark = new BrokerBenchmark(options, figures, cancellationToken);
        Console.WriteLine($"load average at the start: {ProcessUse.LoadAverage}");
        await benchmark.RunAsync();
    }

    public void Dispose() => _folder.Dispose();

    private async Task RunAsync()
    {
        await using var mosquitto = await Mosquitto.StartAsync(_folder, _stop);
        string serverFolder;
        // Makes the cluster that the measured host is given.
        await using (var first = await HostUnderTest.StartAsync(_folder, "first", new Dictionary<string, string>(), _stop))
        {
            serverFolder = first.ServerFolder;
            await first.StopAsync();
        }
        await using var server = new StandingServer(serverFolder);
        await server.StartAsync(_stop);
        var settings = new Dictionary<string, string> { ["ConnectionStrings__Postgres"] = server.ConnectionString, ["Gateway__IngestLogMiB"] = "16384" };
        await using var host = await HostUnderTest.StartAsync(_folder, "broker", settings, _stop);
        await server.StopAsync(_stop);

        // Memory first, before anything has made the heap larger than it has to be.
        if (_options.Wants("idle_connections"))
            await IdleAsync(host, mosquitto);
        if (_options.Wants("ingest_rate", "idle_sessions", "many_filters"))
            await RatesAsync(host, mosquitto);
        if (_options.Wants("fan_out_qos0"))
            await FanOutAsync(host, mosquitto, 0);
        if (_options.Wants("fan_out_qos1"))
            await FanOutAsync(host, mosquitto, 1);
        // Without PostgreSQL it leaves what it has taken in its log: millions of readings are not waited for.
        await host.StopAsync();
        if (_options.Wants("slow_subscriber", "unread_acks", "pre_login"))
            await AttacksAsync();
    }

    /// <summary>On a host with the limits that devices have by default: without them, who publishes most gets most, attacker or not.</summary>
    private async Task AttacksAsync()
    {
        var limits = new GatewayOptions();
        var settings = new Dictionary<string, string>
        {
            ["Gateway__DeviceReadingsPerSecond"] = limits.DeviceReadingsPerSecond.ToString(CultureInfo.InvariantCulture),
            ["Gateway__DeviceBurst"] = limits.DeviceBurst.ToString(CultureInfo.InvariantCulture),
        };
        await using var host = await HostUnderTest.StartAsync(_folder, "attacked", settings, _stop);
        if (_options.Wants("slow_subscriber"))
            await AttackAsync(host, "slow_subscriber", Attack.SlowSubscriberAsync);
        if (_options.Wants("unread_acks"))
            await AttackAsync(host, "unread_acks", Attack.UnreadAcksAsync);
        if (_options.Wants("pre_login"))
            await AttackAsync(host, "pre_login", Attack.PreLoginAsync);
        await host.StopAsync();
    }

    private async Task IdleAsync(HostUnderTest host, Mosquitto mosquitto)
    {
        Say($"idle_connections: {_sizes.IdleConnections}");
        // The reference both before and after: how fast the load itself has become counts for both.
        var before = await ConnectAsync(mosquitto.Port, 0);
        await ConnectAsync(host.MqttPort, 0);
        await ConnectAsync(host.MqttPort, 0);
        var growth = 0.0;
        var ours = await ConnectAsync(host.MqttPort, host.Pid, grown => growth = grown);
        var after = await ConnectAsync(mosquitto.Port, 0);
        Add(Figure.Below(Name, "idle_connections: bytes each", growth * MiB / _sizes.IdleConnections, "B", 12 * 1024));
        Add(Figure.AtLeast(Name, "idle_connections: connect rate", ours, "connections/s", Mosquitto.Reference, 2 / (1 / before + 1 / after), 0.8));
    }

    private async Task<double> ConnectAsync(int port, int pid, Action<double>? grown = null)
    {
        var memory = pid == 0 ? 0 : await SettledMiBAsync(pid);
        await using var crowd = Crowd.Start(port);
        // A crowd of its own is started for each: its own warm-up counts in none.
        await crowd.RunAsync(new CrowdOrder(_sizes.IdleConnections / 10, null, 0, 0, null, 0), _stop);
        var result = await crowd.RunAsync(new CrowdOrder(_sizes.IdleConnections * 9 / 10, null, 0, 0, null, 0), _stop);
        if (grown is not null)
            grown(await SettledMiBAsync(pid) - memory);
        return _sizes.IdleConnections * 9 / 10 / result.ConnectSeconds;
    }

    private async Task RatesAsync(HostUnderTest host, Mosquitto mosquitto)
    {
        Say($"ingest_rate: {_sizes.Messages} publishes with QoS 1");
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, BrokerSizes.Connections, BrokerSizes.Connections, _stop);
        await using var reference = await LoadProcess.MqttAsync(mosquitto.Port, BrokerSizes.Connections, BrokerSizes.Connections, _stop);
        await load.RunAsync(new LoadOrder(_sizes.WarmUp, 0, BrokerSizes.InFlight), _stop);
        await reference.RunAsync(new LoadOrder(_sizes.WarmUp / 3, 0, BrokerSizes.InFlight), _stop);

        var before = (await reference.RunAsync(Order(_sizes.Messages / 4), _stop)).PerSecond;
        var ours = await load.RunAsync(Order(_sizes.Messages), _stop);
        var after = (await reference.RunAsync(Order(_sizes.Messages / 4), _stop)).PerSecond;
        Add(Figure.AtLeast(Name, "ingest_rate", ours.PerSecond, "publishes/s", Mosquitto.Reference, 2 / (1 / before + 1 / after), 2));
        Add(Figure.Told(Name, "ingest_rate: ack p99", ours.P99Ms, "ms"));

        await BesideAsync("idle_sessions", new CrowdOrder(_sizes.IdleSessions, "idle/{0}/own", 1, 1, null, 0), 0.9);
        await BesideAsync("many_filters", new CrowdOrder(_sizes.FilterSessions, "many/{0}/{1}", _sizes.FiltersEach, 1, null, 0), 0.8);

        async Task BesideAsync(string name, CrowdOrder order, double bar)
        {
            if (!_options.Wants(name))
                return;
            Say($"{name}: {order.Connections} sessions with {order.FiltersEach} filters each");
            var without = (await load.RunAsync(Order(_sizes.Messages), _stop)).PerSecond;
            double with;
            await using (var crowd = Crowd.Start(host.MqttPort))
            {
                await crowd.RunAsync(order, _stop);
                with = (await load.RunAsync(Order(_sizes.Messages), _stop)).PerSecond;
            }
            var again = (await load.RunAsync(Order(_sizes.Messages), _stop)).PerSecond;
            Add(Figure.AtLeast(Name, name, with, "publishes/s", "without them", 2 / (1 / without + 1 / again), bar));
        }

        static LoadOrder Order(int messages) => new(messages, 0, BrokerSizes.InFlight);
    }

    private async Task FanOutAsync(HostUnderTest host, Mosquitto mosquitto, byte qos)
    {
        var name = $"fan_out_qos{qos}";
        Say($"{name}: {_sizes.FanOut} publishes to {_sizes.Subscribers} subscribers");
        var before = await RateAsync(mosquitto.Port);
        await RateAsync(host.MqttPort);
        var ours = await RateAsync(host.MqttPort);
        var after = await RateAsync(mosquitto.Port);
        Add(Figure.AtLeast(Name, name, ours, "deliveries/s", Mosquitto.Reference, 2 / (1 / before + 1 / after), 1));

        async Task<double> RateAsync(int port)
        {
            await using var crowd = Crowd.Start(port);
            var result = await crowd.RunAsync(new CrowdOrder(_sizes.Subscribers, "fan/out", 1, qos, "fan/out", _sizes.FanOut), _stop);
            return result.Deliveries / result.FanOutSeconds;
        }
    }

    private async Task AttackAsync(HostUnderTest host, string name, Func<int, CancellationToken, Task> attack)
    {
        const double rate = 5_000;
        Say(FormattableString.Invariant($"{name}: {_sizes.Seconds} s without, {_sizes.Seconds} s with, others at {rate:0} publishes/s"));
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, BrokerSizes.Connections, BrokerSizes.Connections, _stop);
        await load.RunAsync(new LoadOrder(0, _sizes.Seconds / 2, BrokerSizes.InFlight, rate), _stop);
        var without = await load.RunAsync(new LoadOrder(0, _sizes.Seconds, BrokerSizes.InFlight, rate), _stop);
        var memory = ProcessUse.ResidentMiB(host.Pid);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop);
        var attacking = Task.Run(() => attack(host.MqttPort, end.Token), _stop);
        var peak = WatchAsync(end.Token);
        var with = await load.RunAsync(new LoadOrder(0, _sizes.Seconds, BrokerSizes.InFlight, rate), _stop);
        var isEarly = attacking.IsCompleted;
        await end.CancelAsync();
        await attacking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (isEarly)
            await attacking;
        Add(Figure.Below(Name, $"{name}: memory", await peak - memory, "MiB more", 50));
        Add(Figure.AtMost(Name, $"{name}: p99 of others", with.P99Ms, "ms", "without the attack", without.P99Ms, 2));

        async Task<double> WatchAsync(CancellationToken until)
        {
            var most = 0.0;
            while (!until.IsCancellationRequested)
            {
                most = Math.Max(most, ProcessUse.ResidentMiB(host.Pid));
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, until).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            return most;
        }
    }

    /// <summary>The least of some seconds: what is only on its way to be collected is none of it.</summary>
    private async Task<double> SettledMiBAsync(int pid)
    {
        var least = double.MaxValue;
        for (var n = 0; n < 15; n++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, _stop);
            least = Math.Min(least, ProcessUse.ResidentMiB(pid));
        }
        return least;
    }

    private void Add(Figure figure) => _figures.Add(figure);

    private static void Say(string what) => Console.WriteLine($"{what} (load average {ProcessUse.LoadAverage})");
}
