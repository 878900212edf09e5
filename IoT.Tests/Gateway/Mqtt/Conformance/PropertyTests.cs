using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Properties that go through, message expiry, problem and response information, AUTH: MQTT 5 section 3.1.2.11, 3.3.2.3 and 4.12.</summary>
public sealed class PropertyTests(OpenPlatform platform) : ConformanceTest(platform)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_is_to_be_passed_on_is_passed_on_unchanged(int qos)
    {
        var (topic, peer) = await SubscribeAsync();
        await (await ConnectAsync()).PublishAsync(topic, "text", qos, properties:
        [
            .. Prop.User("z", "1"), .. Prop.PayloadFormat(1), .. Prop.ContentType("application/json; ä"), .. Prop.User("a", "2"),
            .. Prop.ResponseTopic("answers/to"), .. Prop.CorrelationData(0, 255, 1), .. Prop.User("z", ""), .. Prop.User("", "3"), .. Prop.User("z", "1"),
        ]);
        var message = await peer.ReceiveAsync();
        Assert.Equal(1, message.Properties.Number(Prop.PayloadFormatId));
        Assert.Equal("application/json; ä", message.Properties.Text(Prop.ContentTypeId));
        Assert.Equal("answers/to", message.Properties.Text(Prop.ResponseTopicId));
        Assert.Equal([0, 255, 1], message.Properties.Binary(Prop.CorrelationDataId)!);
        Assert.Equal(["z=1", "a=2", "z=", "=3", "z=1"], message.Properties.User);
    }

    [Fact]
    public async Task A_publish_without_properties_arrives_without()
    {
        var (topic, peer) = await SubscribeAsync();
        await (await ConnectAsync()).PublishAsync(topic);
        Assert.Empty((await peer.ReceiveAsync()).Properties.All);
        await (await ConnectAsync(4)).PublishAsync(topic, qos: 1);
        Assert.Empty((await peer.ReceiveAsync()).Properties.All);
    }

    [Fact]
    public async Task Properties_do_not_reach_3_1_1()
    {
        var topic = NewTopic();
        var old = await ConnectAsync(4);
        await old.SubscribeAsync(topic, 1);
        await (await ConnectAsync()).PublishAsync(topic, "plain", 1, properties: [.. Prop.User("a", "b"), .. Prop.ContentType("c")]);
        Assert.Equal("plain", (await old.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task Properties_wait_with_a_queued_message()
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, 2);
        await first.DisconnectAsync();
        await (await ConnectAsync()).PublishAsync(topic, "q", 2, properties: [.. Prop.User("b", "1"), .. Prop.User("a", "2"), .. Prop.CorrelationData(7), .. Prop.PayloadFormat(0)]);
        var message = await (await ResumeAsync(5, id)).ReceiveAsync();
        Assert.Equal(["b=1", "a=2"], message.Properties.User);
        Assert.Equal([7], message.Properties.Binary(Prop.CorrelationDataId)!);
    }

    [Theory]
    [InlineData("C3 28")]
    [InlineData("FF")]
    [InlineData("ED A0 80")]
    public async Task A_payload_that_is_not_what_its_format_says_is_refused(string hex)
    {
        Strict();
        var (topic, peer) = await SubscribeAsync();
        var publisher = await ConnectAsync();
        await publisher.SendAsync(publisher.PublishPacket(topic, Bytes.Hex(hex), 1, id: 1, properties: Prop.PayloadFormat(1)));
        Assert.Equal((1, 0x99), await publisher.NextAsync(Kind.PubAck) is var ack ? (ack.Id, ack.Code) : default);
        await publisher.SendAsync(publisher.PublishPacket(topic, Bytes.Hex(hex), 2, id: 2, properties: Prop.PayloadFormat(1)));
        Assert.Equal((2, 0x99), await publisher.NextAsync(Kind.PubRec) is var rec ? (rec.Id, rec.Code) : default);
        // Refused, its packet id is free.
        Assert.Equal(0, await publisher.PublishAsync(topic, "good", 2));
        Assert.Equal("good", (await peer.ReceiveAsync()).Text);
        Assert.Empty(await peer.CollectAsync());
    }

    [Fact]
    public async Task Bytes_are_bytes_without_a_format()
    {
        var (topic, peer) = await SubscribeAsync();
        await peer.SendAsync(peer.PublishPacket(topic, [0xC3, 0x28], 1, id: 900));
        Assert.Equal(0, (await peer.WaitAsync(Kind.PubAck)).Code);
        Assert.Equal([0xC3, 0x28], (await peer.WaitAsync(Kind.Publish)).Body[^2..]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_message_that_has_expired_is_not_delivered(int qos)
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, 2);
        await first.DisconnectAsync();
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, "short", qos, properties: Prop.MessageExpiry(1));
        await publisher.PublishAsync(topic, "long", qos, properties: Prop.MessageExpiry(100));
        await PassAsync(2.5);
        var message = await (await ResumeAsync(5, id)).ReceiveAsync();
        Assert.Equal("long", message.Text);
        Assert.InRange(message.Properties.Number(Prop.MessageExpiryId)!.Value, 95, 99);
    }

    [Fact]
    public async Task An_expiry_arrives_with_a_message_that_did_not_wait()
    {
        var (topic, peer) = await SubscribeAsync();
        await (await ConnectAsync()).PublishAsync(topic, properties: Prop.MessageExpiry(100));
        Assert.InRange((await peer.ReceiveAsync()).Properties.Number(Prop.MessageExpiryId)!.Value, 99, 100);
    }

    [Fact]
    public async Task What_waits_for_the_receive_maximum_expires_too()
    {
        Strict();
        var topic = NewTopic();
        var peer = await ConnectAsync(properties: Prop.ReceiveMaximum(1));
        await peer.SubscribeAsync(topic, 1);
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, "1", 1);
        await publisher.PublishAsync(topic, "2", 1, properties: Prop.MessageExpiry(1));
        await publisher.PublishAsync(topic, "3", 1);
        var first = await peer.ReceiveOnlyAsync();
        await PassAsync(2.5);
        await peer.AcknowledgeAsync(first);
        Assert.Equal("3", (await peer.ReceiveOnlyAsync()).Text);
    }

    [Fact]
    public async Task Without_problem_information_no_reason_is_given_with_acknowledgements()
    {
        Strict();
        foreach (var wanted in new byte[] { 0, 1 })
        {
            var peer = await ConnectAsync(properties: Prop.RequestProblem(wanted));
            await peer.SendAsync(peer.PublishPacket("$SYS/x", "x", 1, id: 1));
            var ack = await peer.NextAsync(Kind.PubAck);
            Assert.Equal(0x87, ack.Code);
            Assert.Equal(wanted == 1, ack.Properties.Has(Prop.ReasonStringId));
            Assert.False(ack.Properties.Has(Prop.UserPropertyId));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Response_information_is_given_only_when_it_is_asked_for(byte wanted)
    {
        var peer = await ConnectAsync(properties: Prop.RequestResponse(wanted));
        if (wanted == 0 || IsOtherBroker)
        {
            Assert.False(wanted == 0 && peer.ConnAck!.Properties.Has(Prop.ResponseInformationId));
            return;
        }
        // Topics below it are the client's to be answered on.
        var answers = peer.ConnAck!.Properties.Text(Prop.ResponseInformationId);
        Assert.Equal(1, await peer.SubscribeAsync($"{answers}1", 1));
        await (await ConnectAsync()).PublishAsync($"{answers}1", "answer", 1);
        Assert.Equal("answer", (await peer.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_request_finds_its_answer()
    {
        var (requests, answers) = (NewTopic(), NewTopic());
        var (client, server) = (await ConnectAsync(), await ConnectAsync());
        await client.SubscribeAsync(answers, 1);
        await server.SubscribeAsync(requests, 1);
        await client.PublishAsync(requests, "ask", 1, properties: [.. Prop.ResponseTopic(answers), .. Prop.CorrelationData(42)]);
        var request = await server.ReceiveAsync();
        await server.PublishAsync(request.Properties.Text(Prop.ResponseTopicId)!, "answer", 1, properties: Prop.CorrelationData(request.Properties.Binary(Prop.CorrelationDataId)!));
        Assert.Equal([42], (await client.ReceiveAsync()).Properties.Binary(Prop.CorrelationDataId)!);
    }

    [Fact]
    public async Task An_authentication_method_that_the_broker_does_not_have_is_refused()
    {
        var peer = await OpenAsync();
        await peer.SendAsync(peer.ConnectPacket(MqttPeer.NewName("c"), true, 0, [.. Prop.AuthMethod("SCRAM-SHA-1"), .. Prop.AuthData(1, 2)], null));
        Assert.Equal((byte?)0x8C, await peer.EndAsync());
    }

    [Theory]
    [InlineData("F0 08 18 06 15 0003 612D62", "a method out of nowhere")]
    [InlineData("F0 08 19 06 15 0003 612D62", "re-authentication without a method at CONNECT")]
    public async Task AUTH_ends_a_connection_that_has_begun_without(string hex, string what)
    {
        _ = what;
        var peer = await ConnectAsync();
        await peer.SendAsync(Bytes.Hex(hex));
        await AssertEndsAsync(peer, 0x82, 0x8C);
    }

    [Fact]
    public async Task Properties_of_DISCONNECT_are_understood()
    {
        var peer = await ConnectAsync();
        await peer.DisconnectAsync(0, [0x1F, .. Bytes.Text("bye"), .. Prop.User("a", "b")]);
    }

    [Theory]
    [InlineData("03 21 0001")]
    [InlineData("0A 11 00000001 11 00000001")]
    [InlineData("02 01 00")]
    public async Task Wrong_properties_of_DISCONNECT_are_a_protocol_error_that_publishes_the_will(string hex)
    {
        Strict();
        var topic = NewTopic();
        var watcher = await ConnectAsync();
        await watcher.SubscribeAsync(topic);
        var peer = await ConnectAsync(will: new Will(topic));
        await peer.SendAsync(Bytes.Packet(0xE0, [0, .. Bytes.Hex(hex)]));
        await AssertEndsAsync(peer, 0x81, 0x82);
        await watcher.ReceiveAsync();
    }

    private async Task<(string Topic, MqttPeer Peer)> SubscribeAsync()
    {
        var topic = NewTopic();
        var peer = await ConnectAsync();
        Assert.Equal(2, await peer.SubscribeAsync(topic, 2));
        return (topic, peer);
    }
}
