using System.Globalization;
using System.Net.Sockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>
/// A client that publishes numbers from 1 on with a session that lasts, and does what the specification wants of it whenever it is cut
/// off: what was not acknowledged it sends again, in order, under the same packet ids.
/// </summary>
internal sealed class LastingPublisher(Platform platform, string user, string password, string clientId, int qos, Func<int, (string Topic, string Payload)> messageOf, bool retain = false) : IDisposable
{
    private const int MostInFlight = 40;

    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly LinkedList<Sent> _inFlight = [];
    private bool _hasSession;
    private int _sent;
    private int _acknowledged;

    private sealed record Sent(int Number, ushort PacketId)
    {
        public bool IsReceived { get; set; }
    }

    public int Last => Volatile.Read(ref _sent);

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>What it may never see.</summary>
    public string? Fault { get; private set; }

    /// <summary>Until it is to stop and everything is acknowledged.</summary>
    public async Task RunAsync()
    {
        while (Fault is null && !(_stop.IsCancellationRequested && _inFlight.Count == 0))
        {
            try
            {
                await using var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
                await ServeAsync(peer);
            }
            catch (Exception exception) when (exception is IOException or SocketException or TimeoutException)
            {
                // Cut off: on with it.
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public void Stop() => _stop.Cancel();

    public void Dispose() => _stop.Dispose();

    private async Task ServeAsync(MqttPeer peer)
    {
        await peer.SendAsync(peer.ConnectPacket(clientId, false, 0, Prop.SessionExpiry(3600), null, user, password));
        if (await peer.ReadAsync() is not { Kind: Kind.ConnAck, Code: 0 } answer)
            return;
        if (_hasSession && !answer.IsSessionPresent)
            Fault ??= $"{clientId} has lost its session";
        _hasSession = true;
        foreach (var sent in _inFlight)
            await peer.SendAsync(sent.IsReceived ? MqttPeer.Ack(0x62, sent.PacketId) : PacketOf(peer, sent, dup: true));
        while (Fault is null)
        {
            while (_inFlight.Count < MostInFlight && !_stop.IsCancellationRequested)
            {
                var next = new Sent(_sent + 1, (ushort)(_sent % ushort.MaxValue + 1));
                _inFlight.AddLast(next);
                Volatile.Write(ref _sent, next.Number);
                await peer.SendAsync(PacketOf(peer, next, dup: false));
            }
            if (_inFlight.Count == 0)
            {
                await peer.DisconnectAsync();
                return;
            }
            if (await peer.ReadAsync() is not { } packet)
                return;
            await HandleAsync(peer, packet);
        }
    }

    private async Task HandleAsync(MqttPeer peer, Packet packet)
    {
        if (packet.Kind == Kind.Disconnect)
            return;
        var sent = _inFlight.FirstOrDefault(sent => sent.PacketId == packet.Id);
        // 0x10: nobody is subscribed. 0x92: released before the cut, which the answer did not survive.
        if (packet.Code is not (0 or 0x10) && (packet.Kind, packet.Code) != (Kind.PubComp, 0x92))
            Fault ??= $"{clientId}: {packet}";
        else if (sent is null)
            Fault ??= $"{clientId}: {packet} for nothing that is under way";
        else if (packet.Kind == Kind.PubRec)
        {
            sent.IsReceived = true;
            await peer.SendAsync(MqttPeer.Ack(0x62, sent.PacketId));
        }
        else
        {
            _inFlight.Remove(sent);
            Volatile.Write(ref _acknowledged, _acknowledged + 1);
        }
    }

    private byte[] PacketOf(MqttPeer peer, Sent sent, bool dup)
    {
        var (topic, payload) = messageOf(sent.Number);
        return peer.PublishPacket(topic, payload, qos, retain, dup, id: sent.PacketId);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{clientId}: {Last} sent, {Acknowledged} acknowledged");
}
