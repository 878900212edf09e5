namespace IoT.Modules.Gateway.Contracts;

/// <summary>How far acknowledged readings have come into PostgreSQL.</summary>
public sealed class IngestProgress(GatewayOptions options, TimeProvider time)
{
    private readonly TimeSpan _patience = TimeSpan.FromMilliseconds(options.QueryPatienceMs);

    // Further behind than this, PostgreSQL is catching up from an outage, and waiting would be for nothing. Readings, not sequence numbers:
    // a recovery passes over tens of thousands of those, and a start knows at first only where the log begins.
    private const long NearBehind = 50_000;

    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Sequence number in the ingest log up to which readings are acknowledged.</summary>
    internal Func<long> Acknowledged { get; set; } = () => 0;

    /// <summary>Sequence number up to which they are in PostgreSQL; null while they can't be stored.</summary>
    internal Func<long?> Stored { get; set; } = () => 0;

    /// <summary>Acknowledged readings that are not in PostgreSQL, as far as they are counted.</summary>
    internal Func<long> Behind { get; set; } = () => 0;

    /// <summary>Returns when everything acknowledged by now can be queried, or can't be soon.</summary>
    public ValueTask CaughtUpAsync(CancellationToken cancellationToken)
    {
        var target = Acknowledged();
        return Stored() is not { } stored || stored >= target ? ValueTask.CompletedTask : WaitAsync(target, cancellationToken);
    }

    private async ValueTask WaitAsync(long target, CancellationToken cancellationToken)
    {
        var deadline = time.GetTimestamp();
        while (true)
        {
            var moved = Volatile.Read(ref _moved).Task;
            if (Stored() is not { } stored || stored >= target || Behind() > NearBehind)
                return;
            var left = _patience - time.GetElapsedTime(deadline);
            if (left <= TimeSpan.Zero)
                return;
            try
            {
                await moved.WaitAsync(left, time, cancellationToken);
            }
            catch (TimeoutException)
            {
                return;
            }
        }
    }

    internal void Moved() => Interlocked.Exchange(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
}
