using System.Diagnostics;
using System.Net.Sockets;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Safety;

/// <summary>Clients that do not read what they are sent.</summary>
[Collection(nameof(GuardedPlatform))]
public sealed class StuckClientTests(GuardedPlatform platform)
{
    private static readonly string Payload = new('s', 10_000);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_slow_subscriber_costs_others_nothing_and_its_own_messages_in_the_end(int qos)
    {
        var topic = MqttPeer.NewName("slow");
        await using var slow = await platform.ConnectAsync(clean: false, properties: Prop.SessionExpiry(300));
        await slow.SubscribeAsync(topic, qos);
        await using var quick = await platform.ConnectAsync();
        await quick.SubscribeAsync(topic, qos);
        await using var publisher = await platform.ConnectAsync();
        var reason = qos == 0 ? "reason=\"slow\"" : "reason=\"cut\"";
        var dropped = await platform.MetricAsync("iot_mqtt_messages_dropped", reason);
        var before = 0.0;
        var growth = 0.0;
        var slowest = 0.0;
        // What may wait waits, and the heap has come to its size, after the first; then there come in bytes half as much again as it may grow by.
        for (var n = 0; n < 9_000; n++)
        {
            if (n == 1_500)
                before = platform.ResidentMiB();
            var start = Stopwatch.GetTimestamp();
            await publisher.SendAsync(publisher.PublishPacket(topic, Payload, qos, id: (ushort)(n + 1)));
            if (qos == 1)
                await publisher.WaitAsync(Kind.PubAck);
            var message = await quick.ReceiveAsync();
            slowest = Math.Max(slowest, Stopwatch.GetElapsedTime(start).TotalSeconds);
            Assert.Equal(Payload.Length, message.Text.Length);
            growth = Math.Max(growth, n > 1_500 && n % 100 == 0 ? platform.ResidentMiB() - before : 0);
        }
        Assert.True(growth < GuardedPlatform.MostGrowthMiB, $"{growth:0} MiB");
        Assert.True(slowest < 2, $"{slowest:0.0} s for one message");
        Assert.True(await platform.MetricAsync("iot_mqtt_messages_dropped", reason) > dropped, "Nothing says that messages were dropped.");
    }

    [Fact]
    public async Task A_client_that_never_reads_its_acknowledgements_is_read_no_further_and_ended()
    {
        var before = platform.ResidentMiB();
        var growth = 0.0;
        using var socket = await platform.SocketAsync();
        await using var stream = new NetworkStream(socket);
        var peer = new MqttPeer(stream, 5);
        await peer.ConnectAsync(MqttPeer.NewName("unread"));
        byte[] packets = [.. Enumerable.Range(1, 200).SelectMany(id => (byte[])[.. peer.PublishPacket("lab/unread", "x", 1, id: (ushort)id), 0xC0, 0])];
        var start = Stopwatch.GetTimestamp();
        var sent = 0L;
        try
        {
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < 20)
            {
                sent += await socket.SendAsync(packets, SocketFlags.None, TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(15), TimeProvider.System, TestContext.Current.CancellationToken);
                growth = Math.Max(growth, platform.ResidentMiB() - before);
            }
            Assert.Fail($"{sent} bytes were taken of a client that reads nothing.");
        }
        catch (SocketException)
        {
            // Ended: it has not read for longer than a write may take.
        }
        Assert.True(growth < GuardedPlatform.MostGrowthMiB, $"{growth:0} MiB");
        Assert.True(await platform.MetricAsync("iot_mqtt_connections_ended", "WriteTimeout") > 0);
    }

    [Fact]
    public async Task A_stuck_connection_is_taken_over_at_once()
    {
        var (id, topic) = (MqttPeer.NewName("stuck"), MqttPeer.NewName("t"));
        await using var stuck = await platform.ConnectAsync(id, clean: false, properties: Prop.SessionExpiry(300));
        await stuck.SubscribeAsync(topic, 1);
        await using var publisher = await platform.ConnectAsync();
        for (var n = 0; n < 500; n++)
            await publisher.PublishAsync(topic, Payload, 1);

        var start = Stopwatch.GetTimestamp();
        await using var other = await platform.ConnectAsync();
        await using var next = await platform.ConnectAsync(id, clean: false, properties: Prop.SessionExpiry(300));
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1), $"{Stopwatch.GetElapsedTime(start)}");
        Assert.True(next.ConnAck!.IsSessionPresent);
        Assert.Equal(Payload.Length, (await next.ReceiveAsync()).Text.Length);
    }
}
