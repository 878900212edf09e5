using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Operations;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Connections;

/// <summary>A queue of 100 messages, two seconds to read, one to sign in; bounds of all kinds that are soon reached.</summary>
[CollectionDefinition(nameof(NarrowPlatform))]
public sealed class NarrowPlatform() : StartedPlatform(
    ("Security__AnonymousTopics", "true"), ("Gateway__MqttMaxQueuedMessages", "100"), ("Gateway__MqttWriteSeconds", "2"), ("Gateway__MqttConnectSeconds", "1"),
    ("Gateway__MqttMaxKeepAliveSeconds", "600"), ("Gateway__MqttMaxSessionDays", "1"), ("Gateway__MqttMaxSessions", "30"), ("Gateway__MqttMaxSubscriptions", "20"),
    ("Gateway__MqttMaxRetained", "40"), ("Gateway__MqttMaxInFlight", "50")), ICollectionFixture<NarrowPlatform>;

[Collection(nameof(NarrowPlatform))]
public sealed class SlowClientTests(NarrowPlatform platform)
{
    private static readonly string Large = new('x', 32 * 1024);

    [Fact]
    public async Task Who_does_not_read_loses_messages_and_then_the_connection_and_nobody_else_notices()
    {
        var topic = MqttPeer.NewName("slow");
        await using var slow = await ConnectAsync("slow");
        await slow.SubscribeAsync(topic);
        await using var other = await ConnectAsync("other");
        await other.SubscribeAsync(topic);
        await using var publisher = await ConnectAsync("publisher");
        var before = await platform.MetricAsync("iot_mqtt_messages_dropped", "reason=\"slow\"");
        // More than the sockets and the queue hold.
        for (var n = 0; n < 600; n++)
        {
            await publisher.PublishAsync(topic, Large, 1);
            Assert.Equal(Large.Length, (await other.ReceiveAsync()).Text.Length);
        }
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_mqtt_messages_dropped", "reason=\"slow\"") > before, "the count of what the slow one does not get");
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_mqtt_connections_ended", "reason=\"WriteTimeout\"") >= 1, "the end of the one that does not read");
        await other.PingAsync();
    }

    [Fact]
    public async Task A_backlog_over_its_bound_is_cut_to_its_newest_and_an_alarm_says_so()
    {
        var topic = MqttPeer.NewName("cut");
        var id = MqttPeer.NewName("away");
        await using (var away = await ConnectAsync(id, Prop.SessionExpiry(60)))
        {
            await away.SubscribeAsync(topic, 1);
            await away.DisconnectAsync();
        }
        await using var publisher = await ConnectAsync("publisher");
        for (var n = 0; n < 130; n++)
            await publisher.PublishAsync(topic, $"{n}", 1);
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/health/ready")).Text.Contains("mqtt_backlog_cut", StringComparison.Ordinal), "the alarm");
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_mqtt_messages_dropped", "reason=\"cut\"") >= 50, "the metric");
        Assert.Contains("is over its bound: the oldest 50 messages are cut", platform.Output, StringComparison.Ordinal);

        await using var back = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.True((await back.ConnectAsync(id, clean: false)).IsSessionPresent);
        var texts = new List<string>();
        while (texts.Count == 0 || texts[^1] != "129")
            texts.Add((await back.ReceiveAsync()).Text);
        Assert.Equal(Enumerable.Range(50, 80).Select(n => $"{n}"), texts);
    }

    [Fact]
    public async Task Who_does_not_sign_in_in_time_is_closed()
    {
        await using var silent = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        await using var slow = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        await slow.SendAsync(0x10, 0x20, 0);
        Assert.Null(await silent.EndAsync());
        Assert.Null(await slow.EndAsync());
    }

    private async Task<MqttPeer> ConnectAsync(string id, byte[]? properties = null)
    {
        var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0, (await peer.ConnectAsync(id.StartsWith("away", StringComparison.Ordinal) ? id : MqttPeer.NewName(id), properties: properties)).Code);
        return peer;
    }
}
