using System.Diagnostics.CodeAnalysis;

namespace IoT.Modules.Caching.Memory;

/// <summary>One computation that many may wait for. It is cancelled when the last of them has gone.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "A source without a timer holds nothing, and the last to leave may come after the end.")]
internal abstract class Flight(string key, int[] slots, long stamp)
{
    private readonly CancellationTokenSource _abandoned = new();
    private int _waiting = 1;
    private int _hasEnded;

    public string Key => key;

    public int[] Slots => slots;

    /// <summary>The sum of the slots' generations when it began.</summary>
    public long Stamp => stamp;

    public CancellationToken Abandoned => _abandoned.Token;

    /// <summary>False: everybody has gone already.</summary>
    public bool TryJoin()
    {
        var waiting = Volatile.Read(ref _waiting);
        while (waiting > 0)
        {
            var before = Interlocked.CompareExchange(ref _waiting, waiting + 1, waiting);
            if (before == waiting)
                return true;
            waiting = before;
        }
        return false;
    }

    /// <summary>True once.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _hasEnded, 1) == 0;

    protected void Leave()
    {
        if (Interlocked.Decrement(ref _waiting) == 0)
            _abandoned.Cancel();
    }
}

internal sealed class Flight<T>(string key, int[] slots, long stamp) : Flight(key, slots, stamp)
{
    private readonly TaskCompletionSource<T> _landed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Land(T value) => _landed.TrySetResult(value);

    public void Crash(Exception exception)
    {
        _landed.TrySetException(exception);
        // Those who waited may all have gone.
        _ = _landed.Task.Exception;
    }

    /// <summary>For each who has joined, and the one who began it, once.</summary>
    public async ValueTask<T> WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _landed.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Leave();
        }
    }
}
