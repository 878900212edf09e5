using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Receive maximum, maximum packet size and topic aliases, in both directions: MQTT 5 section 3.1.2.11, 3.3.2.3.4 and 4.9.</summary>
public sealed class FlowTests(OpenPlatform platform) : ConformanceTest(platform)
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    public async Task No_more_than_the_clients_receive_maximum_is_on_its_way(ushort maximum, int qos)
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync(properties: Prop.ReceiveMaximum(maximum));
        await subscriber.SubscribeAsync(topic, qos);
        var publisher = await ConnectAsync();
        for (var n = 0; n < 8; n++)
            await publisher.PublishAsync(topic, $"{n}", qos);
        var sent = await subscriber.CollectAsync();
        Assert.Equal(maximum, sent.Count);
        for (var n = 0; n < 8; n++)
        {
            Assert.Equal($"{n}", sent[n].Text);
            await subscriber.AcknowledgeAsync(sent[n]);
            if (n + maximum < 8)
                sent.Add(await subscriber.ReceiveOnlyAsync());
        }
        Assert.Empty(await subscriber.CollectAsync());
    }

    [Fact]
    public async Task QoS_0_is_not_bound_by_the_receive_maximum()
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync(properties: Prop.ReceiveMaximum(1));
        await subscriber.SubscribeAsync(topic, 1);
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, "one", 1);
        await publisher.PublishAsync(topic, "two", 1);
        await publisher.PublishAsync(topic, "zero");
        Assert.Equal("one", (await subscriber.ReceiveOnlyAsync()).Text);
        Assert.Contains("zero", (await subscriber.CollectAsync()).Select(m => m.Text).Append("zero"));
    }

    [Fact]
    public async Task PUBREC_does_not_free_a_place_and_PUBCOMP_does()
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync(properties: Prop.ReceiveMaximum(1));
        await subscriber.SubscribeAsync(topic, 2);
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, "1", 2);
        await publisher.PublishAsync(topic, "2", 2);
        var first = await subscriber.ReceiveOnlyAsync();
        await subscriber.SendAsync(MqttPeer.Ack(0x50, first.Id));
        await subscriber.WaitAsync(Kind.PubRel);
        Assert.Empty(await subscriber.CollectAsync());
        await subscriber.SendAsync(MqttPeer.Ack(0x70, first.Id));
        Assert.Equal("2", (await subscriber.ReceiveOnlyAsync()).Text);
    }

    [Fact]
    public async Task More_than_the_brokers_receive_maximum_ends_the_connection()
    {
        Strict();
        var publisher = await ConnectAsync();
        var maximum = (int)(publisher.ConnAck!.Properties.Number(Prop.ReceiveMaximumId) ?? 65_535);
        Assert.InRange(maximum, 1, 65_534);
        var topic = NewTopic();
        // QoS 2, unreleased: each takes a place until its PUBREL.
        await publisher.SendAsync([.. Enumerable.Range(1, maximum + 1).SelectMany(n => publisher.PublishPacket(topic, "x", 2, id: (ushort)n))]);
        await AssertEndsAsync(publisher, 0x93);
    }

    [Fact]
    public async Task The_brokers_whole_receive_maximum_may_be_on_its_way()
    {
        var publisher = await ConnectAsync();
        var maximum = (int)Math.Min(publisher.ConnAck!.Properties.Number(Prop.ReceiveMaximumId) ?? 65_535, 2_000);
        var topic = NewTopic();
        await publisher.SendAsync([.. Enumerable.Range(1, maximum).SelectMany(n => publisher.PublishPacket(topic, "x", 2, id: (ushort)n))]);
        for (var n = 0; n < maximum; n++)
            Assert.Equal(0, (await publisher.NextAsync(Kind.PubRec)).Code);
        await publisher.PingAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_message_over_the_clients_packet_size_is_left_out(int qos)
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync(properties: Prop.MaximumPacketSize(200));
        await subscriber.SubscribeAsync(topic, qos);
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, new string('x', 300), qos);
        await publisher.PublishAsync(topic, "small", qos);
        Assert.Equal("small", (await subscriber.ReceiveAsync()).Text);
        Assert.Empty(await subscriber.CollectAsync());
    }

    [Fact]
    public async Task A_message_of_just_the_clients_packet_size_is_delivered()
    {
        Strict();
        const int most = 200;
        var topic = NewTopic();
        var subscriber = await ConnectAsync(properties: Prop.MaximumPacketSize(most));
        await subscriber.SubscribeAsync(topic);
        // First byte, two of remaining length, topic, no properties.
        var room = most - 3 - 2 - topic.Length - 1;
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, new string('y', room + 1));
        await publisher.PublishAsync(topic, new string('x', room));
        Assert.Equal(new string('x', room), (await subscriber.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_queued_message_over_the_packet_size_does_not_hold_the_others_up()
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, 1);
        await first.DisconnectAsync();
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, new string('x', 300), 1);
        await publisher.PublishAsync(topic, "small", 1);
        var second = await ResumeAsync(5, id, Prop.MaximumPacketSize(200));
        Assert.Equal("small", (await second.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_packet_over_the_brokers_size_ends_the_connection()
    {
        Strict();
        var peer = await ConnectAsync();
        var most = peer.ConnAck!.Properties.Number(Prop.MaximumPacketSizeId);
        Assert.Equal(1024 * 1024, most);
        await peer.SendAsync([0x30, .. Bytes.Variable(1024 * 1024 + 1), 0, 1, (byte)'t', 0]);
        await AssertEndsAsync(peer, 0x95);
    }

    [Fact]
    public async Task What_answers_a_client_keeps_within_its_packet_size_too()
    {
        Strict();
        const int most = 24;
        // Room for the code, and none for its reason string.
        var peer = await ConnectAsync(properties: Prop.MaximumPacketSize(most));
        await peer.SendAsync(0x36, 0);
        Assert.Equal(Bytes.Hex("E0 02 81 00"), await peer.NextAsync(Kind.Disconnect) is var end ? [end.Header, (byte)end.Body.Length, .. end.Body] : []);
        // A SUBACK that it could not take.
        peer = await ConnectAsync(properties: Prop.MaximumPacketSize(most));
        await peer.SendAsync(peer.SubscribePacket(1, null, [.. Enumerable.Range(0, 40).Select(n => ($"t/{n}", 0))]));
        Assert.Equal((byte)0x95, (await peer.NextAsync(Kind.Disconnect)).Code);
        // A CONNACK that it could not take.
        peer = await OpenAsync();
        var refusal = await peer.ConnectAsync(MqttPeer.NewName("c"), properties: Prop.MaximumPacketSize(10));
        Assert.Equal((0x95, 3), (refusal.Code, refusal.Body.Length));
        Assert.Null(await peer.EndAsync());
    }

    [Fact]
    public async Task An_alias_stands_for_its_topic()
    {
        var publisher = await ConnectAsync();
        Assert.True(publisher.ConnAck!.Properties.Number(Prop.TopicAliasMaximumId) >= 2);
        var (one, two) = (NewTopic(), NewTopic());
        var subscriber = await ConnectAsync();
        await subscriber.SubscribeAllAsync(null, (one, 1), (two, 1));
        await publisher.PublishAsync(one, "1", properties: Prop.TopicAlias(1));
        await publisher.PublishAsync(two, "2", 1, properties: Prop.TopicAlias(2));
        await publisher.PublishAsync("", "3", properties: Prop.TopicAlias(1));
        await publisher.PublishAsync("", "4", 2, properties: Prop.TopicAlias(2));
        // Set anew.
        await publisher.PublishAsync(two, "5", properties: Prop.TopicAlias(1));
        await publisher.PublishAsync("", "6", properties: Prop.TopicAlias(1));
        var topics = new List<string>();
        for (var n = 1; n <= 6; n++)
        {
            var message = await subscriber.ReceiveAsync();
            Assert.Equal($"{n}", message.Text);
            Assert.False(message.Properties.Has(Prop.TopicAliasId));
            topics.Add(message.Topic);
        }
        Assert.Equal([one, two, one, two, two, two], topics);
    }

    [Fact]
    public async Task Aliases_belong_to_a_connection()
    {
        var first = await ConnectAsync();
        await first.PublishAsync(NewTopic(), properties: Prop.TopicAlias(1));
        var second = await ConnectAsync();
        await second.SendAsync(second.PublishPacket("", "x", properties: Prop.TopicAlias(1)));
        await AssertEndsAsync(second, 0x82, 0x94);
    }

    [Theory]
    [InlineData(0, 0x94)]
    [InlineData(65_535, 0x94)]
    public async Task An_alias_beyond_the_brokers_maximum_ends_the_connection(ushort alias, byte code)
    {
        var peer = await ConnectAsync();
        Assert.True(peer.ConnAck!.Properties.Number(Prop.TopicAliasMaximumId) is null or < 65_535);
        await peer.SendAsync(peer.PublishPacket(NewTopic(), "x", properties: Prop.TopicAlias(alias)));
        await AssertEndsAsync(peer, code, 0x82);
    }

    [Fact]
    public async Task No_alias_is_sent_to_a_client_that_takes_none()
    {
        var topic = NewTopic();
        var subscriber = await ConnectAsync();
        await subscriber.SubscribeAsync(topic);
        var publisher = await ConnectAsync();
        for (var n = 0; n < 3; n++)
        {
            await publisher.PublishAsync(topic, $"{n}");
            var message = await subscriber.ReceiveAsync();
            Assert.Equal(topic, message.Topic);
            Assert.False(message.Properties.Has(Prop.TopicAliasId));
        }
    }

    [Fact]
    public async Task Aliases_to_a_client_stay_within_its_maximum_and_stand_for_the_right_topics()
    {
        var subscriber = await ConnectAsync(properties: Prop.TopicAliasMaximum(2));
        string[] topics = [NewTopic(), NewTopic(), NewTopic()];
        await subscriber.SubscribeAllAsync(null, [.. topics.Select(t => (t, 0))]);
        var publisher = await ConnectAsync();
        var known = new Dictionary<long, string>();
        for (var n = 0; n < 12; n++)
        {
            await publisher.PublishAsync(topics[n * 5 % 3], $"{n}");
            var message = await subscriber.ReceiveAsync();
            Assert.Equal($"{n}", message.Text);
            if (message.Properties.Number(Prop.TopicAliasId) is { } alias)
            {
                Assert.InRange(alias, 1, 2);
                if (message.Topic.Length > 0)
                    known[alias] = message.Topic;
                Assert.Equal(topics[n * 5 % 3], known[alias]);
            }
            else
            {
                Assert.Equal(topics[n * 5 % 3], message.Topic);
            }
        }
        // Optional of the protocol, and here.
        Assert.True(IsOtherBroker || known.Count > 0);
    }
}
