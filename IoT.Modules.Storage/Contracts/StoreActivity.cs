namespace IoT.Modules.Storage.Contracts;

/// <summary>
/// Which writes of readings are under way. For those who follow <see cref="ReadingsStored"/> and must know from where on to look into the
/// database after a restart: a reading whose id was drawn before a mark has been published once the mark is past.
/// </summary>
public sealed class StoreActivity
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(Guid LogId, int Lane), long> _running = [];
    private long _last;
    private long _missed;

    /// <summary>How often readings were stored without all having been told of them and their ids.</summary>
    public long Missed => Interlocked.Read(ref _missed);

    /// <summary>This moment.</summary>
    public long Mark()
    {
        lock (_lock)
            return ++_last;
    }

    /// <summary>Whether everything that was being written at the mark has been committed and published, or will never be committed.</summary>
    public bool IsPast(long mark)
    {
        lock (_lock)
            return _running.Values.All(begun => begun > mark);
    }

    /// <summary>A write that failed may be committed all the same: it goes on with the lane's next one.</summary>
    internal void Begin(LanePosition lane)
    {
        lock (_lock)
            _running.TryAdd((lane.LogId, lane.Lane), ++_last);
    }

    internal void End(LanePosition lane)
    {
        lock (_lock)
            _running.Remove((lane.LogId, lane.Lane));
    }

    internal void Miss() => Interlocked.Increment(ref _missed);
}
