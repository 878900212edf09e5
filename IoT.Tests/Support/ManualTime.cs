namespace IoT.Tests.Support;

/// <summary>A clock that stands still until it is moved: the monotonic one and the one on the wall, each by itself.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _elapsedTicks = TimeSpan.FromHours(1).Ticks;
    private DateTimeOffset _utcNow = new(2026, 11, 23, 4, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _elapsedTicks);

    public override DateTimeOffset GetUtcNow() => _utcNow;

    /// <summary>Time passes.</summary>
    public void Pass(TimeSpan time)
    {
        Interlocked.Add(ref _elapsedTicks, time.Ticks);
        _utcNow += time;
    }

    /// <summary>Somebody sets the clock.</summary>
    public void SetClock(DateTimeOffset utcNow) => _utcNow = utcNow;
}
