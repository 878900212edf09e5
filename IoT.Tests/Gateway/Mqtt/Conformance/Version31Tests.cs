using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>MQTT 3.1 (MQIsdp, level 3), which devices of 2010 speak: where it is not 3.1.1.</summary>
public sealed class Version31Tests(OpenPlatform platform) : ConformanceTest(platform)
{
    private const int Version = 3;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task It_publishes_and_subscribes(int qos)
    {
        var topic = NewTopic();
        var peer = await ConnectAsync(Version);
        Assert.Equal(qos, await peer.SubscribeAsync(topic, qos));
        Assert.True(await peer.PublishAsync(topic, "old", qos) < 0x80);
        var message = await peer.ReceiveAsync();
        Assert.Equal(("old", qos, false), (message.Text, message.Qos, message.IsDup));
        await peer.UnsubscribeAsync(topic);
        await peer.PublishAsync(topic, "no more", qos);
        Assert.Empty(await peer.CollectAsync());
        await peer.DisconnectAsync();
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task It_talks_with_clients_of_later_versions(int version)
    {
        var topic = NewTopic();
        var (old, later) = (await ConnectAsync(Version), await ConnectAsync(version));
        await old.SubscribeAsync(topic + "/1", 2);
        await later.SubscribeAsync(topic + "/2", 2);
        await later.PublishAsync(topic + "/1", "to the old one", 2, properties: version < 5 ? null : Prop.User("n", "v"));
        Assert.Equal("to the old one", (await old.ReceiveAsync()).Text);
        await old.PublishAsync(topic + "/2", "from the old one", 2);
        Assert.Equal("from the old one", (await later.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task The_flags_of_its_CONNECT_say_nothing()
    {
        var peer = await OpenAsync(Version);
        var connect = peer.ConnectPacket(MqttPeer.NewName("c"), true, 0, null, null);
        connect[0] |= 4;
        await peer.SendAsync(connect);
        Assert.Equal(0, (await peer.NextAsync(Kind.ConnAck)).Code);
    }

    [Fact]
    public async Task A_session_lasts_and_CONNACK_has_no_word_for_it()
    {
        var (topic, id) = (NewTopic(), MqttPeer.NewName("c"));
        var peer = await ConnectAsync(Version, id, clean: false);
        await peer.SubscribeAsync(topic, 1);
        await peer.DisconnectAsync();
        var publisher = await ConnectAsync(4);
        await publisher.PublishAsync(topic, "waits", 1);
        peer = await ConnectAsync(Version, id, clean: false);
        Assert.Equal([0, 0], peer.ConnAck!.Body);
        Assert.Equal("waits", (await peer.ReceiveAsync()).Text);
        await peer.DisconnectAsync();
        // It is the same session in 3.1.1.
        Assert.True((await ConnectAsync(4, id, clean: false)).ConnAck!.IsSessionPresent);
        await ConnectAsync(Version, id);
    }

    [Fact]
    public async Task What_is_sent_again_says_so()
    {
        var topic = NewTopic();
        var peer = await ConnectAsync(Version);
        await peer.SendAsync(Bytes.Packet(0x8A, [0, 1, .. Bytes.Text(topic), 2]));
        Assert.Equal([2], (await peer.NextAsync(Kind.SubAck)).Codes);
        await peer.SendAsync(peer.PublishPacket(topic, "once", 2, id: 7));
        await peer.WaitAsync(Kind.PubRec);
        await peer.SendAsync(MqttPeer.Ack(0x6A, 7));
        Assert.Equal(7, (await peer.WaitAsync(Kind.PubComp)).Id);
        Assert.Equal("once", (await peer.ReceiveAsync()).Text);
        await peer.SendAsync(Bytes.Packet(0xAA, [0, 2, .. Bytes.Text(topic)]));
        Assert.Equal(2, (await peer.WaitAsync(Kind.UnsubAck)).Id);
    }

    [Theory]
    [InlineData(0x82, "a user name")]
    [InlineData(0xC2, "user name and password")]
    [InlineData(0x03, "something that is reserved later")]
    [InlineData(0x0A, "a QoS of no will")]
    [InlineData(0x22, "a retained will that is none")]
    public async Task Flags_that_promise_what_does_not_follow_are_passed_over(byte flags, string what)
    {
        var peer = await OpenAsync(Version);
        await peer.SendAsync(Bytes.Connect(Version, flags, 0, Bytes.Text(MqttPeer.NewName("c"))));
        Assert.True((await peer.NextAsync(Kind.ConnAck)).Code == 0, what);
        await peer.PingAsync();
    }

    [Fact]
    public async Task A_user_name_may_stand_without_the_password_that_the_flags_promise()
    {
        Strict();
        var peer = await OpenAsync(Version);
        await peer.SendAsync(Bytes.Connect(Version, 0xC2, 0, [.. Bytes.Text(MqttPeer.NewName("c")), .. Bytes.Text("nobody")]));
        Assert.Equal(4, (await peer.NextAsync(Kind.ConnAck)).Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_empty_id_is_refused(bool clean)
    {
        var peer = await OpenAsync(Version);
        Assert.Equal(2, (await peer.ConnectAsync("", clean)).Code);
        Assert.Null(await peer.ReadAsync());
    }

    [Fact]
    public async Task A_long_id_is_taken() => await (await ConnectAsync(Version, MqttPeer.NewName(new string('i', 100)))).PingAsync();

    [Fact]
    public async Task A_will_is_published()
    {
        var topic = NewTopic();
        var watcher = await ConnectAsync(4);
        await watcher.SubscribeAsync(topic, 1);
        var peer = await ConnectAsync(Version, will: new Will(topic, "gone", 1));
        await peer.DisposeAsync();
        Assert.Equal("gone", (await watcher.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_subscription_that_is_not_allowed_is_answered_like_any_other()
    {
        Strict();
        var peer = await ConnectAsync(Version);
        Assert.Equal(1, await peer.SubscribeAsync("$SYS/broker/uptime", 1));
        Assert.Empty(await peer.CollectAsync());
        Assert.Equal(0x80, await (await ConnectAsync(4)).SubscribeAsync("$SYS/broker/uptime", 1));
    }
}
