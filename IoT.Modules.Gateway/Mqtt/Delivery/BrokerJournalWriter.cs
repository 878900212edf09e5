using System.Collections.Concurrent;
using IoT.Modules.Gateway.Mqtt.Durable;

namespace IoT.Modules.Gateway.Mqtt.Delivery;

/// <summary>Changes of the broker's state on their way to disk.</summary>
internal sealed class BrokerJournalWriter(IBrokerJournal journal)
{
    // Beyond that, while the log is full, what was delivered is not kept in mind: one delivery more after a restart each. Of what
    // becomes of sessions nothing is given up: that is no more than there are sessions.
    private const int MaxLate = 100_000;

    private readonly ConcurrentQueue<BrokerChange> _late = new();
    private long _nextSessionId = 1;
    private readonly Lock _gate = new();
    private TaskCompletionSource? _noneLate;
    private long _nextMessageId;

    public async Task<BrokerSnapshot> LoadAsync(CancellationToken cancellationToken)
    {
        var snapshot = await journal.LoadAsync(cancellationToken);
        (_nextSessionId, _nextMessageId) = (snapshot.NextSessionId, snapshot.NextMessageId - 1);
        return snapshot;
    }

    public long NextSessionId() => Interlocked.Increment(ref _nextSessionId) - 1;

    public long NextMessageId() => Interlocked.Increment(ref _nextMessageId);

    /// <summary>Completes when it is on disk. What was posted before goes before: a session is opened behind its end, and what was sent then is what that says.</summary>
    public Task Append(params IReadOnlyList<BrokerChange> changes) =>
        _late.IsEmpty && journal.TryAppend(changes, out var committed) ? committed : AppendLateAsync(changes);

    /// <summary>Nobody waits for it. When the log is full it follows later.</summary>
    public void Post(BrokerChange change)
    {
        if (_late.IsEmpty && journal.TryAppend([change], out _))
            return;
        if (change is not DeliveryDone || _late.Count < MaxLate)
            _late.Enqueue(change);
    }

    /// <summary>Now and then.</summary>
    public void PostLate()
    {
        while (_late.TryPeek(out var change) && journal.TryAppend([change], out _))
            _late.TryDequeue(out _);
        lock (_gate)
        {
            if (!_late.IsEmpty)
                return;
            _noneLate?.TrySetResult();
            _noneLate = null;
        }
    }

    private async Task AppendLateAsync(IReadOnlyList<BrokerChange> changes)
    {
        while (NoneLate() is { IsCompleted: false } noneLate)
            await noneLate;
        await journal.AppendAsync(changes);
    }

    private Task NoneLate()
    {
        lock (_gate)
            return _late.IsEmpty ? Task.CompletedTask : (_noneLate ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }
}
