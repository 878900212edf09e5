using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>SUBSCRIBE and UNSUBSCRIBE with their options: MQTT 3.1.1 and 5 section 3.8 to 3.11.</summary>
public sealed class SubscribeTests(OpenPlatform platform) : ConformanceTest(platform)
{
    private const int NoLocal = 4;

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task SUBACK_has_a_code_for_each_filter_in_its_order(int version)
    {
        var peer = await ConnectAsync(version);
        var ack = await peer.SubscribeAllAsync(null, (NewTopic(), 2), (NewTopic(), 0), (NewTopic(), 1), (NewTopic(), 0), (NewTopic(), 2));
        Assert.Equal([2, 0, 1, 0, 2], ack.Codes);
    }

    [Theory]
    [InlineData(4, 0x80)]
    [InlineData(5, 0x87)]
    public async Task A_refused_filter_among_others_has_its_place(int version, byte refused)
    {
        Strict();
        var peer = await ConnectAsync(version);
        var ack = await peer.SubscribeAllAsync(null, (NewTopic(), 2), ("$SYS/broker/uptime", 1), (NewTopic(), 1));
        Assert.Equal([2, refused, 1], ack.Codes);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_hundred_filters_in_one_SUBSCRIBE(int version)
    {
        var peer = await ConnectAsync(version);
        var topic = NewTopic();
        var ack = await peer.SubscribeAllAsync(null, [.. Enumerable.Range(0, 100).Select(n => ($"{topic}/{n}", n % 3))]);
        Assert.Equal(Enumerable.Range(0, 100).Select(n => (byte)(n % 3)), ack.Codes);
        await peer.PublishAsync($"{topic}/99");
        Assert.Equal($"{topic}/99", (await peer.ReceiveAsync()).Topic);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task UNSUBACK_and_the_end_of_deliveries(int version)
    {
        var peer = await ConnectAsync(version);
        var (topic, other) = (NewTopic(), NewTopic());
        await peer.SubscribeAllAsync(null, (topic, 1), (other, 1));
        var ack = await peer.UnsubscribeAsync(topic, NewTopic(), other);
        if (version == 5)
            Assert.Equal([0, 0x11, 0], ack.Codes);
        else
            Assert.Equal(2, ack.Body.Length);
        await peer.PublishAsync(topic);
        await peer.PublishAsync(other);
        Assert.Empty(await peer.CollectAsync());
    }

    [Theory]
    [InlineData("+/b", "#")]
    [InlineData("a/#", "a/+")]
    [InlineData("a", "A")]
    public async Task UNSUBSCRIBE_takes_filters_letter_by_letter(string subscribed, string unsubscribed)
    {
        var peer = await ConnectAsync();
        var prefix = NewTopic();
        await peer.SubscribeAsync($"{prefix}/{subscribed}");
        Assert.Equal([0x11], (await peer.UnsubscribeAsync($"{prefix}/{unsubscribed}")).Codes);
        await peer.PublishAsync($"{prefix}/{subscribed.Replace("+", "a", StringComparison.Ordinal).Replace("#", "b", StringComparison.Ordinal)}");
        await peer.ReceiveAsync();
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Subscribing_again_replaces_the_subscription(int version)
    {
        var peer = await ConnectAsync(version);
        var topic = NewTopic();
        Assert.Equal(0, await peer.SubscribeAsync(topic, 0));
        Assert.Equal(2, await peer.SubscribeAsync(topic, 2));
        await peer.PublishAsync(topic, "x", 2);
        Assert.Equal(2, (await peer.ReceiveAsync()).Qos);
        Assert.Empty(await peer.CollectAsync());
    }

    [Fact]
    public async Task A_filter_that_comes_twice_in_one_SUBSCRIBE_is_one_subscription()
    {
        var peer = await ConnectAsync();
        var topic = NewTopic();
        Assert.Equal([0, 1], (await peer.SubscribeAllAsync(null, (topic, 0), (topic, 1))).Codes);
        await peer.PublishAsync(topic, "x", 1);
        Assert.Equal(1, (await peer.ReceiveAsync()).Qos);
        Assert.Empty(await peer.CollectAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Overlapping_subscriptions_deliver_with_the_highest_QoS_of_all(int version)
    {
        var peer = await ConnectAsync(version);
        var topic = NewTopic();
        await peer.SubscribeAllAsync(null, ($"{topic}/#", 0), ($"{topic}/+", 2), ($"{topic}/a", 1));
        await (await ConnectAsync()).PublishAsync($"{topic}/a", "x", 2);
        var copies = await peer.CollectAsync();
        // One, or one for each subscription.
        Assert.True(copies.Count is 1 or 3);
        Assert.Equal(2, copies.Max(m => m.Qos));
    }

    [Fact]
    public async Task A_subscription_id_comes_with_its_messages()
    {
        var peer = await ConnectAsync();
        var (one, two, none) = (NewTopic(), NewTopic(), NewTopic());
        await peer.SubscribeAsync(one, 1, Prop.SubscriptionId(1));
        await peer.SubscribeAsync(two, 1, Prop.SubscriptionId(268_435_455));
        await peer.SubscribeAsync(none, 1);
        var publisher = await ConnectAsync();
        await publisher.PublishAsync(one);
        await publisher.PublishAsync(two, qos: 1);
        await publisher.PublishAsync(none);
        Assert.Equal([1], (await peer.ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
        Assert.Equal([268_435_455], (await peer.ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
        Assert.Empty((await peer.ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
    }

    [Fact]
    public async Task Overlapping_subscriptions_deliver_all_their_ids()
    {
        var peer = await ConnectAsync();
        var topic = NewTopic();
        await peer.SubscribeAsync($"{topic}/#", 1, Prop.SubscriptionId(3));
        await peer.SubscribeAsync($"{topic}/+", 1, Prop.SubscriptionId(5));
        await peer.SubscribeAsync($"{topic}/a", 1);
        await (await ConnectAsync()).PublishAsync($"{topic}/a", qos: 1);
        var ids = (await peer.CollectAsync()).SelectMany(m => m.Properties.Numbers(Prop.SubscriptionIdId)).Order();
        Assert.Equal([3, 5], ids);
    }

    [Fact]
    public async Task Subscribing_again_replaces_the_id()
    {
        var peer = await ConnectAsync();
        var topic = NewTopic();
        await peer.SubscribeAsync(topic, 0, Prop.SubscriptionId(3));
        await peer.SubscribeAsync(topic, 0, Prop.SubscriptionId(4));
        await peer.PublishAsync(topic);
        Assert.Equal([4], (await peer.ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
        await peer.SubscribeAsync(topic);
        await peer.PublishAsync(topic);
        Assert.Empty((await peer.ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
    }

    [Fact]
    public async Task Retained_messages_come_with_the_id_too()
    {
        var peer = await ConnectAsync();
        var topic = NewTopic();
        await peer.PublishAsync(topic, "kept", retain: true);
        await peer.SubscribeAsync(topic, 0, Prop.SubscriptionId(9));
        Assert.Equal([9], (await peer.ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
        await peer.PublishAsync(topic, "", retain: true);
    }

    [Fact]
    public async Task Ids_are_kept_with_the_session()
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, 1, Prop.SubscriptionId(7));
        await first.DisconnectAsync();
        await (await ConnectAsync()).PublishAsync(topic, qos: 1);
        Assert.Equal([7], (await (await ResumeAsync(5, id)).ReceiveAsync()).Properties.Numbers(Prop.SubscriptionIdId));
    }

    [Theory]
    [InlineData("0B 00")]
    [InlineData("0B 01 0B 02")]
    [InlineData("0B FFFFFFFF01")]
    [InlineData("11 00000001")]
    [InlineData("01 00")]
    [InlineData("7E 00")]
    public async Task Wrong_properties_of_SUBSCRIBE_end_the_connection(string hex)
    {
        var peer = await ConnectAsync();
        await peer.SendAsync(peer.SubscribePacket(1, Bytes.Hex(hex), ("t", 0)));
        await AssertEndsAsync(peer, 0x81, 0x82);
    }

    [Fact]
    public async Task No_local_keeps_a_clients_own_messages_away()
    {
        var (one, two) = (await ConnectAsync(), await ConnectAsync());
        var topic = NewTopic();
        await one.SubscribeAsync(topic, 1 | NoLocal);
        await two.SubscribeAsync(topic, 1 | NoLocal);
        await one.PublishAsync(topic, "of one", 1);
        await two.PublishAsync(topic, "of two", 1);
        Assert.Equal(["of two"], await one.CollectTextsAsync());
        Assert.Equal(["of one"], await two.CollectTextsAsync());
    }

    [Fact]
    public async Task No_local_is_of_a_session_not_of_a_connection()
    {
        var (id, topic) = (MqttPeer.NewName("c"), NewTopic());
        var first = await ResumeAsync(5, id);
        await first.SubscribeAsync(topic, NoLocal);
        await first.DisconnectAsync();
        var second = await ResumeAsync(5, id);
        await second.PublishAsync(topic);
        Assert.Empty(await second.CollectAsync());
    }

    [Theory]
    [InlineData(4, 0x03, "QoS 3")]
    [InlineData(5, 0x03, "QoS 3")]
    [InlineData(4, 0x04, "a reserved bit")]
    [InlineData(4, 0x80, "a reserved bit")]
    [InlineData(5, 0x40, "a reserved bit")]
    [InlineData(5, 0x80, "a reserved bit")]
    [InlineData(5, 0x30, "retain handling 3")]
    public async Task Wrong_options_end_the_connection(int version, int options, string what)
    {
        _ = what;
        var peer = await ConnectAsync(version);
        await peer.SendAsync(peer.SubscribePacket(1, null, ("t", options)));
        await AssertEndsAsync(peer, 0x81, 0x82);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task SUBSCRIBE_and_UNSUBSCRIBE_without_a_filter_end_the_connection(int version)
    {
        var peer = await ConnectAsync(version);
        await peer.SendAsync(peer.SubscribePacket(1, null));
        await AssertEndsAsync(peer, 0x81, 0x82);
        peer = await ConnectAsync(version);
        await peer.SendAsync(Bytes.Packet(0xA2, [0, 1, .. version == 5 ? new byte[] { 0 } : []]));
        await AssertEndsAsync(peer, 0x81, 0x82);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a#")]
    [InlineData("a/#/b")]
    [InlineData("a+")]
    [InlineData("+a/b")]
    [InlineData("a/b+/c")]
    [InlineData("#/a")]
    [InlineData("##")]
    [InlineData("++")]
    [InlineData("a/+#")]
    [InlineData("a\0b")]
    public async Task A_filter_that_is_none_is_refused(string filter)
    {
        foreach (var version in new[] { 4, 5 })
        {
            var peer = await ConnectAsync(version);
            await peer.SendAsync(peer.SubscribePacket(5, null, (filter, 0)));
            // 0x8F in SUBACK, or the end: the specification leaves both.
            var answer = await peer.ReadAsync();
            Assert.True(answer is null or { Kind: Kind.Disconnect } || Assert.Single(answer.Codes) >= 0x80, $"{answer} for \"{filter}\"");
        }
    }

    [Theory]
    [InlineData("$share")]
    [InlineData("$share/")]
    [InlineData("$share/g")]
    [InlineData("$share/g/")]
    [InlineData("$share//a")]
    [InlineData("$share/g+/a")]
    [InlineData("$share/#/a")]
    public async Task A_shared_filter_that_is_none_is_refused(string filter)
    {
        Strict(filter == "$share");
        var peer = await ConnectAsync();
        await peer.SendAsync(peer.SubscribePacket(5, null, (filter, 0)));
        var answer = await peer.ReadAsync();
        Assert.True(answer is null or { Kind: Kind.Disconnect } || Assert.Single(answer.Codes) >= 0x80, $"{answer} for \"{filter}\"");
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_shared_subscription_gives_each_message_to_one_of_its_group(int version)
    {
        var topic = NewTopic();
        MqttPeer[] members = [await ConnectAsync(version), await ConnectAsync(version), await ConnectAsync(version)];
        foreach (var member in members)
            Assert.Equal(1, await member.SubscribeAsync($"$share/group/{topic}", 1));
        var alone = await ConnectAsync(version);
        await alone.SubscribeAsync(topic);
        var publisher = await ConnectAsync(version);
        for (var n = 0; n < 30; n++)
            await publisher.PublishAsync(topic, $"{n}", 1);
        var got = new List<List<Message>>();
        foreach (var member in members)
            got.Add(await member.CollectAsync());
        Assert.Equal(Enumerable.Range(0, 30).Select(n => $"{n}").Order(), got.SelectMany(g => g).Select(m => m.Text).Order());
        Assert.All(got, mine => Assert.InRange(mine.Count, 5, 20));
        Assert.All(got, mine => Assert.Equal(mine.Select(m => int.Parse(m.Text)).Order(), mine.Select(m => int.Parse(m.Text))));
        Assert.Equal(30, (await alone.CollectAsync()).Count);
    }

    [Fact]
    public async Task Groups_are_apart_and_a_member_that_leaves_gets_no_more()
    {
        var topic = NewTopic();
        var (one, two, other) = (await ConnectAsync(), await ConnectAsync(), await ConnectAsync());
        await one.SubscribeAsync($"$share/g/{topic}/#", 1);
        await two.SubscribeAsync($"$share/g/{topic}/#", 1);
        await other.SubscribeAsync($"$share/h/{topic}/+", 1);
        Assert.Equal([0], (await one.UnsubscribeAsync($"$share/g/{topic}/#")).Codes);
        var publisher = await ConnectAsync();
        for (var n = 0; n < 6; n++)
            await publisher.PublishAsync($"{topic}/a", $"{n}", 1);
        Assert.Empty(await one.CollectAsync());
        Assert.Equal(6, (await two.CollectAsync()).Count);
        Assert.Equal(6, (await other.CollectAsync()).Count);
        await two.DisconnectAsync();
        await publisher.PublishAsync($"{topic}/a", "nobody of g", 1);
        Assert.Equal("nobody of g", (await other.CollectAsync())[^1].Text);
    }

    [Fact]
    public async Task No_local_on_a_shared_subscription_ends_the_connection()
    {
        var peer = await ConnectAsync();
        await peer.SendAsync(peer.SubscribePacket(1, null, ($"$share/g/{NewTopic()}", NoLocal)));
        await AssertEndsAsync(peer, 0x82);
    }

    [Fact]
    public async Task Retained_messages_do_not_come_with_a_shared_subscription()
    {
        var peer = await ConnectAsync();
        var topic = NewTopic();
        await peer.PublishAsync(topic, "kept", 1, retain: true);
        await peer.SubscribeAsync($"$share/g/{topic}", 1);
        Assert.Empty(await peer.CollectAsync());
        await peer.PublishAsync(topic, "", retain: true);
    }

    [Fact]
    public async Task A_shared_and_a_plain_subscription_of_one_client_are_two()
    {
        var peer = await ConnectAsync();
        var topic = NewTopic();
        await peer.SubscribeAsync($"$share/g/{topic}", 1);
        await peer.SubscribeAsync(topic, 1);
        await peer.UnsubscribeAsync(topic);
        await peer.PublishAsync(topic, "shared", 1);
        Assert.Equal(["shared"], await peer.CollectTextsAsync());
    }

    [Fact]
    public async Task Other_members_get_what_an_offline_one_can_not()
    {
        Strict();
        var topic = NewTopic();
        var offline = await ResumeAsync(5, MqttPeer.NewName("c"));
        await offline.SubscribeAsync($"$share/g/{topic}", 1);
        var online = await ConnectAsync();
        await online.SubscribeAsync($"$share/g/{topic}", 1);
        await offline.DisconnectAsync();
        for (var n = 0; n < 6; n++)
            await online.PublishAsync(topic, $"{n}", 1);
        Assert.Equal(6, (await online.CollectAsync()).Count);
    }
}
