using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>PUBLISH from a client: MQTT 3.1.1 and 5 section 3.3 to 3.7 and 4.3.</summary>
public sealed class QosInTests(OpenPlatform platform) : ConformanceTest(platform)
{
    /// <summary>There is a subscriber; that it does not want its own is another matter.</summary>
    [Fact]
    public async Task Who_alone_subscribes_and_does_not_want_its_own_is_not_told_that_nobody_does()
    {
        var topic = NewTopic();
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(topic, 1 | 4);
        Assert.Equal(0, await peer.PublishAsync(topic, qos: 1));
        Assert.Empty(await peer.CollectAsync());
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 0)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task A_publish_is_acknowledged_and_delivered_once(int version, int qos)
    {
        var (topic, subscriber) = await SubscribeAsync(version);
        var publisher = await ConnectAsync(version);
        Assert.Equal(0, await publisher.PublishAsync(topic, "once", qos));
        var message = await subscriber.ReceiveAsync();
        Assert.Equal((topic, "once", qos, false, false), (message.Topic, message.Text, message.Qos, message.IsDup, message.IsRetain));
        Assert.Empty(await subscriber.CollectAsync());
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task The_packet_id_65535_will_do(int version, int qos)
    {
        var peer = await ConnectAsync(version);
        await peer.SendAsync(peer.PublishPacket(NewTopic(), "x", qos, id: 65_535));
        Assert.Equal(65_535, (await peer.NextAsync(qos == 1 ? Kind.PubAck : Kind.PubRec)).Id);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task DUP_is_not_passed_on(int version)
    {
        var (topic, subscriber) = await SubscribeAsync(version);
        var publisher = await ConnectAsync(version);
        await publisher.SendAsync(publisher.PublishPacket(topic, "dup", 1, dup: true, id: 5));
        await publisher.NextAsync(Kind.PubAck);
        Assert.False((await subscriber.ReceiveAsync()).IsDup);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_QoS_1_publish_sent_again_is_acknowledged_again(int version)
    {
        var publisher = await ConnectAsync(version);
        var topic = NewTopic();
        await publisher.SendAsync([.. publisher.PublishPacket(topic, "a", 1, id: 7), .. publisher.PublishPacket(topic, "a", 1, dup: true, id: 7)]);
        Assert.Equal(7, (await publisher.NextAsync(Kind.PubAck)).Id);
        Assert.Equal(7, (await publisher.NextAsync(Kind.PubAck)).Id);
    }

    [Theory]
    [InlineData(4, true)]
    [InlineData(4, false)]
    [InlineData(5, true)]
    [InlineData(5, false)]
    public async Task A_QoS_2_publish_sent_again_before_its_PUBREL_is_delivered_once(int version, bool dup)
    {
        Strict();
        var (topic, subscriber) = await SubscribeAsync(version);
        var publisher = await ConnectAsync(version);
        for (var n = 0; n < 3; n++)
        {
            await publisher.SendAsync(publisher.PublishPacket(topic, "once", 2, dup: dup && n > 0, id: 9));
            Assert.Equal((9, 0), ((await publisher.NextAsync(Kind.PubRec)) is var r ? r.Id : 0, r.Code));
        }
        await publisher.SendAsync(MqttPeer.Ack(0x62, 9));
        Assert.Equal(9, (await publisher.NextAsync(Kind.PubComp)).Id);
        Assert.Equal("once", (await subscriber.ReceiveAsync()).Text);
        Assert.Empty(await subscriber.CollectAsync());
    }

    /// <summary>Clients that read packet by packet expect it, and Mosquitto does it.</summary>
    [Theory]
    [InlineData(4, false)]
    [InlineData(4, true)]
    [InlineData(5, false)]
    [InlineData(5, true)]
    public async Task Who_subscribes_to_its_own_QoS_2_publish_has_its_PUBREC_first_and_the_message_after_PUBREL(int version, bool lasts)
    {
        var (topic, other) = await SubscribeAsync(version);
        var peer = lasts ? await ResumeAsync(version, MqttPeer.NewName("c")) : await ConnectAsync(version);
        await peer.SubscribeAsync(topic, 2);
        await peer.SendAsync([.. peer.PublishPacket(topic, "own", 2, id: 31), .. peer.PublishPacket(topic, "own", 2, dup: true, id: 31), 0xC0, 0]);
        for (var n = 0; n < 2; n++)
            Assert.Equal(31, (await peer.WaitAsync(Kind.PubRec)).Id);
        await peer.WaitAsync(Kind.PingResp);
        await peer.PingAsync();
        if (!IsOtherBroker)
            Assert.Equal("own", (await other.ReceiveAsync()).Text);
        Assert.False(peer.HasReceived(Kind.Publish));
        await peer.SendAsync(MqttPeer.Ack(0x62, 31));
        Assert.Equal(("own", 2), await peer.ReceiveOnlyAsync() is var own ? (own.Text, own.Qos) : default);
        Assert.Equal(31, (await peer.WaitAsync(Kind.PubComp)).Id);
        Assert.Empty(await peer.CollectAsync());
    }

    [Fact]
    public async Task What_a_client_does_not_release_of_its_own_is_held_within_bounds_and_waits_for_the_PUBREL_on_the_next_connection()
    {
        Strict();
        var (topic, id) = (NewTopic(), MqttPeer.NewName("c"));
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, 1);
        var large = new string('l', 200_000);
        for (ushort n = 1; n <= 2; n++)
        {
            await first.SendAsync(first.PublishPacket(topic, large, 2, id: n));
            await first.WaitAsync(Kind.PubRec);
        }
        // Room for one.
        Assert.Equal(large, (await first.ReceiveAsync()).Text);
        Assert.Empty(await first.CollectAsync());
        await first.DisposeAsync();

        var second = await ResumeAsync(5, id);
        Assert.Empty(await second.CollectAsync());
        await second.SendAsync(MqttPeer.Ack(0x62, 1));
        Assert.Equal(large, (await second.ReceiveAsync()).Text);
        await second.WaitAsync(Kind.PubComp);
        Assert.Empty(await second.CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_QoS_2_packet_id_is_free_after_its_PUBCOMP(int version)
    {
        var (topic, subscriber) = await SubscribeAsync(version);
        var publisher = await ConnectAsync(version);
        foreach (var text in new[] { "first", "second" })
        {
            await publisher.SendAsync(publisher.PublishPacket(topic, text, 2, id: 3));
            await publisher.NextAsync(Kind.PubRec);
            await publisher.SendAsync(MqttPeer.Ack(0x62, 3));
            await publisher.NextAsync(Kind.PubComp);
            Assert.Equal(text, (await subscriber.ReceiveAsync()).Text);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_QoS_2_publish_is_delivered_once_across_a_reconnect(int version)
    {
        var (topic, subscriber) = await SubscribeAsync(version);
        var id = MqttPeer.NewName("c");
        var first = await ResumeAsync(version, id);
        await first.SendAsync(first.PublishPacket(topic, "once", 2, id: 11));
        await first.NextAsync(Kind.PubRec);
        await first.DisposeAsync();

        var second = await ResumeAsync(version, id);
        Assert.True(second.ConnAck!.IsSessionPresent);
        await second.SendAsync(second.PublishPacket(topic, "once", 2, dup: true, id: 11));
        await second.NextAsync(Kind.PubRec);
        await second.SendAsync(MqttPeer.Ack(0x62, 11));
        await second.NextAsync(Kind.PubComp);
        Assert.Equal("once", (await subscriber.ReceiveAsync()).Text);
        Assert.Empty(await subscriber.CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_PUBREL_after_a_reconnect_is_answered(int version)
    {
        var id = MqttPeer.NewName("c");
        var first = await ResumeAsync(version, id);
        await first.SendAsync(first.PublishPacket(NewTopic(), "x", 2, id: 12));
        await first.NextAsync(Kind.PubRec);
        await first.DisposeAsync();
        var second = await ResumeAsync(version, id);
        // Twice, as when the answer was lost: 0x92 would be no error then, and no news.
        for (var n = 0; n < 2; n++)
        {
            await second.SendAsync(MqttPeer.Ack(0x62, 12));
            var answer = await second.NextAsync(Kind.PubComp);
            Assert.Equal((12, 0, 2), (answer.Id, answer.Code, answer.Body.Length));
            await second.DisposeAsync();
            second = await ResumeAsync(version, id);
        }
        // Nor is a PUBREC for what it has had.
        await second.SendAsync(MqttPeer.Ack(0x50, 77));
        Assert.Equal((77, 0), await second.NextAsync(Kind.PubRel) is var release ? (release.Id, release.Code) : default);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_new_session_has_forgotten_packet_ids(int version)
    {
        var (topic, subscriber) = await SubscribeAsync(version);
        var id = MqttPeer.NewName("c");
        for (var n = 0; n < 2; n++)
        {
            var publisher = await ConnectAsync(version, id);
            await publisher.SendAsync(publisher.PublishPacket(topic, $"{n}", 2, id: 13));
            await publisher.NextAsync(Kind.PubRec);
            await publisher.SendAsync(MqttPeer.Ack(0x62, 13));
            await publisher.NextAsync(Kind.PubComp);
            await publisher.DisposeAsync();
            Assert.Equal($"{n}", (await subscriber.ReceiveAsync()).Text);
        }
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(5, 0x92)]
    public async Task A_PUBREL_for_an_unknown_id_is_answered(int version, byte code)
    {
        Strict();
        var peer = await ConnectAsync(version);
        await peer.SendAsync(MqttPeer.Ack(0x62, 77));
        var answer = await peer.NextAsync(Kind.PubComp);
        Assert.Equal((77, code), (answer.Id, answer.Code));
    }

    [Theory]
    [InlineData(0x40)]
    [InlineData(0x50)]
    [InlineData(0x70)]
    public async Task Acknowledgements_of_what_was_not_sent_do_no_harm(byte header)
    {
        Strict();
        foreach (var version in new[] { 4, 5 })
        {
            var peer = await ConnectAsync(version);
            await peer.SendAsync(MqttPeer.Ack(header, 99));
            if (header == 0x50)
                Assert.Equal((99, version == 5 ? 0x92 : 0), await peer.NextAsync(Kind.PubRel) is var answer ? (answer.Id, answer.Code) : default);
            await peer.PingAsync();
        }
    }

    [Fact]
    public async Task Acknowledgements_come_in_the_order_of_the_publishes()
    {
        foreach (var version in new[] { 4, 5 })
        {
            var peer = await ConnectAsync(version);
            var topic = NewTopic();
            ushort[] ids = [.. Enumerable.Range(1, 15).Select(n => (ushort)(1000 - n * 7))];
            await peer.SendAsync([.. ids.SelectMany(id => peer.PublishPacket(topic, "x", 1, id: id))]);
            foreach (var id in ids)
                Assert.Equal(id, (await peer.NextAsync(Kind.PubAck)).Id);
            await peer.SendAsync([.. ids.SelectMany(id => peer.PublishPacket(topic, "x", 2, id: id))]);
            foreach (var id in ids)
                Assert.Equal(id, (await peer.NextAsync(Kind.PubRec)).Id);
            await peer.SendAsync([.. ids.SelectMany(id => MqttPeer.Ack(0x62, id))]);
            foreach (var id in ids)
                Assert.Equal(id, (await peer.NextAsync(Kind.PubComp)).Id);
        }
    }

    [Fact]
    public async Task Acknowledgements_with_reason_code_and_properties_are_understood()
    {
        var peer = await ConnectAsync();
        await peer.SendAsync(peer.PublishPacket(NewTopic(), "x", 2, id: 21));
        await peer.NextAsync(Kind.PubRec);
        await peer.SendAsync(Bytes.Packet(0x62, [0, 21, 0x00, .. Bytes.PropertyList([0x1F, .. Bytes.Text("why"), .. Prop.User("a", "b")])]));
        Assert.Equal(21, (await peer.NextAsync(Kind.PubComp)).Id);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task An_empty_payload_is_delivered(int version)
    {
        var (topic, subscriber) = await SubscribeAsync(version);
        await (await ConnectAsync(version)).PublishAsync(topic, "", 1);
        Assert.Equal("", (await subscriber.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(120)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(16_370)]
    [InlineData(16_384)]
    [InlineData(200_000)]
    public async Task Any_length_of_the_remaining_length_works(int size)
    {
        var (topic, subscriber) = await SubscribeAsync(5);
        var text = new string('l', size);
        await (await ConnectAsync()).PublishAsync(topic, text, 1);
        Assert.Equal(text, (await subscriber.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task Many_packets_in_one_write_and_one_packet_in_many()
    {
        var (topic, subscriber) = await SubscribeAsync(5);
        var publisher = await ConnectAsync();
        byte[] bytes = [.. Enumerable.Range(0, 50).SelectMany(n => publisher.PublishPacket(topic, $"{n}"))];
        // 7 divides none of the packets' lengths.
        foreach (var part in bytes.Chunk(7).Take(20))
            await publisher.SendAsync(part);
        await publisher.SendAsync(bytes[140..]);
        for (var n = 0; n < 50; n++)
            Assert.Equal($"{n}", (await subscriber.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_publish_that_nobody_is_subscribed_to_is_acknowledged(int version)
    {
        var peer = await ConnectAsync(version);
        Assert.Equal(version < 5 ? 0 : 0x10, await peer.PublishAsync(NewTopic(), qos: 1));
        var kept = NewTopic();
        Assert.Equal(version < 5 ? 0 : 0x10, await peer.PublishAsync(kept, qos: 1, retain: true));
        Assert.Equal(0, await peer.PublishAsync(NewTopic(), qos: 2));
        await peer.SubscribeAsync(kept);
        Assert.Equal(0, await peer.PublishAsync(kept, qos: 1));
    }

    private async Task<(string Topic, MqttPeer Subscriber)> SubscribeAsync(int version)
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync(version);
        Assert.Equal(2, await subscriber.SubscribeAsync(topic, 2));
        return (topic, subscriber);
    }
}
