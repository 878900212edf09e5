using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace IoT.Benchmarks.Broker;

/// <summary>What the crowd is to do: a line of JSON on its stdin.</summary>
/// <param name="Connections">To be opened first.</param>
/// <param name="Filters">Subscribed to by each connection; {0} its number, {1} the filter's.</param>
/// <param name="FiltersEach">How many of them.</param>
/// <param name="Publishes">Then published, one after the other, to <see cref="Topic"/>, which all are subscribed to.</param>
internal sealed record CrowdOrder(int Connections, string? Filters, int FiltersEach, byte Qos, string? Topic, int Publishes);

/// <param name="ConnectSeconds">To open all connections, CONNACK and all.</param>
/// <param name="FanOutSeconds">From the first publish to the last delivery.</param>
internal sealed record CrowdResult(double ConnectSeconds, double FanOutSeconds, long Deliveries);

/// <summary>Many clients that mostly listen, in a process of their own; it ends with its stdin, and they with it.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    public const string Role = "crowd";

    private const int Openers = 64;
    private const int PayloadBytes = 200;

    // Publishes under way at once: enough for no broker to wait for the load.
    private const int Window = 20;

    private readonly Process _process;

    private Crowd(Process process) => _process = process;

    public static Crowd Start(int port)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Crowd).Assembly.Location, Role, port.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        return new Crowd(Process.Start(start)!);
    }

    public async Task<CrowdResult> RunAsync(CrowdOrder order, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(order).AsMemory(), cancellationToken);
        var line = await _process.StandardOutput.ReadLineAsync(cancellationToken) ?? throw new InvalidOperationException("The crowd has ended; what it said is above.");
        return JsonSerializer.Deserialize<CrowdResult>(line)!;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    /// <summary>The process itself.</summary>
    public static async Task<int> ServeAsync(string[] arguments)
    {
        var port = int.Parse(arguments[0], CultureInfo.InvariantCulture);
        var all = new List<Subscriber>();
        while (await Console.In.ReadLineAsync() is { } line)
            Console.WriteLine(JsonSerializer.Serialize(await CarryOutAsync(JsonSerializer.Deserialize<CrowdOrder>(line)!, port, all)));
        return 0;
    }

    private static async Task<CrowdResult> CarryOutAsync(CrowdOrder order, int port, List<Subscriber> all)
    {
        var opened = new Subscriber[order.Connections];
        var next = -1;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Openers).Select(_ => OpenAsync()));
        var connectSeconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        if (order.Filters is { } pattern)
        {
            for (var c = 0; c < opened.Length; c++)
                await opened[c].SubscribeAsync([.. Enumerable.Range(0, order.FiltersEach).Select(f => string.Format(CultureInfo.InvariantCulture, pattern, all.Count + c, f))], order.Qos);
        }
        all.AddRange(opened);
        return order.Publishes == 0 ? new CrowdResult(connectSeconds, 0, 0) : await FanOutAsync(order, port, opened) with { ConnectSeconds = connectSeconds };

        async Task OpenAsync()
        {
            while (Interlocked.Increment(ref next) is var c && c < opened.Length)
            {
                opened[c] = new Subscriber();
                await opened[c].ConnectAsync(port, string.Create(CultureInfo.InvariantCulture, $"crowd-{all.Count + c}"));
            }
        }
    }

    private static async Task<CrowdResult> FanOutAsync(CrowdOrder order, int port, Subscriber[] subscribers)
    {
        using var publisher = new Subscriber();
        await publisher.ConnectAsync(port, "crowd-publisher");
        var answers = publisher.ReceiveAsync(_ => { });
        var deliveries = 0L;
        using var came = new SemaphoreSlim(0);
        var wanted = 0L;
        var receiving = Task.WhenAll(subscribers.Select(s => s.ReceiveAsync(count =>
        {
            if (Interlocked.Add(ref deliveries, count) is var now && now >= Volatile.Read(ref wanted) && now - count < Volatile.Read(ref wanted))
                came.Release();
        })));
        var packet = Subscriber.Publish(order.Topic!, PayloadBytes, order.Qos, 1);
        var started = Stopwatch.GetTimestamp();
        for (var sent = 0; sent < order.Publishes; sent += Window)
        {
            var count = Math.Min(Window, order.Publishes - sent);
            // The half of a window before may still be on its way.
            Volatile.Write(ref wanted, Math.Max(0L, sent - Window / 2) * subscribers.Length);
            await publisher.SendAsync(new ReadOnlyMemory<byte>([.. Enumerable.Repeat(packet, count).SelectMany(p => p)]));
            await UntilAsync();
        }
        Volatile.Write(ref wanted, (long)order.Publishes * subscribers.Length);
        await UntilAsync();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        if (answers.IsCompleted || receiving.IsCompleted)
            await Task.WhenAll(answers, receiving);
        return new CrowdResult(0, seconds, Volatile.Read(ref deliveries));

        async Task UntilAsync()
        {
            using var enough = new CancellationTokenSource(TimeSpan.FromMinutes(2), TimeProvider.System);
            while (Volatile.Read(ref deliveries) < Volatile.Read(ref wanted))
                await came.WaitAsync(TimeSpan.FromMilliseconds(50), enough.Token);
        }
    }
}
