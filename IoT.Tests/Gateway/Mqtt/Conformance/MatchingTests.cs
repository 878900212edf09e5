using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Topic names and filters: MQTT 3.1.1 and 5 section 4.7.</summary>
public sealed class MatchingTests(OpenPlatform platform) : ConformanceTest(platform)
{
    // P stands for a level that no other test has.
    [Theory]
    [InlineData("P", "P", true)]
    [InlineData("P", "P/", false)]
    [InlineData("P/", "P", false)]
    [InlineData("P/", "P/", true)]
    [InlineData("/P", "/P", true)]
    [InlineData("/P", "P", false)]
    [InlineData("P/a", "P/A", false)]
    [InlineData("P/a b", "P/a b", true)]
    [InlineData("P/ä/設備/😀", "P/ä/設備/😀", true)]
    [InlineData("P/#", "P", true)]
    [InlineData("P/#", "P/", true)]
    [InlineData("P/#", "P/a", true)]
    [InlineData("P/#", "P/a/b/c/d/e", true)]
    [InlineData("P/#", "P//", true)]
    [InlineData("P/#", "Px", false)]
    [InlineData("P/a/#", "P/ab", false)]
    [InlineData("P/a/#", "P/a", true)]
    [InlineData("P/a/#", "P", false)]
    [InlineData("P/+", "P/a", true)]
    [InlineData("P/+", "P/", true)]
    [InlineData("P/+", "P", false)]
    [InlineData("P/+", "P/a/b", false)]
    [InlineData("P/+", "P//", false)]
    [InlineData("P/+/b", "P/a/b", true)]
    [InlineData("P/+/b", "P//b", true)]
    [InlineData("P/+/b", "P/b", false)]
    [InlineData("P/+/b", "P/a/a/b", false)]
    [InlineData("P/+/+", "P/a/b", true)]
    [InlineData("P/+/+", "P//", true)]
    [InlineData("P/+/+", "P/a", false)]
    [InlineData("P/+/#", "P/a", true)]
    [InlineData("P/+/#", "P/", true)]
    [InlineData("P/+/#", "P", false)]
    [InlineData("P/+/#", "P/a/b/c", true)]
    [InlineData("P/+/b/#", "P/a/b", true)]
    [InlineData("P/+/b/#", "P/a/b/c", true)]
    [InlineData("P/+/b/#", "P/a/c/b", false)]
    [InlineData("+/P", "/P", true)]
    [InlineData("+/P", "a/P", true)]
    [InlineData("+/P", "P", false)]
    [InlineData("+/P", "a/b/P", false)]
    [InlineData("+/P/+", "/P/", true)]
    [InlineData("+/P/+", "/P/a", true)]
    [InlineData("/+/P", "/a/P", true)]
    [InlineData("/+/P", "a/P", false)]
    [InlineData("/+/P", "//P", true)]
    [InlineData("+/+/P", "//P", true)]
    [InlineData("/P/#", "/P", true)]
    [InlineData("/P/#", "P", false)]
    [InlineData("//P//+", "//P//a", true)]
    [InlineData("//P//+", "/P//a", false)]
    [InlineData("+/P/#", "a/P", true)]
    [InlineData("#", "P", true)]
    [InlineData("#", "/P", true)]
    [InlineData("#", "P/a/b/", true)]
    [InlineData("+", "P", true)]
    [InlineData("+", "/P", false)]
    [InlineData("+/+", "/P", true)]
    [InlineData("+/#", "P", true)]
    [InlineData("P/$SYS", "P/$SYS", true)]
    [InlineData("P/+", "P/$SYS", true)]
    [InlineData("P/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o", "P/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o", true)]
    [InlineData("P/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+", "P/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o", true)]
    public async Task Filters_and_topics(string filter, string topic, bool matches)
    {
        var name = NewTopic();
        topic = topic.Replace("P", name, StringComparison.Ordinal);
        var peer = await ConnectAsync();
        Assert.Equal(0, await peer.SubscribeAsync(filter.Replace("P", name, StringComparison.Ordinal)));
        Assert.Equal(0, await (await ConnectAsync(4)).PublishAsync(topic, "match", 1));
        Assert.Equal(matches ? [topic] : [], (await peer.CollectAsync()).Where(m => m.Topic.Contains(name, StringComparison.Ordinal)).Select(m => m.Topic));
    }

    [Theory]
    [InlineData("#")]
    [InlineData("+/#")]
    [InlineData("+/broker/uptime")]
    [InlineData("+/broker/#")]
    public async Task Wildcards_at_the_beginning_do_not_catch_SYS(string filter)
    {
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(filter);
        Assert.DoesNotContain(await peer.CollectAsync(), m => m.Topic.StartsWith('$'));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_topic_of_65535_bytes_would_be_one_and_one_of_many_levels_is(int version)
    {
        var name = NewTopic();
        var topic = name + string.Concat(Enumerable.Repeat("/l", 200));
        var peer = await ConnectAsync(version);
        await peer.SubscribeAsync($"{name}/#");
        await peer.PublishAsync(topic);
        Assert.Equal(topic, (await peer.ReceiveAsync()).Topic);
        await peer.SubscribeAsync(topic);
        Assert.Equal(2, (await peer.SubscribeAllAsync(null, (topic, 1), ($"+{topic[name.Length..]}", 1))).Codes.Length);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_topic_of_ones_own_may_begin_with_a_dollar(int version)
    {
        var topic = $"${NewTopic()}/a";
        var all = await ConnectAsync(version);
        foreach (var filter in new[] { "#", "+/a", "+/#" })
            await all.SubscribeAsync(filter, 1);
        var named = await ConnectAsync(version);
        await named.SubscribeAsync(topic.Replace("/a", "/#", StringComparison.Ordinal), 1);
        Assert.Equal(0, await (await ConnectAsync(version)).PublishAsync(topic, "named", 1));
        Assert.Equal("named", (await named.ReceiveAsync()).Text);
        Assert.DoesNotContain(await all.CollectAsync(), message => message.Topic == topic);
    }

    [Fact]
    public async Task Many_filters_that_share_levels_are_told_apart()
    {
        var name = NewTopic();
        var peer = await ConnectAsync();
        (string Filter, int Id)[] filters = [.. Enumerable.Range(0, 60).Select(n => ($"{name}/{n % 3}/{(n % 5 == 0 ? "+" : $"{n}")}/{(n % 7 == 0 ? "#" : "x")}", n + 1))];
        foreach (var (filter, id) in filters)
            await peer.SubscribeAsync(filter, 0, Prop.SubscriptionId(id));
        foreach (var topic in new[] { $"{name}/0/0/x", $"{name}/1/7/x", $"{name}/1/7/y/z", $"{name}/2/35/x", $"{name}/2/x/x", $"{name}/0/21", $"{name}/1/q" })
        {
            await peer.PublishAsync(topic);
            var ids = (await peer.CollectAsync()).SelectMany(m => m.Properties.Numbers(Prop.SubscriptionIdId)).Order();
            // Of equal filters the last subscription holds.
            var expected = filters.GroupBy(f => f.Filter).Select(g => g.Last()).Where(f => Matches(f.Filter, topic)).Select(f => (long)f.Id).Order();
            Assert.Equal(expected, ids);
        }
        await peer.UnsubscribeAsync([.. filters.Where(f => f.Id % 2 == 0).Select(f => f.Filter)]);
        await peer.PublishAsync($"{name}/2/35/x");
        Assert.Equal(
            filters.GroupBy(f => f.Filter).Where(g => g.All(f => f.Id % 2 == 1)).Select(g => g.Last()).Where(f => Matches(f.Filter, $"{name}/2/35/x")).Select(f => (long)f.Id).Order(),
            (await peer.CollectAsync()).SelectMany(m => m.Properties.Numbers(Prop.SubscriptionIdId)).Order());

        static bool Matches(string filter, string topic)
        {
            var (wanted, levels) = (filter.Split('/'), topic.Split('/'));
            for (var i = 0; i < wanted.Length; i++)
            {
                if (wanted[i] == "#")
                    return true;
                if (i == levels.Length || (wanted[i] != "+" && wanted[i] != levels[i]))
                    return false;
            }
            return wanted.Length == levels.Length;
        }
    }
}
