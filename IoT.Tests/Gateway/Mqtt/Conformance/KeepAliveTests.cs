using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Keep-alive and PINGREQ: MQTT 3.1.1 and 5 section 3.1.2.10 and 3.12.</summary>
public sealed class KeepAliveTests(OpenPlatform platform) : ConformanceTest(platform)
{
    [Fact]
    public async Task Silence_of_one_and_a_half_keep_alives_ends_the_connection_and_publishes_the_will()
    {
        var topic = NewTopic();
        var watcher = await ConnectAsync();
        await watcher.SubscribeAsync(topic, 1);
        MqttPeer[] silent = [await ConnectAsync(4, keepAlive: 2, will: new Will(topic)), await ConnectAsync(5, keepAlive: 2, will: new Will(topic))];
        var start = TimeProvider.System.GetTimestamp();
        foreach (var peer in silent)
            await AssertEndsAsync(peer, 0x8D);
        Assert.InRange(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 2.5, 7);
        await watcher.ReceiveAsync();
        await watcher.ReceiveAsync();
    }

    [Fact]
    public async Task Any_packet_keeps_the_connection_alive_and_0_turns_the_watch_off()
    {
        var off = await ConnectAsync(keepAlive: 0);
        MqttPeer[] busy = [await ConnectAsync(4, keepAlive: 1), await ConnectAsync(5, keepAlive: 1)];
        for (var n = 0; n < 5; n++)
        {
            await PassAsync(0.7);
            foreach (var peer in busy)
            {
                if (n % 2 == 0)
                    await peer.PingAsync();
                else
                    await peer.SendAsync(peer.PublishPacket(NewTopic(), "x"));
            }
        }
        await off.PingAsync();
    }

    [Fact]
    public async Task Deliveries_to_a_silent_client_do_not_keep_it_alive()
    {
        var topic = NewTopic();
        var silent = await ConnectAsync(keepAlive: 1);
        await silent.SubscribeAsync(topic);
        var publisher = await ConnectAsync();
        var ended = silent.EndAsync();
        for (var n = 0; n < 40 && !ended.IsCompleted; n++)
        {
            await publisher.PublishAsync(topic, $"{n}");
            await PassAsync(0.2);
        }
        Assert.True(ended.IsCompleted);
        await ended;
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Each_PINGREQ_is_answered(int version)
    {
        var peer = await ConnectAsync(version);
        await peer.SendAsync([.. Enumerable.Repeat(new byte[] { 0xC0, 0 }, 20).SelectMany(p => p)]);
        for (var n = 0; n < 20; n++)
            Assert.Empty((await peer.NextAsync(Kind.PingResp)).Body);
    }

    [Fact]
    public async Task A_keep_alive_of_65535_is_taken_or_the_brokers_own_is_told()
    {
        var peer = await ConnectAsync(keepAlive: 65_535);
        Assert.True(peer.ConnAck!.Properties.Number(Prop.ServerKeepAliveId) is null or (> 0 and < 65_535));
    }
}
