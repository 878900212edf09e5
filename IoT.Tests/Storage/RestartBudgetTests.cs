using IoT.Modules.Storage.PrivatePostgres;
using Xunit;

namespace IoT.Tests.Storage;

public sealed class RestartBudgetTests
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(10);

    [Fact]
    public void Pauses_grow_to_a_limit_and_attempts_end_until_the_period_has_passed()
    {
        var clock = new SteppedClock();
        var budget = new RestartBudget(clock, 5, Period, TimeSpan.FromSeconds(1));

        var pauses = new List<double>();
        while (budget.TryTake(out var pause))
            pauses.Add(pause.TotalSeconds);
        Assert.Equal([0, 0.25, 0.5, 1, 1], pauses);

        clock.Advance(Period - TimeSpan.FromSeconds(1));
        Assert.False(budget.TryTake(out _));
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.True(budget.TryTake(out var fresh));
        Assert.Equal(TimeSpan.Zero, fresh);
    }

    private sealed class SteppedClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
