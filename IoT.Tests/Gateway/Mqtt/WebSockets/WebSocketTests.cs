using System.Net;
using System.Net.WebSockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Gateway.Tls;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.WebSockets;

/// <summary>MQTT over WebSocket at <c>/mqtt</c>.</summary>
[Collection(nameof(TlsPlatform))]
public sealed class WebSocketTests(SharedPlatform platform, OpenPlatform open, TlsPlatform tls)
{
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_device_publishes_and_a_viewer_sees_it(int version)
    {
        var device = await platform.NewDeviceAsync();
        var (name, key) = await platform.NewKeyAsync("viewer");
        await using var viewer = Peer(await SocketAsync(platform), version);
        Assert.Equal(0, (await viewer.ConnectAsync("v", user: name, password: key)).Code);
        Assert.Equal(1, await viewer.SubscribeAsync(device.Topic, 1));
        await using var peer = Peer(await SocketAsync(platform), version);
        Assert.Equal(0, (await peer.ConnectAsync("c", user: device.Id, password: device.Token)).Code);
        Assert.Equal(0, await peer.PublishAsync(device.Topic, """{"data_type":"t","payload":{"x":1}}""", 1));
        Assert.Equal(device.Topic, (await viewer.ReceiveAsync()).Topic);
        Assert.Equal(1, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Over_Https_too()
    {
        var device = await tls.NewDeviceAsync();
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("mqtt");
        socket.Options.RemoteCertificateValidationCallback = (_, certificate, _, _) => tls.Authority.IsMine(certificate);
        await socket.ConnectAsync(new Uri($"wss://localhost:{tls.HttpsPort}/mqtt"), TestContext.Current.CancellationToken);
        await using var peer = Peer(socket, 5);
        Assert.Equal(0, (await peer.ConnectAsync("c", user: device.Id, password: device.Token)).Code);
    }

    [Fact]
    public async Task Packets_need_not_begin_and_end_with_frames()
    {
        using var socket = await SocketAsync(open);
        await using var peer = Peer(socket, 5);
        var topic = MqttPeer.NewName("ws");
        byte[] bytes =
        [
            .. peer.ConnectPacket(MqttPeer.NewName("c"), true, 0, null, null), .. peer.SubscribePacket(1, null, (topic, 1)),
            .. peer.PublishPacket(topic, "one", 1, id: 2), .. peer.PublishPacket(topic, new string('x', 100_000), 1, id: 3), 0xC0, 0,
        ];
        // Byte by byte, as fragments of one message; empty ones; then all the rest in one.
        foreach (var one in bytes[..20])
            await socket.SendAsync(new[] { one }, WebSocketMessageType.Binary, endOfMessage: false, TestContext.Current.CancellationToken);
        await socket.SendAsync(ReadOnlyMemory<byte>.Empty, WebSocketMessageType.Binary, endOfMessage: true, TestContext.Current.CancellationToken);
        await socket.SendAsync(ReadOnlyMemory<byte>.Empty, WebSocketMessageType.Binary, endOfMessage: true, TestContext.Current.CancellationToken);
        await socket.SendAsync(bytes.AsMemory(20), WebSocketMessageType.Binary, endOfMessage: true, TestContext.Current.CancellationToken);
        Assert.Equal(0, (await peer.NextAsync(Kind.ConnAck)).Code);
        await peer.WaitAsync(Kind.PingResp);
        Assert.Equal("one", (await peer.ReceiveAsync()).Text);
        Assert.Equal(100_000, (await peer.ReceiveAsync()).Text.Length);
    }

    [Fact]
    public async Task A_text_frame_ends_the_connection()
    {
        using var socket = await SocketAsync(open);
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken);
        Assert.Equal(WebSocketCloseStatus.InvalidMessageType, await CloseStatusAsync(socket));
    }

    [Fact]
    public async Task Malformed_packets_and_a_second_CONNECT_end_the_connection()
    {
        foreach (var bytes in new[] { new byte[] { 0x36, 0 }, Bytes.Connect(5, 2, 0, 0, 0, 0) })
        {
            await using var peer = Peer(await SocketAsync(open), 5);
            Assert.Equal(0, (await peer.ConnectAsync("")).Code);
            await peer.SendAsync(bytes);
            await peer.EndAsync();
        }
    }

    [Fact]
    public async Task Before_sign_in_only_a_small_CONNECT_is_read()
    {
        foreach (var hex in new[] { "C000", "10FFFFFFFF", "10FFFFFF7F" })
        {
            await using var peer = Peer(await SocketAsync(open), 5);
            await peer.SendAsync(Bytes.Hex(hex));
            Assert.Null(await peer.ReadAsync());
        }
    }

    [Fact]
    public async Task DISCONNECT_closes_the_WebSocket_too()
    {
        using var socket = await SocketAsync(open);
        await using var peer = Peer(socket, 5);
        Assert.Equal(0, (await peer.ConnectAsync("")).Code);
        await peer.DisconnectAsync();
        Assert.Equal(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
    }

    [Fact]
    public async Task A_close_frame_without_DISCONNECT_publishes_the_will()
    {
        var topic = MqttPeer.NewName("will");
        await using var watcher = Peer(await SocketAsync(open), 5);
        await watcher.ConnectAsync("");
        await watcher.SubscribeAsync(topic);
        using var socket = await SocketAsync(open);
        await using var peer = Peer(socket, 5);
        await peer.ConnectAsync("", will: new Will(topic));
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, TestContext.Current.CancellationToken);
        Assert.Equal(topic, (await watcher.ReceiveAsync()).Topic);
    }

    [Fact]
    public async Task A_device_that_is_deleted_is_disconnected()
    {
        var device = await platform.NewDeviceAsync();
        await using var peer = Peer(await SocketAsync(platform), 5);
        Assert.Equal(0, (await peer.ConnectAsync("c", user: device.Id, password: device.Token)).Code);
        using var deleted = await platform.Client.DeleteAsync(new Uri($"/api/v1/devices/{device.Id}", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.True(deleted.IsSuccessStatusCode);
        await peer.EndAsync();
    }

    [Fact]
    public async Task Without_the_subprotocol_there_is_no_connection()
    {
        using var socket = new ClientWebSocket();
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(AddressOf(platform), TestContext.Current.CancellationToken));
        Assert.Equal(426, (await platform.Stranger.ReadAsync("/mqtt")).Status);
    }

    private static Uri AddressOf(Platform platform) => new($"ws://127.0.0.1:{platform.HttpPort}/mqtt");

    private static async Task<ClientWebSocket> SocketAsync(Platform platform)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("mqtt");
        await socket.ConnectAsync(AddressOf(platform), TestContext.Current.CancellationToken);
        Assert.Equal("mqtt", socket.SubProtocol);
        return socket;
    }

    private static MqttPeer Peer(ClientWebSocket socket, int version) =>
        new(WebSocketStream.Create(socket, WebSocketMessageType.Binary, closeTimeout: TimeSpan.FromSeconds(1)), version);

    private static async Task<WebSocketCloseStatus?> CloseStatusAsync(ClientWebSocket socket)
    {
        while ((await socket.ReceiveAsync(new byte[100], TestContext.Current.CancellationToken)).MessageType != WebSocketMessageType.Close)
        {
        }
        return socket.CloseStatus;
    }
}
