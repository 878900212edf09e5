using IoT.Modules.Storage.Contracts;

namespace IoT.Host.Pipeline;

/// <summary>
/// Lets so many in at once. Those who wait are let in by priority, in the order in which they came within one; a full queue takes one of
/// high priority by turning away the normal one that came last.
/// </summary>
/// <param name="width">How many may be in.</param>
/// <param name="queue">How many may wait, of all priorities together.</param>
/// <param name="mostAhead">How many of high priority pass a waiting normal one in a row, before that is let in.</param>
internal sealed class PriorityGate(int width, int queue, int mostAhead)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _high = new();
    private readonly LinkedList<Waiter> _normal = new();
    private readonly int _width = width;
    private int _free = width;
    private int _ahead;

    private sealed class Waiter(PriorityGate gate)
    {
        public PriorityGate Gate => gate;

        public TaskCompletionSource<bool> Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public required LinkedListNode<Waiter> Place { get; set; }
    }

    /// <summary>How many are in.</summary>
    public int Running
    {
        get
        {
            lock (_lock)
                return _width - _free;
        }
    }

    public int Waiting(RequestPriority priority)
    {
        lock (_lock)
            return LineOf(priority).Count;
    }

    /// <summary>True: in, and <see cref="Leave"/> is owed. False: turned away.</summary>
    public ValueTask<bool> EnterAsync(RequestPriority priority, CancellationToken cancellationToken)
    {
        Waiter? waiter = null, displaced = null;
        lock (_lock)
        {
            if (_free > 0)
            {
                _free--;
                return new ValueTask<bool>(true);
            }
            if (_high.Count + _normal.Count >= queue)
            {
                if (priority == RequestPriority.Normal || _normal.Last is not { } last)
                    return new ValueTask<bool>(false);
                displaced = last.Value;
                _normal.RemoveLast();
            }
            waiter = new Waiter(this) { Place = null! };
            waiter.Place = LineOf(priority).AddLast(waiter);
        }
        displaced?.Turn.SetResult(false);
        return WaitAsync(waiter, cancellationToken);
    }

    public void Leave()
    {
        Waiter next;
        lock (_lock)
        {
            if (_high.Count + _normal.Count == 0)
            {
                _free++;
                return;
            }
            var normalsTurn = _high.Count == 0 || (_normal.Count > 0 && _ahead >= mostAhead);
            _ahead = normalsTurn || _normal.Count == 0 ? 0 : _ahead + 1;
            var line = normalsTurn ? _normal : _high;
            next = line.First!.Value;
            line.RemoveFirst();
        }
        next.Turn.SetResult(true);
    }

    private static async ValueTask<bool> WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var waiter = (Waiter)state!;
                if (waiter.Gate.GiveUp(waiter))
                    waiter.Turn.SetCanceled(token);
            }, waiter);
        return await waiter.Turn.Task;
    }

    /// <summary>False: it has been called, or turned away, already.</summary>
    private bool GiveUp(Waiter waiter)
    {
        lock (_lock)
        {
            if (waiter.Place.List is not { } line)
                return false;
            line.Remove(waiter.Place);
            return true;
        }
    }

    private LinkedList<Waiter> LineOf(RequestPriority priority) => priority == RequestPriority.High ? _high : _normal;
}
