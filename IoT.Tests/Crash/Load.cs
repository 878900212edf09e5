using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>
/// Clients that send until they are stopped and connect again whenever they are cut off: over MQTT pipelined, as devices and as an
/// admin for several; over HTTP in batches. A number that was not acknowledged is not sent again, so that a second copy of it in the
/// database is the platform's doing.
/// </summary>
internal sealed class Load : IAsyncDisposable
{
    private const int MostInFlight = 500;
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(20);

    private readonly Platform _platform;
    private readonly List<Numbers> _devices = [];
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly ConcurrentQueue<string> _faults = new();
    private readonly int _seed;
    private Task _running = Task.CompletedTask;

    private Load(Platform platform, int seed) => (_platform, _seed) = (platform, seed);

    public IReadOnlyList<Numbers> Devices => _devices;

    public int Acknowledged => _devices.Sum(d => d.AcknowledgedCount);

    /// <summary>What a client saw that no crash excuses: a refusal, an acknowledgement out of order.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    public static async Task<Load> StartAsync(Platform platform, int seed)
    {
        var load = new Load(platform, seed);
        for (var i = 0; i < 8; i++)
            load._devices.Add(new Numbers(await platform.NewDeviceAsync("crash")));
        load.Resume();
        return load;
    }

    public void Resume()
    {
        var d = _devices;
        _running = Task.WhenAll(
            MqttAsync(d[0].Device.Id, d[0].Device.Token, [d[0]], 1),
            MqttAsync(d[1].Device.Id, d[1].Device.Token, [d[1]], 2),
            MqttAsync("admin", Platform.AdminKey, [d[2], d[3], d[4]], 3),
            HttpAsync(d[5].Device.Token, [d[5]], 4),
            HttpAsync(Platform.AdminKey, [d[6], d[7]], 5));
    }

    /// <summary>Waits for so many more acknowledgements.</summary>
    public Task MoreAsync(int count, string when)
    {
        var goal = Acknowledged + count;
        return Eventually.TrueAsync(() => Task.FromResult(Acknowledged >= goal), $"{count} acknowledgements {when}", TimeSpan.FromSeconds(180));
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task MqttAsync(string user, string password, Numbers[] devices, int client)
    {
        var random = new Random(_seed + client);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var pipe = await MqttPipe.ConnectAsync(_platform.MqttPort, user, password, _stop.Token);
                await PublishAsync(pipe, devices, random);
            }
            catch (Exception e) when (IsCut(e))
            {
                // Nothing is promised of what was in flight.
            }
            await PauseAsync(Between);
        }
    }

    private async Task PublishAsync(MqttPipe pipe, Numbers[] devices, Random random)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var window = new SemaphoreSlim(MostInFlight);
        var inFlight = new ConcurrentQueue<(ushort PacketId, Numbers Device, int Number)>();
        var receiving = ReceiveAsync(pipe, inFlight, window, ended);
        try
        {
            for (ushort packetId = 0; ;)
            {
                for (var burst = random.Next(1, 40); burst > 0; burst--)
                {
                    await window.WaitAsync(ended.Token);
                    packetId = packetId == ushort.MaxValue ? (ushort)1 : (ushort)(packetId + 1);
                    var device = devices[random.Next(devices.Length)];
                    var number = device.Next();
                    inFlight.Enqueue((packetId, device, number));
                    await pipe.PublishAsync(device.Device.Topic, device.Body(number), packetId, ended.Token);
                }
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(40)), TimeProvider.System, ended.Token);
            }
        }
        finally
        {
            await ended.CancelAsync();
            await receiving;
        }
    }

    private async Task ReceiveAsync(MqttPipe pipe, ConcurrentQueue<(ushort PacketId, Numbers Device, int Number)> inFlight, SemaphoreSlim window, CancellationTokenSource ended)
    {
        try
        {
            while (await pipe.AcknowledgementAsync(ended.Token) is { } answer)
            {
                if (!inFlight.TryDequeue(out var sent) || sent.PacketId != answer.PacketId)
                    _faults.Enqueue($"PUBACK {answer.PacketId} where {sent.PacketId} was due");
                else if (answer.Code != 0)
                    _faults.Enqueue($"PUBACK with code {answer.Code:x2} for {sent.Device.Device.Id}/{sent.Number}");
                else
                    sent.Device.Acknowledge(sent.Number);
                window.Release();
            }
        }
        catch (Exception e) when (IsCut(e))
        {
            // The sender ends with it.
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    private async Task HttpAsync(string token, Numbers[] devices, int client)
    {
        var random = new Random(_seed + client);
        var http = _platform.As(token);
        while (!_stop.IsCancellationRequested)
        {
            var sent = Enumerable.Range(0, random.Next(1, 20)).Select(_ => devices[random.Next(devices.Length)]).Select(d => (Device: d, Number: d.Next())).ToList();
            try
            {
                using var body = new StringContent(string.Join('\n', sent.Select(s => s.Device.Body(s.Number))), Encoding.UTF8, "application/x-ndjson");
                using var answer = await http.PostAsync(new Uri("/api/v1/data", UriKind.Relative), body, _stop.Token);
                if (answer.IsSuccessStatusCode)
                    sent.ForEach(s => s.Device.Acknowledge(s.Number));
                else if (answer.StatusCode != HttpStatusCode.TooManyRequests && (int)answer.StatusCode < 500)
                    _faults.Enqueue($"HTTP {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(_stop.Token)}");
            }
            catch (Exception e) when (IsCut(e))
            {
                await PauseAsync(Between);
            }
            await PauseAsync(TimeSpan.FromMilliseconds(random.Next(40)));
        }
    }

    private async Task PauseAsync(TimeSpan time)
    {
        try
        {
            await Task.Delay(time, TimeProvider.System, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private static bool IsCut(Exception exception) => exception is IOException or SocketException or HttpRequestException or OperationCanceledException or ObjectDisposedException;
}
