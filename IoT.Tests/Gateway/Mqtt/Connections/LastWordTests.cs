using System.Net;
using System.Net.Sockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Connections;

/// <summary>A connection that the platform ends while its client still writes: the client is to learn why.</summary>
public sealed class LastWordTests(OpenPlatform platform)
{
    private const byte ReceiveMaximumExceeded = 0x93;

    private static readonly byte[] Pings = [.. Enumerable.Repeat(new byte[] { 0xC0, 0 }, 500).SelectMany(ping => ping)];

    [Fact]
    public async Task Who_still_writes_is_not_reset_and_finds_the_reason()
    {
        var topic = MqttPeer.NewName("ended");
        await using var watcher = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        await watcher.ConnectAsync(MqttPeer.NewName("watcher"));
        await watcher.SubscribeAsync(topic);
        // A busy machine may keep a client from writing for longer than the platform listens; not every time.
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var (socket, peer) = await FaultAsync(new Will(topic));
            await using (peer)
            {
                // It is over there.
                await watcher.ReceiveAsync();
                if (!await IsTakenAsync(socket))
                    continue;
                Assert.Equal(ReceiveMaximumExceeded, await peer.EndAsync());
                return;
            }
        }
        Assert.Fail("Ten connections were reset while their clients wrote.");

        static async Task<bool> IsTakenAsync(Socket socket)
        {
            try
            {
                for (var n = 0; n < 10; n++)
                {
                    await socket.SendAsync(Pings, SocketFlags.None, TestContext.Current.CancellationToken);
                    await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
                }
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Who_takes_no_notice_is_closed_all_the_same()
    {
        var (socket, peer) = await FaultAsync();
        await using (peer)
        {
            var start = TimeProvider.System.GetTimestamp();
            await Assert.ThrowsAsync<SocketException>(async () =>
            {
                while (TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(20))
                {
                    await socket.SendAsync(Pings, SocketFlags.None, TestContext.Current.CancellationToken);
                    await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
                }
            });
        }

        var (_, silent) = await FaultAsync();
        await using (silent)
        {
            // It does not close its side: the platform does.
            Assert.Equal(ReceiveMaximumExceeded, await silent.EndAsync(closesItsSide: false));
        }
    }

    /// <summary>A client with more publishes under way than it may have.</summary>
    private async Task<(Socket Socket, MqttPeer Peer)> FaultAsync(Will? will = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, platform.MqttPort, TestContext.Current.CancellationToken);
        var peer = new MqttPeer(new NetworkStream(socket, ownsSocket: true), 5);
        var maximum = (int)(await peer.ConnectAsync(MqttPeer.NewName("c"), will: will)).Properties.Number(Prop.ReceiveMaximumId)!;
        await peer.SendAsync([.. Enumerable.Range(1, maximum + 1).SelectMany(id => peer.PublishPacket("lab/flow", "x", 2, id: (ushort)id))]);
        return (socket, peer);
    }
}
