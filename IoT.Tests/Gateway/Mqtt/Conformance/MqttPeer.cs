using System.Net.Sockets;
using System.Text;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>A will as CONNECT has it.</summary>
public sealed record Will(string Topic, string Payload = "gone", int Qos = 0, bool IsRetain = false, byte[]? Properties = null);

/// <summary>
/// The client's end of a connection: every packet is written and read as bytes; nothing is sent again, acknowledged or answered that a
/// test did not ask for.
/// </summary>
public sealed class MqttPeer(Stream stream, int version) : IAsyncDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(15);
    private static readonly string Run = Guid.NewGuid().ToString("N")[..6];
    private static int _lastName;

    // Packets that came while another kind was waited for.
    private readonly List<Packet> _inbox = [];
    private ushort _lastId;

    public int Version => version;

    public Packet? ConnAck { get; private set; }

    /// <summary>No other test, and no other run, has it.</summary>
    public static string NewName(string what) => $"{what}-{Run}-{Interlocked.Increment(ref _lastName)}";

    public static async Task<MqttPeer> OpenAsync(string host, int port, int version)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(host, port, TestContext.Current.CancellationToken);
        return new MqttPeer(client.GetStream(), version);
    }

    public byte[] ConnectPacket(string id, bool clean, ushort keepAlive, byte[]? properties, Will? will, string? user = null, string? password = null)
    {
        var flags = (clean ? 2 : 0) | (will is null ? 0 : 4 | will.Qos << 3 | (will.IsRetain ? 32 : 0)) | (password is null ? 0 : 64) | (user is null ? 0 : 128);
        byte[] body = [.. Bytes.Text(id)];
        if (will is not null)
            body = [.. body, .. PropertyList(will.Properties), .. Bytes.Text(will.Topic), .. Bytes.Text(will.Payload)];
        if (user is not null)
            body = [.. body, .. Bytes.Text(user)];
        if (password is not null)
            body = [.. body, .. Bytes.Text(password)];
        return Bytes.Connect(version, (byte)flags, keepAlive, [.. PropertyList(properties), .. body]);
    }

    /// <summary>CONNECT, and the CONNACK that answers it, whatever it says.</summary>
    public async Task<Packet> ConnectAsync(
        string id, bool clean = true, ushort keepAlive = 0, byte[]? properties = null, Will? will = null, string? user = null, string? password = null)
    {
        await SendAsync(ConnectPacket(id, clean, keepAlive, properties, will, user, password));
        return ConnAck = await NextAsync(Kind.ConnAck);
    }

    public ushort NextId() => ++_lastId;

    public byte[] PublishPacket(string topic, string payload, int qos = 0, bool retain = false, bool dup = false, ushort id = 0, byte[]? properties = null) =>
        PublishPacket(topic, Encoding.UTF8.GetBytes(payload), qos, retain, dup, id, properties);

    public byte[] PublishPacket(string topic, byte[] payload, int qos = 0, bool retain = false, bool dup = false, ushort id = 0, byte[]? properties = null) =>
        Bytes.Packet(
            (byte)(0x30 | (dup ? 8 : 0) | qos << 1 | (retain ? 1 : 0)),
            [.. Bytes.Text(topic), .. qos > 0 ? Bytes.TwoBytes(id) : [], .. PropertyList(properties), .. payload]);

    /// <summary>The whole exchange; answers the reason code of what refused or finished it. Of QoS 0: once the broker has handled it.</summary>
    public async Task<byte> PublishAsync(string topic, string payload = "x", int qos = 0, bool retain = false, byte[]? properties = null)
    {
        var id = qos > 0 ? NextId() : (ushort)0;
        await SendAsync(PublishPacket(topic, payload, qos, retain, id: id, properties: properties));
        switch (qos)
        {
            case 0:
                await PingAsync();
                return 0;
            case 1:
                var ack = await WaitAsync(Kind.PubAck);
                Assert.Equal(id, ack.Id);
                return ack.Code;
            default:
                var received = await WaitAsync(Kind.PubRec);
                Assert.Equal(id, received.Id);
                if (received.Code >= 0x80)
                    return received.Code;
                await SendAsync(Ack(0x62, id));
                var complete = await WaitAsync(Kind.PubComp);
                Assert.Equal(id, complete.Id);
                return complete.Code;
        }
    }

    public byte[] SubscribePacket(ushort id, byte[]? properties, params (string Filter, int Options)[] filters) =>
        Bytes.Packet(0x82, [.. Bytes.TwoBytes(id), .. PropertyList(properties), .. filters.SelectMany(f => Bytes.Text(f.Filter).Append((byte)f.Options))]);

    /// <summary>Its reason code.</summary>
    public async Task<byte> SubscribeAsync(string filter, int options = 0, byte[]? properties = null) =>
        Assert.Single((await SubscribeAllAsync(properties, (filter, options))).Codes);

    public async Task<Packet> SubscribeAllAsync(byte[]? properties, params (string Filter, int Options)[] filters)
    {
        var id = NextId();
        await SendAsync(SubscribePacket(id, properties, filters));
        var ack = await WaitAsync(Kind.SubAck);
        Assert.Equal(id, ack.Id);
        return ack;
    }

    public async Task<Packet> UnsubscribeAsync(params string[] filters)
    {
        var id = NextId();
        await SendAsync(Bytes.Packet(0xA2, [.. Bytes.TwoBytes(id), .. PropertyList(null), .. filters.SelectMany(Bytes.Text)]));
        var ack = await WaitAsync(Kind.UnsubAck);
        Assert.Equal(id, ack.Id);
        return ack;
    }

    public async Task PingAsync()
    {
        await SendAsync(0xC0, 0);
        await WaitAsync(Kind.PingResp);
    }

    public async Task DisconnectAsync(byte code = 0, byte[]? properties = null)
    {
        await SendAsync(version < 5 || (code == 0 && properties is null) ? [0xE0, 0] : Bytes.Packet(0xE0, [code, .. PropertyList(properties)]));
        Assert.Null(await EndAsync());
    }

    /// <summary>PUBACK, PUBREC, PUBREL (0x62) or PUBCOMP.</summary>
    public static byte[] Ack(byte header, ushort id) => Bytes.Packet(header, Bytes.TwoBytes(id));

    /// <summary>The next message, acknowledged to the end.</summary>
    public async Task<Message> ReceiveAsync()
    {
        var message = (await WaitAsync(Kind.Publish)).ToMessage();
        await AcknowledgeAsync(message);
        return message;
    }

    /// <summary>The next message, not acknowledged.</summary>
    public async Task<Message> ReceiveOnlyAsync() => (await WaitAsync(Kind.Publish)).ToMessage();

    public async Task AcknowledgeAsync(Message message)
    {
        if (message.Qos == 1)
        {
            await SendAsync(Ack(0x40, message.Id));
        }
        else if (message.Qos == 2)
        {
            await SendAsync(Ack(0x50, message.Id));
            Assert.Equal(message.Id, (await WaitAsync(Kind.PubRel)).Id);
            await SendAsync(Ack(0x70, message.Id));
        }
    }

    /// <summary>
    /// Every message that is on its way to this client: it sends one to itself, which arrives behind them. Acknowledges none of them.
    /// </summary>
    public async Task<List<Message>> CollectAsync()
    {
        var fence = NewName("fence");
        Assert.Equal(0, await SubscribeAsync(fence));
        await SendAsync(PublishPacket(fence, "fence"));
        var messages = new List<Message>();
        while (await ReceiveOnlyAsync() is var message && message.Topic != fence)
            messages.Add(message);
        return messages;
    }

    /// <summary>The texts of <see cref="CollectAsync"/>.</summary>
    public async Task<string[]> CollectTextsAsync() => [.. (await CollectAsync()).Select(message => message.Text)];

    /// <summary>A closed connection is what some tests wait for; they see it when they read.</summary>
    public async Task SendAsync(params byte[] bytes)
    {
        try
        {
            await stream.WriteAsync(bytes, TestContext.Current.CancellationToken);
        }
        catch (Exception exception) when (exception is IOException or System.Net.WebSockets.WebSocketException)
        {
            // Closed by the broker.
        }
    }

    /// <summary>The very next packet, which must be of that kind.</summary>
    public async Task<Packet> NextAsync(Kind kind)
    {
        var packet = await ReadAsync();
        Assert.True(packet is not null, $"The connection was closed instead of a {kind}.");
        Assert.True(packet.Kind == kind, $"{packet} instead of a {kind}.");
        return packet;
    }

    /// <summary>The next packet of that kind; others are kept in their order.</summary>
    public async Task<Packet> WaitAsync(Kind kind)
    {
        if (_inbox.FindIndex(p => p.Kind == kind) is var found and >= 0)
        {
            var packet = _inbox[found];
            _inbox.RemoveAt(found);
            return packet;
        }
        while (true)
        {
            var packet = await ReadFromStreamAsync(kind.ToString());
            Assert.True(packet is not null, $"The connection was closed instead of a {kind}{(_inbox.Count > 0 ? $", after {_inbox[^1]}" : "")}.");
            if (packet.Kind == kind)
                return packet;
            _inbox.Add(packet);
        }
    }

    /// <summary>Whether such a packet came while another was waited for.</summary>
    public bool HasReceived(Kind kind) => _inbox.Exists(packet => packet.Kind == kind);

    /// <summary>The very next packet; null: the connection is closed.</summary>
    public async Task<Packet?> ReadAsync()
    {
        if (_inbox.Count == 0)
            return await ReadFromStreamAsync("a packet or the end");
        var packet = _inbox[0];
        _inbox.RemoveAt(0);
        return packet;
    }

    /// <summary>Until the broker closes the connection; the code of the DISCONNECT or refusing CONNACK before it, null when there was none.</summary>
    /// <param name="closesItsSide">As a client does that has read DISCONNECT.</param>
    public async Task<byte?> EndAsync(bool closesItsSide = true)
    {
        byte? code = null;
        while (await ReadAsync() is { } packet)
        {
            if (packet.Kind == Kind.Disconnect || (packet.Kind == Kind.ConnAck && packet.Code != 0))
                code = packet.Code;
            if (closesItsSide && packet.Kind == Kind.Disconnect && stream is NetworkStream { Socket: var socket })
                ShutDown(socket);
        }
        return code;

        static void ShutDown(Socket socket)
        {
            try
            {
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // Closed by the broker already.
            }
        }
    }

    /// <summary>Without DISCONNECT.</summary>
    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private byte[] PropertyList(byte[]? properties) => version < 5 ? [] : Bytes.PropertyList(properties ?? []);

    private async Task<Packet?> ReadFromStreamAsync(string what)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        enough.CancelAfter(LongestWait);
        try
        {
            var one = new byte[1];
            await stream.ReadExactlyAsync(one, enough.Token);
            var header = one[0];
            var length = 0;
            var shift = 0;
            do
            {
                await stream.ReadExactlyAsync(one, enough.Token);
                length |= (one[0] & 127) << shift;
                shift += 7;
            }
            while (one[0] >= 128);
            var body = new byte[length];
            await stream.ReadExactlyAsync(body, enough.Token);
            return new Packet(header, body, version);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or System.Net.WebSockets.WebSocketException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Not within {LongestWait.TotalSeconds} s: {what}");
        }
    }
}
