using IoT.Modules.Gateway.Mqtt.Durable;

namespace IoT.Tests.Gateway.Mqtt.Durable;

/// <summary>What changes mean, said once more and as plainly as can be, to hold the database against.</summary>
internal sealed class StateModel
{
    private readonly SortedDictionary<long, Session> _sessions = [];
    private readonly SortedDictionary<string, BrokerMessage> _retained = new(StringComparer.Ordinal);
    private long _nextSession = 1, _nextMessage = 1;

    private sealed class Session
    {
        public required SessionOpened Opened;
        public DateTime? ClosedAt;
        public uint Expiry;
        public BrokerWill? Will;
        public readonly SortedDictionary<string, SavedSubscription> Subscriptions = new(StringComparer.Ordinal);
        public readonly SortedDictionary<long, SavedDelivery> Queue = [];
        public readonly SortedSet<ushort> Inbound = [];
    }

    public void Apply(IEnumerable<BrokerChange> changes)
    {
        foreach (var change in changes)
            Apply(change);
    }

    public void Apply(BrokerChange change)
    {
        switch (change)
        {
            case SessionOpened opened:
                _nextSession = Math.Max(_nextSession, opened.SessionId + 1);
                foreach (var other in _sessions.Where(s => s.Key != opened.SessionId && s.Value.Opened.Scope == opened.Scope && s.Value.Opened.ClientId == opened.ClientId).ToList())
                    _sessions.Remove(other.Key);
                if (!_sessions.TryGetValue(opened.SessionId, out var mine))
                    _sessions[opened.SessionId] = mine = new Session { Opened = opened };
                (mine.Opened, mine.ClosedAt, mine.Expiry, mine.Will) = (opened, null, opened.ExpirySeconds, opened.Will);
                break;
            case SessionClosed closed when _sessions.TryGetValue(closed.SessionId, out var session):
                (session.ClosedAt, session.Expiry, session.Will) = (closed.At, closed.ExpirySeconds, closed.Will);
                foreach (var id in session.Queue.Keys.ToList())
                    session.Queue[id] = session.Queue[id] with { MayBeSent = closed.Sent is null || closed.Sent.Contains(id) };
                break;
            case SessionEnded ended:
                _sessions.Remove(ended.SessionId);
                break;
            case Subscribed s when _sessions.TryGetValue(s.SessionId, out var session):
                session.Subscriptions[s.Filter] = new SavedSubscription(s.Filter, s.Options, s.SubscriptionId);
                break;
            case Unsubscribed s when _sessions.TryGetValue(s.SessionId, out var session):
                session.Subscriptions.Remove(s.Filter);
                break;
            case MessageTaken taken:
                _nextMessage = Math.Max(_nextMessage, taken.MessageId + 1);
                foreach (var d in taken.Deliveries)
                {
                    if (_sessions.TryGetValue(d.SessionId, out var target))
                        target.Queue.TryAdd(taken.MessageId, new SavedDelivery(taken.MessageId, taken.Message, d.Qos, d.IsRetain, d.SubscriptionIds, d.PacketId, false, null));
                }
                if (taken.SetsRetained)
                    _retained.Remove(taken.Message.Topic);
                if (taken.SetsRetained && !taken.Message.Payload.IsEmpty)
                    _retained[taken.Message.Topic] = taken.Message;
                break;
            case DeliveryDone done when _sessions.TryGetValue(done.SessionId, out var session):
                session.Queue.Remove(done.MessageId);
                break;
            case DeliveryReceived received when _sessions.TryGetValue(received.SessionId, out var session) && session.Queue.TryGetValue(received.MessageId, out var queued):
                session.Queue[received.MessageId] = queued with { ReceivedPacketId = received.PacketId };
                break;
            case PacketIdTaken taken when _sessions.TryGetValue(taken.SessionId, out var session):
                session.Inbound.Add(taken.PacketId);
                break;
            case PacketIdReleased released when _sessions.TryGetValue(released.SessionId, out var session):
                session.Inbound.Remove(released.PacketId);
                break;
        }
    }

    public string Text() => Text(new BrokerSnapshot(
        [.. _sessions.Select(s => new SavedSession(
            s.Key, s.Value.Opened.Scope, s.Value.Opened.ClientId, s.Value.Expiry, s.Value.ClosedAt, s.Value.Will,
            [.. s.Value.Subscriptions.Values], [.. s.Value.Queue.Values.Select(d => d with { MayBeSent = d.MayBeSent || s.Value.ClosedAt is null })], [.. s.Value.Inbound]))],
        [.. _retained.Values], _nextSession, _nextMessage));

    public static string Text(BrokerSnapshot snapshot) => RandomChanges.Text(snapshot);
}
