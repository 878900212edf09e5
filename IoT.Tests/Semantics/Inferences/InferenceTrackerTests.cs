using IoT.Modules.Semantics.Inferences;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Inferences;

public sealed class InferenceTrackerTests
{
    private static readonly InferenceKey Hot = new("urn:iot:device:a", "urn:iot:vocab:is", "<urn:iot:vocab:Hot>");
    private static readonly RuleDelays Slow = new(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60));

    private readonly ManualTime _time = new();
    private readonly InferenceTracker _tracker;

    public InferenceTrackerTests() => _tracker = new InferenceTracker(_time);

    [Fact]
    public void Without_delays_it_is_raised_and_cleared_at_once()
    {
        _tracker.Appear(Hot, "hot", 0.9, default);
        var raised = Assert.Single(_tracker.TakeEvents());
        Assert.Equal((Hot, "hot", 0.9, null), (raised.Key, raised.Rule, raised.Confidence, raised.ClearedAt));
        _tracker.Appear(Hot, "hot", 0.8, default);
        Assert.Empty(_tracker.TakeEvents());
        _time.Pass(TimeSpan.FromSeconds(5));
        _tracker.Vanish(Hot);
        var cleared = Assert.Single(_tracker.TakeEvents());
        Assert.Equal((raised.Id, raised.RaisedAt, raised.RaisedAt.AddSeconds(5)), (cleared.Id, cleared.RaisedAt, cleared.ClearedAt!.Value));
        Assert.Equal(0, _tracker.Active);
    }

    [Fact]
    public void It_is_raised_once_it_has_held_long_enough()
    {
        _tracker.Appear(Hot, "hot", 1, Slow);
        Assert.Equal(TimeSpan.FromSeconds(30), _tracker.UntilDue());
        _time.Pass(TimeSpan.FromSeconds(29));
        Assert.Empty(_tracker.TakeEvents());
        _time.Pass(TimeSpan.FromSeconds(1));
        Assert.True(Assert.Single(_tracker.TakeEvents()).IsRaised);
        Assert.Null(_tracker.UntilDue());
    }

    [Fact]
    public void One_that_flaps_is_not_raised_and_its_wait_begins_anew()
    {
        for (var i = 0; i < 10; i++)
        {
            _tracker.Appear(Hot, "hot", 1, Slow);
            _time.Pass(TimeSpan.FromSeconds(29));
            _tracker.Vanish(Hot);
            Assert.Empty(_tracker.TakeEvents());
        }
        _time.Pass(TimeSpan.FromHours(1));
        Assert.Empty(_tracker.TakeEvents());
    }

    [Fact]
    public void It_is_cleared_once_it_has_been_gone_long_enough()
    {
        Raise();
        _tracker.Vanish(Hot);
        _time.Pass(TimeSpan.FromSeconds(59));
        Assert.Empty(_tracker.TakeEvents());
        _tracker.Appear(Hot, "hot", 1, Slow);
        _time.Pass(TimeSpan.FromSeconds(59));
        Assert.Empty(_tracker.TakeEvents());
        _tracker.Vanish(Hot);
        _time.Pass(TimeSpan.FromSeconds(60));
        Assert.False(Assert.Single(_tracker.TakeEvents()).IsRaised);
    }

    [Fact]
    public void The_clock_on_the_wall_changes_no_wait()
    {
        _tracker.Appear(Hot, "hot", 1, Slow);
        _time.SetClock(_time.GetUtcNow().AddDays(1));
        Assert.Empty(_tracker.TakeEvents());
        _time.Pass(TimeSpan.FromSeconds(30));
        Assert.Single(_tracker.TakeEvents());
    }

    [Fact]
    public void After_a_start_what_still_holds_goes_on_and_what_does_not_is_cleared()
    {
        var gone = Hot with { Subject = "urn:iot:device:b" };
        var (id, at) = (Guid.NewGuid(), _time.GetUtcNow().UtcDateTime.AddHours(-3));
        _tracker.Load(id, Hot, "hot", 1, at);
        _tracker.Load(Guid.NewGuid(), gone, "hot", 1, at);
        _tracker.Appear(Hot, "hot", 1, default);
        _tracker.Confirm(_ => default);
        var cleared = Assert.Single(_tracker.TakeEvents());
        Assert.Equal((gone, at), (cleared.Key, cleared.RaisedAt));
        Assert.Equal(id, _tracker.Find(Hot));
    }

    [Fact]
    public void An_engine_made_anew_changes_nothing_that_it_derives_again()
    {
        Raise();
        var waiting = Hot with { Subject = "urn:iot:device:b" };
        _tracker.Appear(waiting, "hot", 1, Slow);
        _time.Pass(TimeSpan.FromSeconds(20));
        _tracker.Unconfirm();
        _tracker.Appear(Hot, "hot", 1, Slow);
        _tracker.Appear(waiting, "hot", 1, Slow);
        _tracker.Confirm(_ => Slow);
        Assert.Empty(_tracker.TakeEvents());
        _time.Pass(TimeSpan.FromSeconds(10));
        Assert.Equal(waiting, Assert.Single(_tracker.TakeEvents()).Key);
    }

    private void Raise()
    {
        _tracker.Appear(Hot, "hot", 1, Slow);
        _time.Pass(Slow.For);
        Assert.Single(_tracker.TakeEvents());
    }
}
