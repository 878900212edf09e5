namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>So many starts within a period and no more, with growing pauses between them.</summary>
internal sealed class RestartBudget(TimeProvider clock, int attempts, TimeSpan period, TimeSpan longestPause)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);

    private readonly Queue<long> _taken = new();

    public int Attempts => attempts;

    public TimeSpan Period => period;

    public static RestartBudget Default(TimeProvider clock) => new(clock, 10, TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(15));

    /// <summary>False when it is used up; else how long to pause before the attempt: nothing before the first.</summary>
    public bool TryTake(out TimeSpan pause)
    {
        while (_taken.TryPeek(out var oldest) && clock.GetElapsedTime(oldest) > period)
            _taken.Dequeue();
        pause = _taken.Count == 0 ? TimeSpan.Zero : FirstPause * Math.Pow(2, Math.Min(_taken.Count - 1, 16));
        if (pause > longestPause)
            pause = longestPause;
        if (_taken.Count >= attempts)
            return false;
        _taken.Enqueue(clock.GetTimestamp());
        return true;
    }
}
