using IoT.Modules.Gateway.Ingest;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Limits;

public sealed class TokenBucketRuleTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ManualTime _time = new();
    private readonly TokenBucketRule _rule;
    private long _bucket;

    public TokenBucketRuleTests() => _rule = new TokenBucketRule(10, Second, 50, _time);

    [Fact]
    public void A_full_bucket_gives_its_burst_and_then_its_rate()
    {
        Assert.Equal(50, TakeAll());
        for (var n = 0; n < 20; n++)
        {
            _time.Pass(Second);
            Assert.Equal(10, TakeAll());
        }
        _time.Pass(Second * 3);
        Assert.Equal(30, TakeAll());
    }

    [Fact]
    public void It_never_holds_more_than_the_burst()
    {
        TakeAll();
        _time.Pass(TimeSpan.FromDays(10_000));
        Assert.Equal(50, TakeAll());
    }

    [Fact]
    public void What_is_taken_may_go_into_debt_which_is_paid_before_the_next()
    {
        Assert.True(_rule.TryTake(ref _bucket, 150, out _));
        Assert.False(_rule.TryTake(ref _bucket, 1, out var wait));
        Assert.InRange(wait, Second * 10, Second * 10.001);
        _time.Pass(Second * 4);
        Assert.False(_rule.TryTake(ref _bucket, 1, out wait));
        Assert.InRange(wait, Second * 6, Second * 6.001);
        _time.Pass(Second * 6);
        Assert.False(_rule.TryTake(ref _bucket, 1, out wait));
        Assert.True(wait > TimeSpan.Zero);
        _time.Pass(wait);
        Assert.True(_rule.TryTake(ref _bucket, 1, out wait));
        Assert.Equal(TimeSpan.Zero, wait);
    }

    [Fact]
    public void A_refused_request_costs_nothing()
    {
        TakeAll();
        for (var n = 0; n < 1_000; n++)
            Assert.False(_rule.TryTake(ref _bucket, 1, out _));
        _time.Pass(Second);
        Assert.Equal(10, TakeAll());
    }

    [Fact]
    public void What_did_not_get_in_is_given_back()
    {
        Assert.True(_rule.TryTake(ref _bucket, 30, out _));
        _rule.TakeMore(ref _bucket, -30);
        Assert.Equal(50, TakeAll());
    }

    [Fact]
    public void A_step_of_the_clock_is_nothing_to_it()
    {
        TakeAll();
        _time.SetClock(_time.GetUtcNow().AddYears(5));
        Assert.Equal(0, TakeAll());
        _time.SetClock(_time.GetUtcNow().AddYears(-20));
        _time.Pass(Second);
        Assert.Equal(10, TakeAll());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(500, 5_000)]
    [InlineData(1_000_000_000, 1_000_000_000)]
    public void The_ends_of_the_settings_ranges_work(int rate, int burst)
    {
        var rule = new TokenBucketRule(rate, Second, burst, TimeProvider.System);
        Assert.True(rule.TryTake(ref _bucket, 1_000_000, out _));
        Assert.Equal(rate > 1_000_000, rule.TryTake(ref _bucket, 1, out var wait));
        Assert.InRange(wait, TimeSpan.Zero, TimeSpan.FromSeconds(1_000_000));
    }

    [Fact]
    public async Task Many_threads_get_no_more_than_the_burst_together()
    {
        var rule = new TokenBucketRule(10, Second, 100_000, _time);
        var taken = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            var count = 0;
            while (rule.TryTake(ref _bucket, 1, out var _))
                count++;
            return count;
        }, TestContext.Current.CancellationToken)));
        Assert.Equal(100_000, taken.Sum());
    }

    private int TakeAll()
    {
        var count = 0;
        while (_rule.TryTake(ref _bucket, 1, out _))
            count++;
        return count;
    }
}
