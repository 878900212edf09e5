using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Wills: MQTT 3.1.1 section 3.1.2.5, MQTT 5 section 3.1.2.5 and 3.1.3.2.</summary>
public sealed class WillTests(OpenPlatform platform) : ConformanceTest(platform)
{
    [Theory]
    [InlineData(4, 0)]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 0)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task A_lost_connection_publishes_the_will(int version, int qos)
    {
        var (topic, watcher) = await WatchAsync();
        var client = await ConnectAsync(version, will: new Will(topic, "lost", qos));
        await client.DisposeAsync();
        var will = await watcher.ReceiveAsync();
        Assert.Equal(("lost", qos, false), (will.Text, will.Qos, will.IsRetain));
        Assert.Empty(await watcher.CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task DISCONNECT_withdraws_the_will(int version)
    {
        var (topic, watcher) = await WatchAsync();
        await (await ConnectAsync(version, will: new Will(topic))).DisconnectAsync();
        Assert.Empty(await watcher.CollectAsync());
    }

    [Fact]
    public async Task DISCONNECT_with_will_publishes_it()
    {
        var (topic, watcher) = await WatchAsync();
        await (await ConnectAsync(will: new Will(topic))).DisconnectAsync(4);
        Assert.Equal("gone", (await watcher.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(0x80)]
    [InlineData(0x81)]
    [InlineData(0x93)]
    // A server's, and none.
    [InlineData(0x8E)]
    [InlineData(0x05)]
    public async Task DISCONNECT_with_an_error_publishes_it(byte code)
    {
        Strict();
        var (topic, watcher) = await WatchAsync();
        await (await ConnectAsync(will: new Will(topic))).DisconnectAsync(code);
        Assert.Equal("gone", (await watcher.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_protocol_error_publishes_the_will(int version)
    {
        var (topic, watcher) = await WatchAsync();
        var client = await ConnectAsync(version, will: new Will(topic));
        await client.SendAsync(0x36, 0);
        await client.EndAsync();
        Assert.Equal("gone", (await watcher.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_takeover_of_a_clean_session_publishes_the_will_of_the_first(int version)
    {
        var (topic, watcher) = await WatchAsync();
        var id = MqttPeer.NewName("c");
        await ConnectAsync(version, id, will: new Will(topic, "first"));
        await ConnectAsync(version, id);
        Assert.Equal("first", (await watcher.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_retained_will_is_retained(int version)
    {
        var (topic, watcher) = await WatchAsync();
        var client = await ConnectAsync(version, will: new Will(topic, "kept", 1, IsRetain: true));
        await client.DisposeAsync();
        Assert.False((await watcher.ReceiveAsync()).IsRetain);
        var late = await ConnectAsync(version);
        await late.SubscribeAsync(topic, 1);
        var will = await late.ReceiveAsync();
        Assert.Equal(("kept", true), (will.Text, will.IsRetain));
        await late.PublishAsync(topic, "", retain: true);
    }

    [Fact]
    public async Task A_will_may_be_empty()
    {
        var (topic, watcher) = await WatchAsync();
        await (await ConnectAsync(will: new Will(topic, ""))).DisposeAsync();
        Assert.Equal("", (await watcher.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_will_has_its_properties()
    {
        var (topic, watcher) = await WatchAsync();
        byte[] properties =
        [
            .. Prop.PayloadFormat(1), .. Prop.ContentType("text/plain"), .. Prop.ResponseTopic("answers/here"), .. Prop.CorrelationData(1, 0, 2),
            .. Prop.User("b", "1"), .. Prop.User("a", "2"), .. Prop.User("b", "3"), .. Prop.MessageExpiry(100),
        ];
        await (await ConnectAsync(will: new Will(topic, "text", Properties: properties))).DisposeAsync();
        var will = (await watcher.ReceiveAsync()).Properties;
        Assert.Equal(1, will.Number(Prop.PayloadFormatId));
        Assert.Equal("text/plain", will.Text(Prop.ContentTypeId));
        Assert.Equal("answers/here", will.Text(Prop.ResponseTopicId));
        Assert.Equal([1, 0, 2], will.Binary(Prop.CorrelationDataId)!);
        Assert.Equal(["b=1", "a=2", "b=3"], will.User);
        Assert.InRange(will.Number(Prop.MessageExpiryId)!.Value, 98, 100);
        Assert.False(will.Has(Prop.WillDelayId));
    }

    [Fact]
    public async Task A_will_waits_for_its_delay()
    {
        var (topic, watcher) = await WatchAsync();
        var start = TimeProvider.System.GetTimestamp();
        await (await ConnectAsync(properties: Prop.SessionExpiry(60), will: new Will(topic, Properties: Prop.WillDelay(2)))).DisposeAsync();
        Assert.Empty(await watcher.CollectAsync());
        await watcher.ReceiveAsync();
        Assert.True(TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_client_that_comes_back_within_the_delay_withdraws_its_will()
    {
        var (topic, watcher) = await WatchAsync();
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(5, id, properties: Prop.SessionExpiry(60), will: new Will(topic, Properties: Prop.WillDelay(1)))).DisposeAsync();
        var back = await ConnectAsync(5, id, clean: false, properties: Prop.SessionExpiry(60));
        Assert.True(back.ConnAck!.IsSessionPresent);
        await PassAsync(2.5);
        Assert.Empty(await watcher.CollectAsync());
    }

    [Fact]
    public async Task The_end_of_the_session_publishes_a_delayed_will_at_once()
    {
        Strict();
        var (topic, watcher) = await WatchAsync();
        await (await ConnectAsync(will: new Will(topic, Properties: Prop.WillDelay(60)))).DisposeAsync();
        await watcher.ReceiveAsync();
    }

    [Fact]
    public async Task An_expiry_that_ends_before_the_delay_publishes_the_will()
    {
        Strict();
        var (topic, watcher) = await WatchAsync();
        await (await ConnectAsync(properties: Prop.SessionExpiry(1), will: new Will(topic, Properties: Prop.WillDelay(60)))).DisposeAsync();
        await watcher.ReceiveAsync();
    }

    [Fact]
    public async Task A_clean_start_publishes_a_delayed_will_at_once()
    {
        Strict();
        var (topic, watcher) = await WatchAsync();
        var id = MqttPeer.NewName("c");
        await (await ConnectAsync(5, id, properties: Prop.SessionExpiry(60), will: new Will(topic, Properties: Prop.WillDelay(60)))).DisposeAsync();
        await ConnectAsync(5, id, clean: true);
        Assert.Equal("gone", (await watcher.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData("02 0B 01", "a subscription id")]
    [InlineData("03 23 0001", "a topic alias")]
    [InlineData("0A 18 00000001 18 00000001", "the delay twice")]
    [InlineData("02 01 02", "payload format 2")]
    [InlineData("05 11 00000001", "a session expiry")]
    [InlineData("06 08 0003 61 2F 23", "a response topic with a wildcard")]
    public async Task A_will_with_wrong_properties_is_refused(string hex, string what)
    {
        Strict(what is "a response topic with a wildcard" or "payload format 2");
        var peer = await OpenAsync();
        await peer.SendAsync(Bytes.Connect(5, 6, 0, [0, .. Bytes.Text(MqttPeer.NewName("c")), .. Bytes.Hex(hex), .. Bytes.Text("t"), .. Bytes.Text("p")]));
        Assert.True(await peer.EndAsync() is null or 0x81 or 0x82 or 0x90, what);
    }

    private async Task<(string Topic, MqttPeer Watcher)> WatchAsync()
    {
        var topic = NewTopic("will");
        var watcher = await ConnectAsync();
        await watcher.SubscribeAsync(topic, 2);
        return (topic, watcher);
    }
}
