namespace IoT.Modules.Semantics.Inferences;

/// <summary>A derived fact, spelled out as in <see cref="Contracts.Inference"/>.</summary>
internal readonly record struct InferenceKey(string Subject, string Predicate, string Object);

/// <summary>When a rule's inferences are raised and cleared.</summary>
/// <param name="For">How long one has to hold before it is raised.</param>
/// <param name="ClearAfter">How long it has to be gone before it is cleared.</param>
internal readonly record struct RuleDelays(TimeSpan For, TimeSpan ClearAfter);

/// <summary>An inference that was raised or cleared just now.</summary>
internal sealed record InferenceEvent(Guid Id, InferenceKey Key, string Rule, double Confidence, DateTime RaisedAt, DateTime? ClearedAt)
{
    public bool IsRaised => ClearedAt is null;
}

/// <summary>
/// From facts that appear and vanish to inferences that are raised and cleared: a rule's delays keep a flapping reading from flooding
/// those who listen. Not for several threads at once.
/// </summary>
internal sealed class InferenceTracker(TimeProvider time)
{
    private readonly Dictionary<InferenceKey, Tracked> _tracked = [];
    private readonly PriorityQueue<(Tracked Tracked, long Due), long> _due = new();
    private readonly List<InferenceEvent> _events = [];
    private HashSet<InferenceKey> _waiting = [];

    private enum State
    {
        /// <summary>It holds, not yet long enough.</summary>
        Waiting,

        Raised,

        /// <summary>It no longer holds, not yet long enough.</summary>
        Clearing,

        /// <summary>Raised before the start; whether it still holds is not known yet.</summary>
        Unconfirmed,
    }

    private sealed class Tracked(InferenceKey key)
    {
        public InferenceKey Key { get; } = key;

        public Guid Id { get; set; }

        public State State { get; set; }

        /// <summary>When its wait is over, by the monotonic clock; 0: it does not wait.</summary>
        public long Due { get; set; }

        public string Rule { get; set; } = "";

        public double Confidence { get; set; }

        public RuleDelays Delays { get; set; }

        public DateTime RaisedAt { get; set; }
    }

    /// <summary>Inferences that hold, those that are about to be cleared among them.</summary>
    public int Active { get; private set; }

    /// <summary>One that the database has as raised.</summary>
    public void Load(Guid id, InferenceKey key, string rule, double confidence, DateTime raisedAt)
    {
        _tracked[key] = new Tracked(key) { Id = id, State = State.Unconfirmed, Rule = rule, Confidence = confidence, RaisedAt = raisedAt };
        Active++;
    }

    /// <summary>Everything has to appear anew before <see cref="Confirm"/>, or it has vanished.</summary>
    public void Unconfirm()
    {
        foreach (var tracked in _tracked.Values.Where(t => t.State == State.Raised))
            tracked.State = State.Unconfirmed;
        // What waited to be raised or cleared goes on waiting, if it is as it was.
        _waiting = [.. _tracked.Values.Where(t => t.State == State.Waiting).Select(t => t.Key)];
    }

    /// <summary>What was loaded and has not appeared has vanished while nobody looked.</summary>
    public void Confirm(Func<string, RuleDelays> delaysOf)
    {
        foreach (var tracked in _tracked.Values.Where(t => t.State == State.Unconfirmed).ToList())
        {
            tracked.State = State.Raised;
            tracked.Delays = delaysOf(tracked.Rule);
            Vanish(tracked.Key);
        }
        foreach (var key in _waiting)
            Vanish(key);
        _waiting = [];
    }

    /// <summary>A fact is derived now; again and again is fine.</summary>
    public void Appear(InferenceKey key, string rule, double confidence, RuleDelays delays)
    {
        if (!_tracked.TryGetValue(key, out var tracked))
        {
            tracked = new Tracked(key) { State = State.Waiting, Rule = rule, Confidence = confidence, Delays = delays };
            _tracked.Add(key, tracked);
            if (delays.For <= TimeSpan.Zero)
                Raise(tracked);
            else
                Wait(tracked, delays.For);
            return;
        }
        (tracked.Rule, tracked.Confidence, tracked.Delays) = (rule, confidence, delays);
        _waiting.Remove(key);
        if (tracked.State is State.Clearing or State.Unconfirmed)
            (tracked.State, tracked.Due) = (State.Raised, 0);
    }

    /// <summary>A fact is derived no longer.</summary>
    public void Vanish(InferenceKey key)
    {
        if (!_tracked.TryGetValue(key, out var tracked))
            return;
        switch (tracked.State)
        {
            case State.Waiting:
                tracked.Due = 0;
                _tracked.Remove(key);
                break;
            case State.Raised when tracked.Delays.ClearAfter > TimeSpan.Zero:
                tracked.State = State.Clearing;
                Wait(tracked, tracked.Delays.ClearAfter);
                break;
            case State.Raised:
                Clear(tracked);
                break;
            default:
                break;
        }
    }

    /// <summary>How long until the next wait is over; null: none.</summary>
    public TimeSpan? UntilDue()
    {
        while (_due.TryPeek(out var next, out _) && next.Tracked.Due != next.Due)
            _due.Dequeue();
        if (!_due.TryPeek(out _, out var due))
            return null;
        var left = time.GetElapsedTime(time.GetTimestamp(), due);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>What was raised and cleared since it was asked last, waits that are over included.</summary>
    public IReadOnlyList<InferenceEvent> TakeEvents()
    {
        var now = time.GetTimestamp();
        while (_due.TryPeek(out var next, out var due) && (next.Tracked.Due != due || due <= now))
        {
            _due.Dequeue();
            if (next.Tracked.Due != due)
                continue;
            next.Tracked.Due = 0;
            if (next.Tracked.State == State.Waiting)
                Raise(next.Tracked);
            else
                Clear(next.Tracked);
        }
        if (_events.Count == 0)
            return [];
        InferenceEvent[] events = [.. _events];
        _events.Clear();
        return events;
    }

    /// <summary>The id of one that holds; null: it does not, or waits.</summary>
    public Guid? Find(InferenceKey key) => _tracked.TryGetValue(key, out var tracked) && tracked.State != State.Waiting ? tracked.Id : null;

    /// <summary>All that hold, for a database that has lost track.</summary>
    public IEnumerable<InferenceEvent> Raised() =>
        _tracked.Values.Where(t => t.State != State.Waiting).Select(t => new InferenceEvent(t.Id, t.Key, t.Rule, t.Confidence, t.RaisedAt, null));

    private void Wait(Tracked tracked, TimeSpan span)
    {
        var due = time.GetTimestamp() + (long)(span.TotalSeconds * time.TimestampFrequency);
        tracked.Due = due;
        _due.Enqueue((tracked, due), due);
    }

    private void Raise(Tracked tracked)
    {
        var now = time.GetUtcNow();
        (tracked.Id, tracked.State, tracked.RaisedAt) = (Guid.CreateVersion7(now), State.Raised, Microseconds(now.UtcDateTime));
        Active++;
        _events.Add(new InferenceEvent(tracked.Id, tracked.Key, tracked.Rule, tracked.Confidence, tracked.RaisedAt, null));
    }

    private void Clear(Tracked tracked)
    {
        _tracked.Remove(tracked.Key);
        Active--;
        _events.Add(new InferenceEvent(tracked.Id, tracked.Key, tracked.Rule, tracked.Confidence, tracked.RaisedAt, Microseconds(time.GetUtcNow().UtcDateTime)));
    }

    // PostgreSQL keeps no more.
    private static DateTime Microseconds(DateTime at) => at.AddTicks(-(at.Ticks % TimeSpan.TicksPerMicrosecond));
}
