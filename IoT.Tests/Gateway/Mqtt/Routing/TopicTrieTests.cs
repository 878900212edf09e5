using IoT.Modules.Gateway.Mqtt.Routing;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Routing;

public sealed class TopicTrieTests : IDisposable
{
    private readonly BrokerParts _parts = new();

    public void Dispose() => _parts.Dispose();

    [Theory]
    [InlineData("a/b", "a/b", true)]
    [InlineData("a/b", "a/b/", false)]
    [InlineData("a/b", "a", false)]
    [InlineData("a/b", "A/b", false)]
    [InlineData("#", "a", true)]
    [InlineData("#", "/", true)]
    [InlineData("#", "$SYS/x", false)]
    [InlineData("+/x", "$SYS/x", false)]
    [InlineData("$SYS/#", "$SYS/x", true)]
    [InlineData("$SYS/+", "$SYS/x", true)]
    [InlineData("a/#", "a", true)]
    [InlineData("a/#", "a/", true)]
    [InlineData("a/#", "a/b/c", true)]
    [InlineData("a/#", "ab", false)]
    [InlineData("+", "a", true)]
    [InlineData("+", "/a", false)]
    [InlineData("+/b", "/b", true)]
    [InlineData("a/+/b", "a//b", true)]
    [InlineData("a/+", "a/", true)]
    [InlineData("a/+", "a", false)]
    [InlineData("+/+", "/", true)]
    [InlineData("/+", "/a", true)]
    [InlineData("/#", "/", true)]
    [InlineData("/#", "a", false)]
    [InlineData("+/+/#", "a/b", true)]
    [InlineData("+/#", "a", true)]
    [InlineData("ä/+/ü", "ä/ö/ü", true)]
    public void Filters_cover_what_the_specification_says(string filter, string topic, bool covers)
    {
        // Others beside it on the way down change nothing.
        foreach (var other in new[] { "a/b/c/d", "+/q", "a/+/q/#", "x" })
            _parts.Subscribe(_parts.NewSession(), other);
        var session = _parts.NewSession();
        _parts.Subscribe(session, filter);
        Assert.Equal(covers, RouteOf(topic).Targets.Any(target => target.Session == session));
    }

    [Fact]
    public void What_is_taken_out_again_leaves_nothing()
    {
        var session = _parts.NewSession();
        string[] filters = ["a", "a/b", "a/#", "+/b", "#", "a/+/c", "$share/g/a/b", "$share/h/a/#"];
        foreach (var filter in filters)
            _parts.Subscribe(session, filter);
        Assert.Equal(filters.Length, _parts.Trie.Count);
        foreach (var filter in filters)
            _parts.Trie.Remove(session, filter);
        Assert.Equal(0, _parts.Trie.Count);
        Assert.True(RouteOf("a/b").IsEmpty);
        _parts.Trie.Remove(session, "a/b");
        Assert.Equal(0, _parts.Trie.Count);
    }

    [Fact]
    public void Overlapping_subscriptions_are_one_delivery_with_the_highest_qos_and_every_id()
    {
        var session = _parts.NewSession();
        _parts.Subscribe(session, "a/+", options: 0, id: 1);
        _parts.Subscribe(session, "a/#", options: 2, id: 2);
        _parts.Subscribe(session, "b/#", options: 2, id: 3);
        var target = Assert.Single(RouteOf("a/b").Targets);
        Assert.Equal(2, target.Qos);
        Assert.Equal([1u, 2u], target.Ids!.Order());
    }

    [Fact]
    public void A_session_gets_of_its_own_only_what_is_not_no_local()
    {
        const byte noLocal = 4;
        var alone = _parts.NewSession();
        _parts.Subscribe(alone, "a", options: noLocal | 1);
        var both = _parts.NewSession();
        _parts.Subscribe(both, "a", options: noLocal | 2, id: 1);
        _parts.Subscribe(both, "+", options: 1, id: 2);
        var targets = RouteOf("a").Targets;
        Assert.Null(targets.Single(target => target.Session == alone).OfItsOwn());
        var own = targets.Single(target => target.Session == both).OfItsOwn();
        Assert.Equal(1, own!.Value.Qos);
        Assert.Equal([2u], own.Value.Ids!);
    }

    [Fact]
    public void Another_subscription_to_the_same_filter_takes_the_first_ones_place()
    {
        var session = _parts.NewSession();
        _parts.Subscribe(session, "a/#", options: 1, id: 1);
        _parts.Subscribe(session, "a/#", options: 2, id: 2);
        var target = Assert.Single(RouteOf("a").Targets);
        Assert.Equal((2, 1), (target.Qos, _parts.Trie.Count));
        Assert.Equal([2u], target.Ids!);
    }

    [Fact]
    public void A_stranger_is_no_target_for_the_platforms_topics()
    {
        var stranger = _parts.NewSession("anonymous");
        _parts.Subscribe(stranger, "#");
        _parts.Subscribe(stranger, "$share/g/#");
        Assert.Empty(RouteOf("devices/d/data").Targets);
        Assert.Null(Assert.Single(RouteOf("devices/d/data").Groups).Pick("devices/d/data", null));
        Assert.Single(RouteOf("lab/x").Targets);
    }

    [Fact]
    public void A_route_is_looked_up_once_and_anew_after_a_change()
    {
        var topic = PublishTopic.Of("a/b"u8, out _)!;
        var first = topic.RouteIn(_parts.Trie);
        Assert.Same(first, topic.RouteIn(_parts.Trie));
        _parts.Subscribe(_parts.NewSession(), "a/b");
        Assert.Single(topic.RouteIn(_parts.Trie).Targets);
    }

    [Fact]
    public void A_shared_subscription_goes_to_one_after_the_other_and_to_who_comes_back_last()
    {
        // Without connections: those whose session outlives them count.
        var here = Enumerable.Range(0, 3).Select(_ => _parts.NewSession(expirySeconds: 60)).ToList();
        foreach (var session in here)
            _parts.Subscribe(session, "$share/g/a/#");
        var gone = _parts.NewSession();
        _parts.Subscribe(gone, "$share/g/a/#");
        var group = Assert.Single(RouteOf("a/b").Groups);
        var picked = Enumerable.Range(0, 30).Select(_ => group.Pick("a/b", null)!.Session).ToList();
        Assert.DoesNotContain(gone, picked);
        foreach (var session in here)
            Assert.InRange(picked.Count(other => other == session), 7, 16);
        Assert.DoesNotContain(here[0], Enumerable.Range(0, 9).Select(_ => group.Pick("a/b", except: here[0])!.Session));
    }

    [Fact]
    public async Task Subscribing_and_looking_up_at_the_same_time_does_no_harm()
    {
        var steady = _parts.NewSession();
        _parts.Subscribe(steady, "a/+/c");
        var sessions = Enumerable.Range(0, 4).Select(_ => _parts.NewSession()).ToList();
        var changing = Task.WhenAll(sessions.Select(session => Task.Run(() =>
        {
            for (var n = 0; n < 5_000; n++)
            {
                _parts.Trie.Set(new Subscription(session, $"a/{n % 7}/c", 0, 0), isNew: true);
                _parts.Trie.Remove(session, $"a/{n % 7}/c");
            }
        })));
        while (!changing.IsCompleted)
            Assert.Contains(RouteOf("a/3/c").Targets, target => target.Session == steady);
        await changing;
        Assert.Equal(1, _parts.Trie.Count);
        Assert.Single(RouteOf("a/3/c").Targets);
    }

    private Route RouteOf(string topic) => _parts.Trie.RouteOf(topic);
}
