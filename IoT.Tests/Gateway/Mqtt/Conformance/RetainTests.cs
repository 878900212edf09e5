using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Retained messages: MQTT 3.1.1 section 3.3.1.3, MQTT 5 section 3.3.1.3 and 3.8.3.1.</summary>
public sealed class RetainTests(OpenPlatform platform) : ConformanceTest(platform)
{
    private const int AsPublished = 8;
    private const int OnlyWhenNew = 0x10;
    private const int Never = 0x20;

    private readonly List<string> _retained = [];

    [Theory]
    [InlineData(4, 0, 0)]
    [InlineData(4, 1, 2)]
    [InlineData(4, 2, 1)]
    [InlineData(5, 0, 0)]
    [InlineData(5, 1, 2)]
    [InlineData(5, 2, 1)]
    public async Task A_new_subscription_gets_the_retained_message(int version, int qos, int granted)
    {
        var topic = await RetainAsync("kept", qos);
        var late = await ConnectAsync(version);
        await late.SubscribeAsync(topic, granted);
        var message = await late.ReceiveAsync();
        Assert.Equal((topic, "kept", Math.Min(qos, granted), true, false), (message.Topic, message.Text, message.Qos, message.IsRetain, message.IsDup));
        Assert.Empty(await late.CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task An_established_subscription_gets_it_without_the_flag(int version)
    {
        var peer = await ConnectAsync(version);
        var topic = Topic();
        await peer.SubscribeAsync(topic, 1);
        await peer.PublishAsync(topic, "live", 1, retain: true);
        Assert.False((await peer.ReceiveAsync()).IsRetain);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task The_last_one_holds(int version)
    {
        var topic = await RetainAsync("first");
        var peer = await ConnectAsync(version);
        await peer.PublishAsync(topic, "second", 1, retain: true);
        await peer.PublishAsync(topic, "not retained", 1);
        await peer.SubscribeAsync(topic);
        Assert.Equal(["second"], await peer.CollectTextsAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task An_empty_payload_takes_it_away_and_is_delivered(int version)
    {
        var topic = await RetainAsync("kept");
        var peer = await ConnectAsync(version);
        await peer.SubscribeAsync(topic);
        await peer.ReceiveAsync();
        await peer.PublishAsync(topic, "", retain: true);
        var empty = await peer.ReceiveAsync();
        Assert.Equal(("", false), (empty.Text, empty.IsRetain));
        var late = await ConnectAsync(version);
        await late.SubscribeAsync(topic);
        Assert.Empty(await late.CollectAsync());
    }

    [Fact]
    public async Task Wildcards_find_all_retained_messages_that_match()
    {
        var topic = Topic();
        var publisher = await ConnectAsync();
        foreach (var level in new[] { "", "/a", "/b", "/a/c", "/a/c/d", "//e" })
        {
            await publisher.PublishAsync(topic + level, $"at {level}", 1, retain: true);
            _retained.Add(topic + level);
        }
        await ExpectAsync($"{topic}/a/#", "/a", "/a/c", "/a/c/d");
        await ExpectAsync($"{topic}/+", "/a", "/b");
        await ExpectAsync($"{topic}/+/c/#", "/a/c", "/a/c/d");
        await ExpectAsync($"{topic}/+/+", "/a/c", "//e");
        await ExpectAsync($"+/a/c/+", "/a/c/d");
        await ExpectAsync($"{topic}/#", "", "/a", "/b", "/a/c", "/a/c/d", "//e");

        async Task ExpectAsync(string filter, params string[] expected)
        {
            var peer = await ConnectAsync();
            await peer.SubscribeAsync(filter, 1);
            Assert.Equal(expected.Select(level => $"at {level}").Order(StringComparer.Ordinal), (await peer.CollectAsync()).Where(m => m.IsRetain && m.Topic.StartsWith(topic, StringComparison.Ordinal)).Select(m => m.Text).Order(StringComparer.Ordinal));
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Subscribing_again_brings_it_again(int version)
    {
        var topic = await RetainAsync("kept");
        var peer = await ConnectAsync(version);
        await peer.SubscribeAsync(topic);
        await peer.SubscribeAsync(topic);
        Assert.Equal(["kept", "kept"], await peer.CollectTextsAsync());
    }

    [Fact]
    public async Task Retain_handling_1_brings_it_only_with_a_new_subscription()
    {
        var topic = await RetainAsync("kept");
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(topic, OnlyWhenNew);
        await peer.SubscribeAsync(topic, OnlyWhenNew | 1);
        Assert.Equal(["kept"], await peer.CollectTextsAsync());
        await peer.UnsubscribeAsync(topic);
        await peer.SubscribeAsync(topic, OnlyWhenNew);
        Assert.Equal(["kept"], await peer.CollectTextsAsync());
    }

    [Fact]
    public async Task Retain_handling_1_knows_subscriptions_of_a_resumed_session()
    {
        var topic = await RetainAsync("kept");
        var id = MqttPeer.NewName("c");
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, OnlyWhenNew);
        await first.ReceiveAsync();
        await first.DisconnectAsync();
        var second = await ResumeAsync(5, id);
        await second.SubscribeAsync(topic, OnlyWhenNew);
        Assert.Empty(await second.CollectAsync());
    }

    [Fact]
    public async Task Retain_handling_2_brings_none()
    {
        var topic = await RetainAsync("kept");
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(topic, Never);
        Assert.Empty(await peer.CollectAsync());
        await peer.PublishAsync(topic, "live", retain: true);
        Assert.Equal("live", (await peer.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Retain_as_published_passes_the_flag_on(bool retain)
    {
        var peer = await ConnectAsync();
        var topic = Topic();
        await peer.SubscribeAsync(topic, AsPublished);
        await peer.PublishAsync(topic, retain: retain);
        Assert.Equal(retain, (await peer.ReceiveAsync()).IsRetain);
    }

    [Fact]
    public async Task Retain_as_published_does_not_change_what_a_new_subscription_gets()
    {
        var topic = await RetainAsync("kept");
        foreach (var options in new[] { 0, AsPublished })
        {
            var peer = await ConnectAsync();
            await peer.SubscribeAsync(topic, options);
            Assert.True((await peer.ReceiveAsync()).IsRetain);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_queued_message_comes_without_the_flag(int version)
    {
        var (id, topic) = (MqttPeer.NewName("c"), Topic());
        var first = await ResumeAsync(version, id);
        await first.SubscribeAsync(topic, 1);
        await first.DisconnectAsync();
        await (await ConnectAsync()).PublishAsync(topic, "queued", 1, retain: true);
        var second = await ResumeAsync(version, id);
        Assert.Equal(("queued", false), await second.ReceiveAsync() is var m ? (m.Text, m.IsRetain) : default);
        Assert.Empty(await second.CollectAsync());
    }

    [Fact]
    public async Task A_retained_message_keeps_its_properties()
    {
        var topic = Topic();
        await (await ConnectAsync()).PublishAsync(topic, "kept", 1, retain: true, properties: [.. Prop.ContentType("c"), .. Prop.User("a", "1"), .. Prop.User("a", "0")]);
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(topic);
        var message = await peer.ReceiveAsync();
        Assert.Equal("c", message.Properties.Text(Prop.ContentTypeId));
        Assert.Equal(["a=1", "a=0"], message.Properties.User);
    }

    [Fact]
    public async Task A_retained_message_expires()
    {
        var topic = Topic();
        await (await ConnectAsync()).PublishAsync(topic, "short", 1, retain: true, properties: Prop.MessageExpiry(1));
        var early = await ConnectAsync();
        await early.SubscribeAsync(topic);
        Assert.Equal(1, (await early.ReceiveAsync()).Properties.Number(Prop.MessageExpiryId));
        await PassAsync(2.5);
        var late = await ConnectAsync();
        await late.SubscribeAsync(topic);
        Assert.Empty(await late.CollectAsync());
    }

    [Fact]
    public async Task What_is_left_of_its_expiry_comes_with_a_retained_message()
    {
        var topic = Topic();
        await (await ConnectAsync()).PublishAsync(topic, "long", 1, retain: true, properties: Prop.MessageExpiry(100));
        await PassAsync(1.5);
        var late = await ConnectAsync();
        await late.SubscribeAsync(topic);
        Assert.InRange((await late.ReceiveAsync()).Properties.Number(Prop.MessageExpiryId)!.Value, 97, 99);
    }

    [Fact]
    public async Task An_unsubscribed_and_an_ended_session_do_not_lose_it()
    {
        var topic = await RetainAsync("kept");
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(topic);
        await peer.UnsubscribeAsync(topic);
        await peer.DisconnectAsync();
        var late = await ConnectAsync();
        await late.SubscribeAsync(topic);
        Assert.Equal("kept", (await late.ReceiveAsync()).Text);
    }

    public override async ValueTask DisposeAsync()
    {
        // Other tests, and another broker, are not to be left with them.
        var peer = await ConnectAsync();
        foreach (var topic in _retained)
            await peer.PublishAsync(topic, "", retain: true);
        await base.DisposeAsync();
    }

    private string Topic()
    {
        _retained.Add(NewTopic("retained"));
        return _retained[^1];
    }

    private async Task<string> RetainAsync(string text, int qos = 1)
    {
        var topic = Topic();
        await (await ConnectAsync()).PublishAsync(topic, text, qos, retain: true);
        return topic;
    }
}
