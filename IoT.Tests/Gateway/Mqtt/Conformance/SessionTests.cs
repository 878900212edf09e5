using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Sessions: MQTT 3.1.1 section 3.1.2.4 and 4.1, MQTT 5 section 3.1.2.4, 3.1.2.11.2 and 3.14.2.2.2.</summary>
public sealed class SessionTests(OpenPlatform platform) : ConformanceTest(platform)
{
    private const uint Never = uint.MaxValue;

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_session_is_present_when_it_was_kept(int version)
    {
        var id = MqttPeer.NewName("c");
        var first = await ResumeAsync(version, id);
        Assert.False(first.ConnAck!.IsSessionPresent);
        await first.DisconnectAsync();
        var second = await ResumeAsync(version, id);
        Assert.True(second.ConnAck!.IsSessionPresent);
        await second.DisposeAsync();
        Assert.True((await ResumeAsync(version, id)).ConnAck!.IsSessionPresent);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_clean_start_takes_the_old_session_away(int version)
    {
        var id = MqttPeer.NewName("c");
        var topic = NewTopic();
        var old = await ResumeAsync(version, id);
        await old.SubscribeAsync(topic, 1);
        await old.DisconnectAsync();
        var clean = await ConnectAsync(version, id);
        Assert.False(clean.ConnAck!.IsSessionPresent);
        await (await ConnectAsync()).PublishAsync(topic, qos: 1);
        Assert.Empty(await clean.CollectAsync());
        await clean.DisconnectAsync();
        Assert.False((await ResumeAsync(version, id)).ConnAck!.IsSessionPresent);
    }

    [Fact]
    public async Task A_clean_session_of_3_1_1_ends_with_its_connection()
    {
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(4, id)).DisconnectAsync();
        Assert.False((await ResumeAsync(4, id)).ConnAck!.IsSessionPresent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_an_expiry_a_session_of_5_ends_with_its_connection(bool clean)
    {
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(5, id, clean)).DisconnectAsync();
        Assert.False((await ResumeAsync(5, id)).ConnAck!.IsSessionPresent);
    }

    [Fact]
    public async Task A_clean_start_with_an_expiry_makes_a_session_that_lasts()
    {
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(5, id, clean: true, properties: Prop.SessionExpiry(Never))).DisconnectAsync();
        Assert.True((await ResumeAsync(5, id)).ConnAck!.IsSessionPresent);
        await (await ConnectAsync(5, id)).DisconnectAsync();
    }

    [Fact]
    public async Task A_session_ends_when_its_expiry_has_passed()
    {
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(5, id, properties: Prop.SessionExpiry(1))).DisconnectAsync();
        await PassAsync(2.5);
        Assert.False((await ResumeAsync(5, id)).ConnAck!.IsSessionPresent);
    }

    [Fact]
    public async Task The_expiry_counts_from_the_end_of_the_connection()
    {
        var id = MqttPeer.NewName("c");
        var first = await ConnectAsync(5, id, properties: Prop.SessionExpiry(2));
        await PassAsync(2.5);
        await first.DisconnectAsync();
        Assert.True((await ResumeAsync(5, id)).ConnAck!.IsSessionPresent);
    }

    [Fact]
    public async Task DISCONNECT_may_shorten_the_expiry()
    {
        var id = MqttPeer.NewName("c");
        await (await ResumeAsync(5, id)).DisconnectAsync(0, Prop.SessionExpiry(0));
        Assert.False((await ResumeAsync(5, id)).ConnAck!.IsSessionPresent);
    }

    [Fact]
    public async Task DISCONNECT_may_lengthen_the_expiry()
    {
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(5, id, properties: Prop.SessionExpiry(1))).DisconnectAsync(0, Prop.SessionExpiry(300));
        await PassAsync(2.5);
        Assert.True((await ResumeAsync(5, id)).ConnAck!.IsSessionPresent);
    }

    [Fact]
    public async Task DISCONNECT_must_not_give_an_expiry_to_a_session_without()
    {
        var peer = await ConnectAsync();
        await peer.SendAsync(Bytes.Packet(0xE0, [0, .. Bytes.PropertyList(Prop.SessionExpiry(10))]));
        await AssertEndsAsync(peer, 0x82);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Subscriptions_are_part_of_the_session(int version)
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, 1);
        await first.DisconnectAsync();
        var second = await ResumeAsync(version, id);
        await (await ConnectAsync()).PublishAsync(topic, "after", 1);
        Assert.Equal("after", (await second.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task Messages_wait_for_a_session_in_their_order(int version, int qos)
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, qos);
        await first.DisconnectAsync();
        var publisher = await ConnectAsync();
        for (var n = 1; n <= 15; n++)
            await publisher.PublishAsync(topic, $"{n}", qos);
        var second = await ResumeAsync(version, id);
        for (var n = 1; n <= 15; n++)
        {
            var message = await second.ReceiveAsync();
            Assert.Equal(($"{n}", qos, false), (message.Text, message.Qos, message.IsDup));
        }
        Assert.Empty(await second.CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Messages_wait_while_the_connection_is_lost_without_a_word(int version)
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, 1);
        await first.DisposeAsync();
        await (await ConnectAsync()).PublishAsync(topic, "kept", 1);
        Assert.Equal("kept", (await (await ResumeAsync(version, id)).ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_session_goes_on_from_3_1_1_to_5()
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(4, id);
        await first.SubscribeAsync(topic, 1);
        await first.DisconnectAsync();
        await (await ConnectAsync()).PublishAsync(topic, "both", 1);
        var second = await ResumeAsync(5, id);
        Assert.True(second.ConnAck!.IsSessionPresent);
        Assert.Equal("both", (await second.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_second_connection_of_a_client_takes_the_place_of_the_first(int version)
    {
        var id = MqttPeer.NewName("c");
        var first = await ConnectAsync(version, id);
        var second = await ConnectAsync(version, id);
        await AssertEndsAsync(first, 0x8E);
        await second.PingAsync();
        Assert.False(second.ConnAck!.IsSessionPresent);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_takeover_goes_on_with_the_session(int version)
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, 1);
        await (await ConnectAsync()).PublishAsync(topic, "unacknowledged", 1);
        Assert.False((await first.ReceiveOnlyAsync()).IsDup);
        var second = await ResumeAsync(version, id);
        Assert.True(second.ConnAck!.IsSessionPresent);
        await AssertEndsAsync(first, 0x8E);
        var again = await second.ReceiveAsync();
        Assert.True(again.IsDup);
        Assert.Equal("unacknowledged", again.Text);
    }

    [Fact]
    public async Task Ten_takeovers_in_a_row_leave_the_last()
    {
        var id = MqttPeer.NewName("c");
        MqttPeer? last = null;
        for (var n = 0; n < 10; n++)
            last = await ConnectAsync(n % 2 == 0 ? 5 : 4, id);
        await last!.PingAsync();
    }

    [Fact]
    public async Task Receive_maximum_and_aliases_are_not_part_of_the_session()
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(5, id, Prop.ReceiveMaximum(1));
        await first.SubscribeAsync(topic, 1);
        await first.DisconnectAsync();
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(topic, "1", 1);
        await publisher.PublishAsync(topic, "2", 1);
        var second = await ResumeAsync(5, id);
        Assert.Equal("1", (await second.ReceiveOnlyAsync()).Text);
        Assert.Equal("2", (await second.ReceiveOnlyAsync()).Text);
    }
}
