using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Load;

/// <summary>
/// The load: a process of its own that opens its connections, then carries out one <see cref="LoadOrder"/> after another. It ends with
/// its stdin.
/// </summary>
internal sealed class LoadProcess : IAsyncDisposable
{
    public const string Role = "load";

    // More than may be in flight, and enough for each connection to have its devices among them.
    private const int Slots = 400;

    private readonly Process _process;

    private LoadProcess(Process process) => _process = process;

    public int Pid => _process.Id;

    public static Task<LoadProcess> MqttAsync(int port, int connections, int devices, CancellationToken cancellationToken) =>
        StartAsync("mqtt", port, connections, devices, cancellationToken);

    public static Task<LoadProcess> HttpAsync(int port, int connections, CancellationToken cancellationToken) =>
        StartAsync("http", port, connections, connections, cancellationToken);

    public async Task<LoadResult> RunAsync(LoadOrder order, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(order).AsMemory(), cancellationToken);
        return JsonSerializer.Deserialize<LoadResult>(await LineAsync(cancellationToken))!;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private static async Task<LoadProcess> StartAsync(string protocol, int port, int connections, int devices, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(LoadProcess).Assembly.Location, Role, protocol, .. new[] { port, connections, devices }.Select(n => n.ToString(CultureInfo.InvariantCulture))])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        // Answers are handled on the thread that waits for the sockets: no hop to another thread per answer.
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        var load = new LoadProcess(Process.Start(start)!);
        try
        {
            if (await load.LineAsync(cancellationToken) != "ready")
                throw new InvalidOperationException("The load process did not come up.");
            return load;
        }
        catch
        {
            await load.DisposeAsync();
            throw;
        }
    }

    private async Task<string> LineAsync(CancellationToken cancellationToken) =>
        await _process.StandardOutput.ReadLineAsync(cancellationToken) ?? throw new InvalidOperationException("The load process has ended; what it said is above.");

    /// <summary>The process itself.</summary>
    public static async Task<int> ServeAsync(string[] arguments)
    {
        var isMqtt = arguments[0] == "mqtt";
        var numbers = Array.ConvertAll(arguments[1..], text => int.Parse(text, CultureInfo.InvariantCulture));
        var (port, count, devices) = (numbers[0], numbers[1], numbers[2]);
        var connections = Enumerable.Range(0, count).Select(c => new LoadConnection(
            [.. Enumerable.Range(0, Slots).Select(slot => isMqtt
                ? Samples.Publish(DeviceOf(c, slot, count, devices), slot, (ushort)(slot + 1))
                : Samples.Post(DeviceOf(c, slot, count, devices), slot, HostUnderTest.AdminKey))],
            isMqtt ? MqttAnswers.Read : HttpAnswers.Read)).ToList();
        for (var c = 0; c < count; c++)
            await connections[c].OpenAsync(port, isMqtt ? Samples.Connect($"load-{c}", "admin", HostUnderTest.AdminKey) : [], MqttAnswers.Welcome);
        Console.WriteLine("ready");
        while (await Console.In.ReadLineAsync() is { } line)
            Console.WriteLine(JsonSerializer.Serialize(await CarryOutAsync(JsonSerializer.Deserialize<LoadOrder>(line)!, connections)));
        return 0;
    }

    private static int DeviceOf(int connection, int slot, int connections, int devices) =>
        connection % devices + slot % Math.Max(1, devices / connections) * connections;

    private static async Task<LoadResult> CarryOutAsync(LoadOrder order, IReadOnlyList<LoadConnection> connections)
    {
        foreach (var connection in connections)
            connection.Reset();
        using var self = Process.GetCurrentProcess();
        var cpu = self.TotalProcessorTime;
        var started = Stopwatch.GetTimestamp();
        var answered = order.PerSecond > 0 ? await PaceAsync(order, connections) : await RaceAsync(order, connections);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        self.Refresh();
        var latencies = new LatencyHistogram();
        foreach (var connection in connections)
            latencies.AddAll(connection.Latencies);
        return new LoadResult(
            answered, seconds, latencies.QuantileMs(0.5), latencies.QuantileMs(0.99), latencies.MaxMs, started, (self.TotalProcessorTime - cpu).TotalSeconds);
    }

    private static async Task<long> RaceAsync(LoadOrder order, IReadOnlyList<LoadConnection> connections)
    {
        var left = order.Messages > 0 ? order.Messages : long.MaxValue;
        var claimed = 0L;
        var end = EndOf(order);
        await Task.WhenAll(connections.Select(connection => connection.RunAsync(order.InFlight, Claim)));
        return Interlocked.Read(ref claimed);

        int Claim(int wanted)
        {
            if (Stopwatch.GetTimestamp() >= end)
                return 0;
            var given = (int)Math.Clamp(Interlocked.Add(ref left, -wanted) + wanted, 0, wanted);
            Interlocked.Add(ref claimed, given);
            return given;
        }
    }

    /// <summary>Each message has a time at which it is due, whatever became of those before it.</summary>
    private static async Task<long> PaceAsync(LoadOrder order, IReadOnlyList<LoadConnection> connections)
    {
        using var done = new CancellationTokenSource();
        var receiving = Task.WhenAll(connections.Select(connection => connection.ReceiveAsync(done.Token)));
        var total = await SendAsync();
        while (!receiving.IsCompleted && !connections.All(connection => connection.IsAnswered))
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None);
        await done.CancelAsync();
        await receiving;
        return total;

        async Task<long> SendAsync()
        {
            var ticksApart = Stopwatch.Frequency * connections.Count / order.PerSecond;
            var start = Stopwatch.GetTimestamp();
            var end = EndOf(order);
            var sent = new long[connections.Count];
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1), TimeProvider.System);
            while (await timer.WaitForNextTickAsync())
            {
                var now = Math.Min(Stopwatch.GetTimestamp(), end);
                for (var c = 0; c < connections.Count; c++)
                {
                    // The connections take turns: shifted against each other by a part of their period.
                    var origin = start + ticksApart * c / connections.Count;
                    var due = (int)((now - origin) / ticksApart) - sent[c];
                    if (due > 0)
                        sent[c] += await connections[c].SendDueAsync((int)due, (long)(origin + sent[c] * ticksApart), ticksApart);
                }
                if (now == end)
                    return sent.Sum();
            }
            return sent.Sum();
        }
    }

    private static long EndOf(LoadOrder order) =>
        order.Seconds > 0 ? Stopwatch.GetTimestamp() + (long)(order.Seconds * Stopwatch.Frequency) : long.MaxValue;
}
