namespace IoT.Modules.Storage.Contracts;

/// <summary>How far back readings are kept: what is older finds no partition and is not taken in.</summary>
public sealed class ReadingWindow(TimeSpan retention)
{
    private long _floor;

    /// <summary>The end of what the disk budget has taken; nothing before it is taken in again. UTC.</summary>
    public DateTime Floor => new(Volatile.Read(ref _floor), DateTimeKind.Utc);

    /// <summary>The oldest timestamp that is kept at that time, UTC.</summary>
    public DateTime OldestAt(DateTimeOffset now)
    {
        var byAge = now.UtcTicks > retention.Ticks ? now.UtcTicks - retention.Ticks : 0;
        return new DateTime(Math.Max(byAge, Volatile.Read(ref _floor)), DateTimeKind.Utc);
    }

    /// <summary>Never lowers it.</summary>
    public void RaiseFloor(DateTime utc)
    {
        var seen = Volatile.Read(ref _floor);
        while (utc.Ticks > seen)
        {
            var before = Interlocked.CompareExchange(ref _floor, utc.Ticks, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }
}
