namespace IoT.Benchmarks.Load;

/// <summary>One run of the load process: a line of JSON on its stdin.</summary>
/// <param name="Messages">How many, over all connections; 0: as many as the time allows.</param>
/// <param name="Seconds">When it sends no more; 0: once all are sent.</param>
/// <param name="InFlight">Most that wait for their answer, per connection.</param>
/// <param name="PerSecond">Messages a second over all connections, whatever the answers do; 0: as fast as answers come.</param>
internal sealed record LoadOrder(long Messages, double Seconds, int InFlight, double PerSecond = 0);

/// <summary>What came of it: a line of JSON on its stdout.</summary>
/// <param name="Answered">Messages that were acknowledged: all that were sent.</param>
/// <param name="Seconds">From the first send to the last answer.</param>
/// <param name="P50Ms">Latency; with a rate given from when a message was due, so that no stall hides others.</param>
/// <param name="StartedAt">As <see cref="System.Diagnostics.Stopwatch"/> counts, which on Linux all processes share.</param>
/// <param name="CpuSeconds">What the load process itself has used.</param>
internal sealed record LoadResult(long Answered, double Seconds, double P50Ms, double P99Ms, double MaxMs, long StartedAt, double CpuSeconds)
{
    public double PerSecond => Answered / Seconds;
}

/// <summary>Latencies in buckets of 1/16 of their power of two: within 6 %.</summary>
internal sealed class LatencyHistogram
{
    private readonly long[] _counts = new long[64 * 16];
    private long _total;
    private long _max;

    public void Add(long ticks, int count)
    {
        ticks = Math.Max(ticks, 16);
        _max = Math.Max(_max, ticks);
        var power = 63 - System.Numerics.BitOperations.LeadingZeroCount((ulong)ticks);
        _counts[power * 16 + (int)(ticks >> (power - 4) & 15)] += count;
        _total += count;
    }

    public void AddAll(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
        _total += other._total;
        _max = Math.Max(_max, other._max);
    }

    public double MaxMs => Ms(_max);

    public double QuantileMs(double quantile)
    {
        var left = (long)Math.Ceiling(_total * quantile);
        for (var i = 0; i < _counts.Length; i++)
        {
            left -= _counts[i];
            if (left <= 0 && _counts[i] > 0)
                return Ms((16L + i % 16 + 1) << (i / 16) >> 4);
        }
        return 0;
    }

    private static double Ms(long ticks) => ticks * 1000.0 / System.Diagnostics.Stopwatch.Frequency;
}
