using IoT.Modules.Gateway.Mqtt.Packets;

namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <param name="Commit">What it waits for; null: nothing.</param>
/// <param name="ReasonString">Null: none.</param>
internal readonly record struct PendingAck(Task? Commit, PacketType Type, ushort PacketId, Reason Reason = Reason.Success, string? ReasonString = null);

/// <summary>
/// Acknowledgements of a connection in the order of the packets they answer, each held back until what it promises is on disk. A group
/// commit releases many at once, which go out together.
/// </summary>
/// <param name="failed">Called when a commit has failed: no acknowledgement will come.</param>
internal sealed class AckQueue(PacketOutput output, Action failed)
{
    private readonly Lock _gate = new();
    private readonly Queue<PendingAck> _waiting = new();
    private TaskCompletionSource? _fewer;
    private int _fewerThan;
    private Task? _awaited;

    public int Count => _waiting.Count;

    public void Add(in PendingAck ack, FlushSet flush)
    {
        lock (_gate)
        {
            _waiting.Enqueue(ack);
            if (_waiting.Count == 1)
                Pump(flush);
        }
    }

    /// <summary>There is room, or a commit is done.</summary>
    public void Continue(FlushSet flush)
    {
        lock (_gate)
            Pump(flush);
    }

    /// <summary>Completes when fewer than that many wait. One caller at a time.</summary>
    public Task WaitForFewerAsync(int count)
    {
        lock (_gate)
        {
            if (_waiting.Count < count)
                return Task.CompletedTask;
            _fewerThan = count;
            _fewer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _fewer.Task;
        }
    }

    private void Pump(FlushSet flush)
    {
        while (_waiting.TryPeek(out var next))
        {
            // It may complete at any moment: asked in this order, one that has just done so is not taken for one that has failed.
            if (next.Commit is { IsCompleted: false } commit)
            {
                PumpAfter(commit);
                break;
            }
            if (next.Commit is { IsCompletedSuccessfully: false })
            {
                failed();
                break;
            }
            if (!output.WriteAck(next.Type, next.PacketId, next.Reason, next.ReasonString, flush))
                break;
            _waiting.Dequeue();
        }
        if (_fewer is not null && _waiting.Count < _fewerThan)
        {
            _fewer.TrySetResult();
            _fewer = null;
        }
    }

    private void PumpAfter(Task commit)
    {
        if (_awaited == commit)
            return;
        _awaited = commit;
        commit.GetAwaiter().UnsafeOnCompleted(() =>
        {
            using var flush = FlushSet.Rent();
            lock (_gate)
            {
                _awaited = null;
                Pump(flush);
            }
        });
    }
}
