using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Operations;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Connections;

/// <summary>What the settings bound, and what a client is told of it.</summary>
[Collection(nameof(NarrowPlatform))]
public sealed class BoundsTests(NarrowPlatform platform)
{
    [Fact]
    public async Task A_longer_keep_alive_and_a_longer_expiry_than_the_settings_allow_are_told_to_MQTT_5()
    {
        var terms = await TermsAsync(keepAlive: 1_000, Prop.SessionExpiry(1_000_000));
        Assert.Equal((600L, 86_400L), (terms.Number(Prop.ServerKeepAliveId), terms.Number(Prop.SessionExpiryId)));
        Assert.Equal(50, terms.Number(Prop.ReceiveMaximumId));
        // None at all is longer than any.
        Assert.Equal(600, (await TermsAsync(keepAlive: 0, [])).Number(Prop.ServerKeepAliveId));
        var asked = await TermsAsync(keepAlive: 600, Prop.SessionExpiry(86_400));
        Assert.False(asked.Has(Prop.ServerKeepAliveId) || asked.Has(Prop.SessionExpiryId));

        async Task<Properties> TermsAsync(ushort keepAlive, byte[] properties)
        {
            await using var peer = await OpenAsync();
            var answer = await peer.ConnectAsync(MqttPeer.NewName("c"), keepAlive: keepAlive, properties: properties);
            await peer.DisconnectAsync(0, properties.Length > 0 ? Prop.SessionExpiry(0) : null);
            return answer.Properties;
        }
    }

    [Fact]
    public async Task One_session_over_the_most_is_refused_and_let_in_when_another_has_ended()
    {
        var peers = new List<MqttPeer>();
        try
        {
            Packet answer;
            do
            {
                peers.Add(await OpenAsync());
                answer = await peers[^1].ConnectAsync(MqttPeer.NewName("c"));
            }
            while (answer.Code == 0 && peers.Count < 40);
            Assert.Equal(0x97, answer.Code);
            Assert.InRange(peers.Count, 20, 31);
            await using (var old = await OpenAsync(4))
                Assert.Equal(3, (await old.ConnectAsync(MqttPeer.NewName("c"))).Code);

            await peers[0].DisconnectAsync();
            await Eventually.TrueAsync(
                async () =>
                {
                    await using var next = await OpenAsync();
                    return (await next.ConnectAsync(MqttPeer.NewName("c"))).Code == 0;
                },
                "the place that is free");
        }
        finally
        {
            foreach (var peer in peers)
                await peer.DisposeAsync();
        }
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_mqtt_sessions", "") < 10, "the end of the sessions");
    }

    [Theory]
    [InlineData(4, 0x80)]
    [InlineData(5, 0x97)]
    public async Task One_subscription_over_the_most_is_refused_and_an_old_one_may_be_replaced(int version, byte code)
    {
        await using var peer = await OpenAsync(version);
        await peer.ConnectAsync(MqttPeer.NewName("c"));
        var topic = MqttPeer.NewName("t");
        var granted = await peer.SubscribeAllAsync(null, [.. Enumerable.Range(0, 21).Select(n => ($"{topic}/{n}", 1))]);
        Assert.Equal([.. Enumerable.Repeat((byte)1, 20), code], granted.Codes);
        Assert.Equal(2, await peer.SubscribeAsync($"{topic}/0", 2));
        await peer.UnsubscribeAsync($"{topic}/0");
        Assert.Equal(0, await peer.SubscribeAsync($"{topic}/20"));
    }

    [Fact]
    public async Task One_retained_message_over_the_most_is_delivered_and_not_retained_and_an_alarm_says_so()
    {
        await using var peer = await OpenAsync();
        await peer.ConnectAsync(MqttPeer.NewName("c"));
        var topic = MqttPeer.NewName("kept");
        await peer.SubscribeAsync($"{topic}/#");
        // Fewer, by those under $SYS.
        for (var n = 0; n < 41; n++)
        {
            await peer.PublishAsync($"{topic}/{n}", "x", 1, retain: true);
            Assert.Equal($"{topic}/{n}", (await peer.ReceiveAsync()).Topic);
        }
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/health/ready")).Text.Contains("mqtt_retained_full", StringComparison.Ordinal), "the alarm");
        Assert.Null(await RetainedAsync(40));
        // Another in its place, and one in the place of one that was taken away.
        await peer.PublishAsync($"{topic}/0", "y", 1, retain: true);
        Assert.Equal("y", await RetainedAsync(0));
        await peer.PublishAsync($"{topic}/1", "", 1, retain: true);
        await peer.PublishAsync($"{topic}/40", "z", 1, retain: true);
        Assert.Equal("z", await RetainedAsync(40));
        for (var n = 0; n < 41; n++)
            await peer.PublishAsync($"{topic}/{n}", "", 1, retain: true);

        async Task<string?> RetainedAsync(int n)
        {
            await using var late = await OpenAsync();
            await late.ConnectAsync(MqttPeer.NewName("c"));
            await late.SubscribeAsync($"{topic}/{n}");
            return (await late.CollectAsync()).SingleOrDefault()?.Text;
        }
    }

    private Task<MqttPeer> OpenAsync(int version = 5) => MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, version);
}
