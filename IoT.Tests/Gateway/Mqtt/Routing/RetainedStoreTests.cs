using IoT.Modules.Gateway.Mqtt;
using IoT.Modules.Gateway.Mqtt.Routing;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Routing;

public sealed class RetainedStoreTests : IDisposable
{
    private readonly BrokerParts _parts = new();
    private readonly RetainedStore _store = new(maxMessages: 10, maxBytes: 1024 * 1024);

    public void Dispose() => _parts.Dispose();

    [Theory]
    [InlineData("#", "/,a,a/b,a/b/c,a//d")]
    [InlineData("+", "a")]
    [InlineData("a/#", "a,a/b,a/b/c,a//d")]
    [InlineData("a/+", "a/b")]
    [InlineData("a/+/+", "a/b/c,a//d")]
    [InlineData("+/+", "/,a/b")]
    [InlineData("a/b", "a/b")]
    [InlineData("$SYS/#", "$SYS/x")]
    [InlineData("b/#", "")]
    public void A_filter_finds_what_it_covers(string filter, string expected)
    {
        foreach (var topic in new[] { "/", "a", "a/b", "a/b/c", "a//d", "$SYS/x" })
            _store.Set(Retained(topic));
        Assert.Equal(expected.Split(',', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), Find(filter).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_last_one_stays_and_an_empty_one_takes_it_away()
    {
        _store.Set(Retained("a/b", "1"));
        _store.Set(Retained("a/b", "22"));
        Assert.Equal(1, _store.Count);
        _store.Set(Retained("a", ""));
        _store.Set(Retained("a/b", ""));
        Assert.Equal((0, 0L), (_store.Count, _store.Bytes));
        Assert.Empty(Find("#"));
    }

    [Fact]
    public void What_has_expired_is_not_found_and_swept_away()
    {
        _store.Set(_parts.NewMessage("a/b", isRetain: true, expirySeconds: 10));
        _parts.Time.SetClock(_parts.Time.GetUtcNow().AddDays(1));
        Assert.Equal(["a/b"], Find("#"));
        _parts.Time.Pass(TimeSpan.FromSeconds(10));
        Assert.Empty(Find("#"));
        _store.Sweep();
        Assert.Equal((0, 0L), (_store.Count, _store.Bytes));
    }

    [Fact]
    public void There_is_room_for_so_many_and_always_for_another_in_a_topics_place()
    {
        for (var n = 0; n < 10; n++)
        {
            Assert.True(_store.HasRoomFor(Retained($"t/{n}")));
            _store.Set(Retained($"t/{n}"));
        }
        Assert.False(_store.HasRoomFor(Retained("t/10")));
        Assert.True(_store.HasRoomFor(Retained("t/3", "other")));
        Assert.True(_store.HasRoomFor(Retained("t/10", "")));
        Assert.False(_store.HasRoomFor(Retained("t/3", new string('x', 1024 * 1024))));
        Assert.Equal(2, _store.Refused);
    }

    private Message Retained(string topic, string payload = "x") => _parts.NewMessage(topic, payload, isRetain: true);

    private List<string> Find(string filter)
    {
        var found = new List<Message>();
        _store.Find(filter, found);
        return [.. found.Select(message => message.Topic.Name)];
    }
}
