using System.Net.Sockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>
/// A client with a session that lasts, which subscribes once, hangs up by itself now and then, and does with QoS 2 what the specification
/// wants: a packet id that it has seen is no new message until it is released.
/// </summary>
internal sealed class LastingSubscriber(Platform platform, string clientId, string filter, int qos, int seed) : IDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly HashSet<ushort> _seen = [];
    private readonly List<string> _texts = [];
    private readonly Random _random = new(seed);
    private MqttPeer? _peer;
    private bool _hasSession;

    /// <summary>Payloads in the order in which they were delivered, as the client's user sees them.</summary>
    public IReadOnlyList<string> Texts
    {
        get
        {
            lock (_texts)
                return [.. _texts];
        }
    }

    public string? Fault { get; private set; }

    /// <summary>Subscribes, on the session's first connection.</summary>
    public async Task SubscribeAsync()
    {
        await using var peer = await ConnectAsync() ?? throw new IOException("The subscriber is not let in.");
        Assert.Equal(qos, await peer.SubscribeAsync(filter, qos));
    }

    public async Task RunAsync()
    {
        while (Fault is null && !_stop.IsCancellationRequested)
        {
            try
            {
                await using var peer = await ConnectAsync();
                for (var patience = _random.Next(20, 2_000); peer is not null && patience > 0 && Fault is null && !_stop.IsCancellationRequested; patience--)
                {
                    if (await peer.ReadAsync() is not { Kind: not Kind.Disconnect } packet)
                        break;
                    await HandleAsync(peer, packet);
                }
            }
            catch (Exception exception) when (exception is IOException or SocketException or TimeoutException or ObjectDisposedException)
            {
                // Cut off, or nothing came for a while.
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        if (_peer is { } peer)
            await peer.DisposeAsync();
    }

    public void Dispose() => _stop.Dispose();

    private async Task<MqttPeer?> ConnectAsync()
    {
        _peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        await _peer.SendAsync(_peer.ConnectPacket(clientId, false, 0, Prop.SessionExpiry(3600), null, "admin", Platform.AdminKey));
        if (await _peer.ReadAsync() is not { Kind: Kind.ConnAck, Code: 0 } answer)
            return null;
        if (_hasSession && !answer.IsSessionPresent)
            Fault ??= $"{clientId} has lost its session";
        _hasSession = true;
        return _peer;
    }

    private async Task HandleAsync(MqttPeer peer, Packet packet)
    {
        if (packet.Kind == Kind.PubRel)
        {
            _seen.Remove(packet.Id);
            await peer.SendAsync(MqttPeer.Ack(0x70, packet.Id));
            return;
        }
        var message = packet.ToMessage();
        if (message.Qos != qos)
            Fault ??= $"{clientId}: a message of QoS {message.Qos}";
        if (qos == 1 || _seen.Add(message.Id))
        {
            lock (_texts)
                _texts.Add(message.Text);
        }
        await peer.SendAsync(MqttPeer.Ack(qos == 1 ? (byte)0x40 : (byte)0x50, message.Id));
    }
}
