namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// How token buckets of one kind fill: so many tokens in a period, up to a burst. A bucket itself is one number, the monotonic moment
/// by which it would be full again; 0 is a full one. So it needs no timer, no lock and no allocation, and a step of the clock is
/// nothing to it. Safe for many threads at once.
/// </summary>
internal sealed class TokenBucketRule(int tokens, TimeSpan period, int burst, TimeProvider time)
{
    // As a double a token may take less than a tick; what is lost to rounding is less than a tick a request.
    private readonly double _ticksPerToken = period.TotalSeconds * time.TimestampFrequency / tokens;

    private long FullTicks => (long)(burst * _ticksPerToken);

    /// <summary>Takes from a bucket that has anything in it, into debt if need be; nothing from one that is empty or in debt.</summary>
    /// <param name="wait">How long until there is something in it again; zero when taken.</param>
    public bool TryTake(ref long bucket, int count, out TimeSpan wait)
    {
        var now = time.GetTimestamp();
        var was = Volatile.Read(ref bucket);
        while (true)
        {
            var ahead = was - FullTicks - now;
            if (ahead >= 0)
            {
                // At exactly this moment it is empty, and a TimeSpan may be coarser than the clock: there is always something to wait for.
                wait = time.GetElapsedTime(0, ahead) + TimeSpan.FromTicks(1);
                return false;
            }
            var seen = Interlocked.CompareExchange(ref bucket, Math.Max(was, now) + Cost(count), was);
            if (seen == was)
            {
                wait = TimeSpan.Zero;
                return true;
            }
            was = seen;
        }
    }

    /// <summary>Takes whatever is in it.</summary>
    public void Take(ref long bucket, int count)
    {
        var now = time.GetTimestamp();
        long was;
        do
            was = Volatile.Read(ref bucket);
        while (Interlocked.CompareExchange(ref bucket, Math.Max(was, now) + Cost(count), was) != was);
    }

    /// <summary>Right after something was taken: more of it, or, below zero, something back.</summary>
    public void TakeMore(ref long bucket, int count) => Interlocked.Add(ref bucket, Cost(count));

    private long Cost(int count) => (long)(count * _ticksPerToken);
}
