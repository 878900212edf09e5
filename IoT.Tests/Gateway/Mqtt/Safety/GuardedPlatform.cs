using System.Globalization;
using System.Net;
using System.Net.Sockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Safety;

/// <summary>A platform whose guards are near enough to run into, for the tests of this folder, one at a time.</summary>
[CollectionDefinition(nameof(GuardedPlatform))]
public sealed class GuardedPlatform() : StartedPlatform(
    ("Security__AnonymousDevices", "true"), ("Security__AnonymousTopics", "true"), ("Gateway__MqttConnectSeconds", "1"), ("Gateway__MqttWriteSeconds", "3"),
    ("Gateway__MqttMaxConnectionsPerAddress", "120"), ("Gateway__MqttHandshakesPerSecond", "100"), ("Gateway__MqttMaxQueuedMessages", "1000")), ICollectionFixture<GuardedPlatform>
{
    /// <summary>What all clients may make the host grow by.</summary>
    public const double MostGrowthMiB = 50;

    public double ResidentMiB() => double.Parse(
        File.ReadLines($"/proc/{Pid}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) / 1024;

    /// <summary>A socket with little room for what it does not read.</summary>
    public async Task<Socket> SocketAsync(IPAddress? from = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 4096, SendBufferSize = 64 * 1024 };
        socket.Bind(new IPEndPoint(from ?? IPAddress.Loopback, 0));
        await socket.ConnectAsync(IPAddress.Loopback, MqttPort, TestContext.Current.CancellationToken);
        return socket;
    }

    public async Task<MqttPeer> OpenAsync(IPAddress? from = null, int version = 5) => new(new NetworkStream(await SocketAsync(from), ownsSocket: true), version);

    public async Task<MqttPeer> ConnectAsync(string? id = null, bool clean = true, byte[]? properties = null)
    {
        var peer = await OpenAsync();
        Assert.Equal(0, (await peer.ConnectAsync(id ?? MqttPeer.NewName("c"), clean, properties: properties)).Code);
        return peer;
    }
}
