using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Safety;

/// <summary>What somebody can do who has not signed in.</summary>
[Collection(nameof(GuardedPlatform))]
public sealed class PreLoginTests(GuardedPlatform platform)
{
    [Theory]
    [InlineData("", "nothing")]
    [InlineData("10", "the first byte of CONNECT")]
    [InlineData("10 20 0004 4D51", "the beginning of CONNECT")]
    public async Task A_socket_that_does_not_sign_in_is_closed(string hex, string what)
    {
        await using var peer = await platform.OpenAsync();
        var start = Stopwatch.GetTimestamp();
        await peer.SendAsync(Bytes.Hex(hex));
        Assert.True(await peer.ReadAsync() is null, what);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0.5, 4);
    }

    [Theory]
    [InlineData("10 FF FF FF FF", "a remaining length without end")]
    [InlineData("10 FF FF FF 7F", "256 MiB")]
    [InlineData("10 81 80 04", "64 KiB and a byte")]
    [InlineData("16 03 01 02 00 01", "TLS")]
    public async Task What_is_no_CONNECT_of_64_KiB_is_closed_at_once(string hex, string what)
    {
        await using var peer = await platform.OpenAsync();
        var start = Stopwatch.GetTimestamp();
        await peer.SendAsync(Bytes.Hex(hex));
        Assert.True(await peer.ReadAsync() is null or { Kind: Kind.ConnAck, Code: not 0 } or { Kind: Kind.Disconnect }, what);
        Assert.True(await peer.EndAsync() is null or not 0);
        Assert.True(Stopwatch.GetElapsedTime(start).TotalSeconds < 0.9, $"{what} was waited for.");
    }

    [Fact]
    public async Task Unfinished_CONNECTs_take_no_memory_to_speak_of()
    {
        await Eventually.TrueAsync(async () => await OpenConnectionsAsync() < 10, "the sockets of other tests to be closed");
        byte[] most = [0x10, .. Bytes.Variable(64 * 1024 - 8), .. new byte[60_000]];
        var before = platform.ResidentMiB();
        var growth = 0.0;
        var open = new List<Socket>();
        try
        {
            for (var n = 0; n < 300; n++)
            {
                var socket = await platform.SocketAsync(IPAddress.Parse($"127.0.0.{2 + n % 3}"));
                open.Add(socket);
                try
                {
                    await socket.SendAsync(most, SocketFlags.None, TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
                }
                catch (Exception exception) when (exception is TimeoutException or SocketException)
                {
                    // Read no further, or closed.
                }
                growth = Math.Max(growth, platform.ResidentMiB() - before);
            }
            await using var other = await platform.ConnectAsync();
            await other.PingAsync();
        }
        finally
        {
            open.ForEach(socket => socket.Dispose());
        }
        Assert.True(growth < GuardedPlatform.MostGrowthMiB, $"{growth:0} MiB");
    }

    [Fact]
    public async Task One_address_takes_only_so_many_connections()
    {
        var crowded = IPAddress.Parse("127.0.0.9");
        var open = new List<MqttPeer>();
        var refused = await platform.MetricAsync("iot_connections_refused", "protocol=\"mqtt\"");
        try
        {
            for (var n = 0; n < 120; n++)
            {
                open.Add(await platform.OpenAsync(crowded));
                Assert.Equal(0, (await open[^1].ConnectAsync("")).Code);
            }
            Assert.False(await IsLetInAsync(crowded));
            await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_connections_refused", "protocol=\"mqtt\"") > refused, "the count of refused connections");
            Assert.True(await IsLetInAsync(IPAddress.Parse("127.0.0.10")));

            await open[0].DisconnectAsync();
            await Eventually.TrueAsync(() => IsLetInAsync(crowded), "the place that is free");
        }
        finally
        {
            foreach (var peer in open)
                await peer.DisposeAsync();
        }
    }

    [Fact]
    public async Task Only_so_many_connections_begin_in_a_second()
    {
        // The bucket holds a second's worth; what is beyond comes at its rate.
        const int count = 300;
        var start = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 30, CancellationToken = TestContext.Current.CancellationToken }, async (n, _) =>
        {
            await using var peer = await platform.OpenAsync(IPAddress.Parse($"127.0.0.{20 + n % 5}"));
            Assert.Equal(0, (await peer.ConnectAsync("")).Code);
        });
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, (count - 110) / 100.0, 20);
    }

    private async Task<bool> IsLetInAsync(IPAddress from)
    {
        try
        {
            await using var peer = await platform.OpenAsync(from);
            await peer.SendAsync(peer.ConnectPacket("", true, 0, null, null));
            return await peer.ReadAsync() is { Code: 0 };
        }
        catch (SocketException)
        {
            return false; // Closed before it was open on this side.
        }
    }

    private async Task<double> OpenConnectionsAsync() => await platform.MetricAsync("iot_mqtt_connections ") + await platform.MetricAsync("iot_mqtt_connections{");
}
