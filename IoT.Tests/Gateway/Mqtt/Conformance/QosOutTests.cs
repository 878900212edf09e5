using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>PUBLISH to a client: MQTT 3.1.1 and 5 section 3.3, 4.3 and 4.4.</summary>
public sealed class QosOutTests(OpenPlatform platform) : ConformanceTest(platform)
{
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task PUBCOMP_before_PUBREC_ends_the_connection(int version)
    {
        var topic = NewTopic();
        var peer = await ConnectAsync(version);
        await peer.SubscribeAsync(topic, 2);
        var publisher = await ConnectAsync(version);
        await publisher.PublishAsync(topic, "x", 2);
        await peer.SendAsync(MqttPeer.Ack(0x70, (await peer.ReceiveOnlyAsync()).Id));
        await AssertEndsAsync(peer, 0x82);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_lasting_session_too_counts_its_packet_ids_from_1(int version)
    {
        var topic = NewTopic();
        var peer = await ResumeAsync(version, MqttPeer.NewName("c"));
        await peer.SubscribeAsync(topic, 2);
        var publisher = await ConnectAsync(version);
        for (var n = 1; n <= 4; n++)
            await publisher.PublishAsync(topic, $"{n}", 1 + n % 2);
        for (var n = 1; n <= 4; n++)
            Assert.Equal(n, (await peer.ReceiveAsync()).Id);
    }

    public static TheoryData<int, int, int> Levels
    {
        get
        {
            var rows = new TheoryData<int, int, int>();
            foreach (var version in new[] { 4, 5 })
            {
                for (var published = 0; published <= 2; published++)
                {
                    for (var granted = 0; granted <= 2; granted++)
                        rows.Add(version, published, granted);
                }
            }
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task The_lower_of_published_and_granted_QoS_holds(int version, int published, int granted)
    {
        var (topic, subscriber) = await SubscribeAsync(version, granted);
        await (await ConnectAsync(version)).PublishAsync(topic, "level", published);
        var message = await subscriber.ReceiveAsync();
        Assert.Equal(("level", Math.Min(published, granted)), (message.Text, message.Qos));
        Assert.Empty(await subscriber.CollectAsync());
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task What_is_not_acknowledged_comes_again_on_the_next_connection_only(int version, int qos)
    {
        var (topic, id) = (NewTopic(), MqttPeer.NewName("c"));
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, qos);
        await (await ConnectAsync()).PublishAsync(topic, "again", qos);
        var message = await first.ReceiveOnlyAsync();
        Assert.False(message.IsDup);
        Assert.Empty(await first.CollectAsync());
        await first.DisposeAsync();

        var second = await ResumeAsync(version, id);
        var again = await second.ReceiveAsync();
        Assert.Equal(("again", true, message.Id, qos), (again.Text, again.IsDup, again.Id, again.Qos));
        await second.PingAsync();
        await second.DisposeAsync();
        Assert.Empty(await (await ResumeAsync(version, id)).CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task After_PUBREC_only_the_PUBREL_comes_again(int version)
    {
        var (topic, id) = (NewTopic(), MqttPeer.NewName("c"));
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, 2);
        await (await ConnectAsync()).PublishAsync(topic, "once", 2);
        var message = await first.ReceiveOnlyAsync();
        await first.SendAsync(MqttPeer.Ack(0x50, message.Id));
        Assert.Equal(message.Id, (await first.WaitAsync(Kind.PubRel)).Id);
        await first.DisposeAsync();

        var second = await ResumeAsync(version, id);
        var release = await second.NextAsync(Kind.PubRel);
        Assert.Equal((message.Id, (byte)0x62), (release.Id, release.Header));
        await second.SendAsync(MqttPeer.Ack(0x70, message.Id));
        Assert.Empty(await second.CollectAsync());
    }

    [Fact]
    public async Task A_PUBREC_that_refuses_ends_the_exchange()
    {
        var (topic, subscriber) = await SubscribeAsync(5, 2, Prop.ReceiveMaximum(1));
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, "refused", 2);
        await publisher.PublishAsync(topic, "next", 2);
        var message = await subscriber.ReceiveOnlyAsync();
        await subscriber.SendAsync(Bytes.Packet(0x50, [.. Bytes.TwoBytes(message.Id), 0x80]));
        Assert.Equal("next", (await subscriber.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_PUBACK_that_refuses_ends_the_exchange()
    {
        var id = MqttPeer.NewName("c");
        var topic = NewTopic();
        var subscriber = await ResumeAsync(5, id);
        await subscriber.SubscribeAsync(topic, 1);
        await (await ConnectAsync()).PublishAsync(topic, "refused", 1);
        var message = await subscriber.ReceiveOnlyAsync();
        await subscriber.SendAsync(Bytes.Packet(0x40, [.. Bytes.TwoBytes(message.Id), 0x97, 0]));
        await subscriber.PingAsync();
        await subscriber.DisposeAsync();
        Assert.Empty(await (await ResumeAsync(5, id)).CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_PUBREC_sent_twice_gets_its_PUBREL_twice(int version)
    {
        Strict();
        var (topic, subscriber) = await SubscribeAsync(version, 2);
        await (await ConnectAsync()).PublishAsync(topic, "x", 2);
        var message = await subscriber.ReceiveOnlyAsync();
        for (var n = 0; n < 2; n++)
        {
            await subscriber.SendAsync(MqttPeer.Ack(0x50, message.Id));
            Assert.Equal(message.Id, (await subscriber.NextAsync(Kind.PubRel)).Id);
        }
        await subscriber.SendAsync(MqttPeer.Ack(0x70, message.Id));
        await subscriber.PingAsync();
    }

    [Fact]
    public async Task Packet_ids_are_never_0_nor_used_twice_at_once()
    {
        var (topic, subscriber) = await SubscribeAsync(5, 2);
        var publisher = await ConnectAsync();
        for (var n = 0; n < 15; n++)
            await publisher.PublishAsync(topic, $"{n}", 1 + n % 2);
        var ids = (await subscriber.CollectAsync()).Select(m => m.Id).ToList();
        Assert.Equal(15, ids.Count);
        Assert.DoesNotContain((ushort)0, ids);
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 0)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task Messages_of_a_publisher_keep_their_order(int version, int qos)
    {
        var (topic, subscriber) = await SubscribeAsync(version, qos);
        var publisher = await ConnectAsync(version);
        const int count = 300;
        // As fast as it can, whatever the acknowledgements do; within what other brokers take at once.
        foreach (var part in Enumerable.Range(0, count).Chunk(15))
        {
            await publisher.SendAsync([.. part.SelectMany(n => publisher.PublishPacket(topic, $"{n}", qos, id: (ushort)(n + 1)))]);
            foreach (var n in qos == 0 ? [] : part)
                await publisher.WaitAsync(qos == 1 ? Kind.PubAck : Kind.PubRec);
            foreach (var n in qos < 2 ? [] : part)
                await publisher.SendAsync(MqttPeer.Ack(0x62, (ushort)(n + 1)));
            foreach (var n in qos < 2 ? [] : part)
                await publisher.WaitAsync(Kind.PubComp);
        }
        for (var n = 0; n < count; n++)
            Assert.Equal($"{n}", (await subscriber.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task What_comes_again_keeps_its_order_and_is_before_what_is_new(int version)
    {
        var (topic, id) = (NewTopic(), MqttPeer.NewName("c"));
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, 1);
        var publisher = await ConnectAsync();
        for (var n = 0; n < 10; n++)
            await publisher.PublishAsync(topic, $"{n}", 1);
        for (var n = 0; n < 10; n++)
            await first.ReceiveOnlyAsync();
        await first.DisposeAsync();
        for (var n = 10; n < 15; n++)
            await publisher.PublishAsync(topic, $"{n}", 1);
        var second = await ResumeAsync(version, id);
        for (var n = 0; n < 15; n++)
        {
            var message = await second.ReceiveAsync();
            Assert.Equal(($"{n}", n < 10), (message.Text, message.IsDup));
        }
    }

    [Fact]
    public async Task Acknowledgements_may_come_in_any_order()
    {
        var (topic, subscriber) = await SubscribeAsync(5, 1, Prop.ReceiveMaximum(3));
        var publisher = await ConnectAsync();
        for (var n = 0; n < 5; n++)
            await publisher.PublishAsync(topic, $"{n}", 1);
        List<Message> first = [await subscriber.ReceiveOnlyAsync(), await subscriber.ReceiveOnlyAsync(), await subscriber.ReceiveOnlyAsync()];
        await subscriber.AcknowledgeAsync(first[2]);
        Assert.Equal("3", (await subscriber.ReceiveOnlyAsync()).Text);
        await subscriber.AcknowledgeAsync(first[0]);
        Assert.Equal("4", (await subscriber.ReceiveOnlyAsync()).Text);
    }

    private async Task<(string Topic, MqttPeer Subscriber)> SubscribeAsync(int version, int qos, byte[]? properties = null)
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync(version, properties: properties);
        Assert.Equal(qos, await subscriber.SubscribeAsync(topic, qos));
        return (topic, subscriber);
    }
}
