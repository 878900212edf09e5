using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>An MQTT 5 connection byte by byte: what a client library would do by itself is left to the test.</summary>
internal sealed class RawMqtt : IAsyncDisposable
{
    private readonly TcpClient _client = new() { NoDelay = true };
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;
    private int _lastId;
    private int _acknowledged;
    private int _refused;
    private int _pings;

    /// <summary>PUBACKs that came in.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>Those of them that said no.</summary>
    public int Refused => Volatile.Read(ref _refused);

    public int PingResponses => Volatile.Read(ref _pings);

    /// <summary>Reason codes of DISCONNECTs.</summary>
    public ConcurrentQueue<byte> Disconnects { get; } = new();

    /// <summary>When the platform has closed the connection.</summary>
    public Task Ended => _ended.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);

    public bool HasEnded => _ended.Task.IsCompleted;

    private NetworkStream Stream => _client.GetStream();

    /// <summary>Without CONNECT.</summary>
    public static async Task<RawMqtt> OpenAsync(Platform platform)
    {
        var mqtt = new RawMqtt();
        await mqtt._client.ConnectAsync(IPAddress.Loopback, platform.MqttPort, TestContext.Current.CancellationToken);
        return mqtt;
    }

    /// <param name="user">Null: none, and no password.</param>
    public static async Task<RawMqtt> ConnectAsync(Platform platform, string? user, string? password, ushort keepAliveSeconds)
    {
        var mqtt = await OpenAsync(platform);
        byte[] body =
        [
            .. Text("MQTT"), 5, (byte)(user is null ? 0x02 : 0xC2), (byte)(keepAliveSeconds >> 8), (byte)keepAliveSeconds, 0,
            .. Text(Platform.NewId("raw")), .. user is null ? [] : Text(user), .. password is null ? [] : Text(password),
        ];
        await mqtt.WriteAsync(Packet(0x10, body));
        Assert.Equal((byte?)0x20, (await ReadPacketAsync(mqtt.Stream))?.Header);
        mqtt._reading = mqtt.ReadAsync();
        return mqtt;
    }

    public Task PublishAsync(string topic, params IEnumerable<string> payloads) =>
        WriteAsync([.. payloads.SelectMany(payload => Packet(0x32, [.. Text(topic), .. Id(), 0, .. Encoding.UTF8.GetBytes(payload)]))]);

    public Task PingAsync() => WriteAsync([0xC0, 0]);

    public Task WriteAsync(byte[] bytes) => Stream.WriteAsync(bytes, TestContext.Current.CancellationToken).AsTask();

    /// <summary>Until the platform closes the connection, without having sent CONNECT; whether it did so without a word.</summary>
    public async Task<bool> IsClosedSilentlyAsync() => await ReadPacketAsync(Stream) is null;

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _reading;
    }

    private static byte[] Packet(byte header, byte[] body)
    {
        var length = body.Length;
        List<byte> packet = [header];
        do
        {
            packet.Add((byte)(length & 127 | (length > 127 ? 128 : 0)));
            length >>= 7;
        }
        while (length > 0);
        return [.. packet, .. body];
    }

    private static byte[] Text(string text) => [(byte)(text.Length >> 8), (byte)text.Length, .. Encoding.ASCII.GetBytes(text)];

    private byte[] Id()
    {
        _lastId = _lastId % 65_535 + 1;
        return [(byte)(_lastId >> 8), (byte)_lastId];
    }

    private async Task ReadAsync()
    {
        while (await ReadPacketAsync(Stream) is var (header, body))
        {
            switch (header)
            {
                case 0x40:
                    if (body.Length > 2 && body[2] >= 0x80)
                        Interlocked.Increment(ref _refused);
                    Interlocked.Increment(ref _acknowledged);
                    break;
                case 0xD0:
                    Interlocked.Increment(ref _pings);
                    break;
                case 0xE0:
                    Disconnects.Enqueue(body[0]);
                    break;
            }
        }
        _ended.TrySetResult();
    }

    private static async Task<(byte Header, byte[] Body)?> ReadPacketAsync(NetworkStream stream)
    {
        try
        {
            var one = new byte[1];
            await stream.ReadExactlyAsync(one);
            var header = one[0];
            var length = 0;
            var shift = 0;
            do
            {
                await stream.ReadExactlyAsync(one);
                length |= (one[0] & 127) << shift;
                shift += 7;
            }
            while (one[0] >= 128);
            var body = new byte[length];
            await stream.ReadExactlyAsync(body);
            return (header, body);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            return null;
        }
    }
}
