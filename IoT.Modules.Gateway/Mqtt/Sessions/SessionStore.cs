using System.Collections.Concurrent;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;

namespace IoT.Modules.Gateway.Mqtt.Sessions;

/// <param name="Session">Null: there are too many.</param>
/// <param name="IsPresent">It was there before.</param>
/// <param name="Commit">What the CONNACK waits for.</param>
internal readonly record struct OpenedSession(Session? Session, bool IsPresent, Task Commit);

/// <summary>
/// Every session by credential and client id: opened, taken over, closed, ended. One thing at a time; what takes a while is only begun
/// here.
/// </summary>
internal sealed class SessionStore(SessionServices services, TopicTrie trie, Dispatcher dispatcher, WillPublisher wills)
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<(string Scope, string ClientId), Session> _sessions = new();

    // Counted beside the dictionary, whose Count takes a thousand locks when there are ten thousand.
    private int _count;

    public int Count => _count;

    public IEnumerable<Session> All => _sessions.Values;

    /// <param name="expirySeconds">As granted.</param>
    public OpenedSession Open(MqttConnection connection, MqttIdentity identity, ConnectPacket connect, uint expirySeconds)
    {
        var key = (identity.Scope, connect.ClientId);
        List<OutgoingMessage> left = [];
        MqttConnection? before = null;
        Session? ended = null;
        OpenedSession opened;
        lock (_gate)
        {
            var changes = new List<BrokerChange>();
            var session = _sessions.GetValueOrDefault(key);
            // A session without expiry ends with its connection, which ends now.
            var isPresent = session is not null && !connect.IsCleanStart && session.ExpirySeconds > 0;
            if (session is not null && !isPresent)
            {
                before = session.Connection;
                (ended, left) = (session, End(session, changes));
                session = null;
            }
            if (session is null)
            {
                if (ended is null && _count >= services.Options.MqttMaxSessions)
                    return new OpenedSession(null, false, Task.CompletedTask);
                session = new Session(services.Journal.NextSessionId(), identity.Scope, connect.ClientId, services);
                session.Attach(connection);
                _sessions[key] = session;
                _count++;
            }
            else
            {
                before = session.Attach(connection);
                // Taken up again before its delay is over, a will is withdrawn; without a delay it was due when the connection ended.
                if (before is not null && session.Will is { Packet.DelaySeconds: 0 } due)
                    wills.Publish(due);
            }
            if (expirySeconds > 0)
                changes.Add(new SessionOpened(session.Id, session.Scope, session.ClientId, expirySeconds, Saved(connect.Will, identity.Scope)));
            else if (session.IsDurable)
                changes.Add(new SessionEnded(session.Id));
            (session.ExpirySeconds, session.IsDurable) = (expirySeconds, expirySeconds > 0);
            session.Will = connect.Will is null ? null : new SessionWill(connect.Will, identity.Scope);
            opened = new OpenedSession(session, isPresent, changes.Count == 0 ? Task.CompletedTask : services.Journal.Append(changes));
        }
        before?.End(Reason.SessionTakenOver, "Another connection has taken the session over.");
        if (left.Count > 0)
            dispatcher.Redispatch(left, ended!);
        return opened;
    }

    /// <summary>The connection has ended. Nothing when another one has its session.</summary>
    /// <param name="dropsWill">The client said good-bye, or may no longer speak.</param>
    /// <param name="expirySeconds">What it said at its end; null: as it was.</param>
    public void Close(MqttConnection connection, Session session, bool dropsWill, uint? expirySeconds)
    {
        List<OutgoingMessage> left = [];
        lock (_gate)
        {
            if (!session.Detach(connection) || session.IsEnded)
                return;
            if (dropsWill)
                session.Will = null;
            session.ExpirySeconds = expirySeconds ?? session.ExpirySeconds;
            if (session.ExpirySeconds == 0)
            {
                var changes = new List<BrokerChange>();
                left = End(session, changes);
                foreach (var change in changes)
                    services.Journal.Post(change);
            }
            else
            {
                if (session.Will is { } will && will.Packet.DelaySeconds == 0)
                {
                    wills.Publish(will);
                    session.Will = null;
                }
                else if (session.Will is { } later)
                {
                    session.Will = later with { DueAt = session.ClosedAt + Ticks(Math.Min(later.Packet.DelaySeconds, session.ExpirySeconds)) };
                }
                services.Journal.Post(new SessionClosed(session.Id, services.Time.GetUtcNow().UtcDateTime, session.ExpirySeconds, session.Will is { } kept ? Saved(kept.Packet, kept.Scope) : null, session.Sent()));
            }
        }
        if (left.Count > 0)
            dispatcher.Redispatch(left, session);
    }

    /// <summary>Now and then: wills that are due, sessions whose time is over.</summary>
    public void Tick()
    {
        var now = services.Time.GetTimestamp();
        foreach (var session in _sessions.Values)
        {
            if (session.ClosedAt is var closedAt and not 0 && (session.Will is { DueAt: var due } && due <= now || IsOver(session, closedAt, now)))
                Expire(session, now);
        }
    }

    /// <summary>The credential is no more: its sessions neither.</summary>
    public void EndAllOf(string scope)
    {
        foreach (var session in _sessions.Values.Where(session => session.Scope == scope))
        {
            List<OutgoingMessage> left = [];
            lock (_gate)
            {
                session.Will = null;
                if (session.Connection is not null)
                    session.ExpirySeconds = 0; // Ends with its connection, which is ending.
                else if (!session.IsEnded)
                    left = EndAndPost(session);
            }
            dispatcher.Redispatch(left, session);
        }
    }

    public void Restore(BrokerSnapshot snapshot, Func<BrokerMessage, Message?> messageOf)
    {
        foreach (var saved in snapshot.Sessions)
        {
            var session = new Session(saved.SessionId, saved.Scope, saved.ClientId, services) { ExpirySeconds = saved.ExpirySeconds, IsDurable = true };
            var now = services.Time.GetTimestamp();
            var away = saved.ClosedAt is { } at ? services.Time.GetUtcNow().UtcDateTime - at : TimeSpan.Zero;
            // A clock that was set back makes nobody younger than now.
            session.StartAway(Math.Max(1, now - Ticks(Math.Max(0, away.TotalSeconds))));
            foreach (var subscription in saved.Subscriptions)
                Subscribe(session, new Subscription(session, subscription.Filter, subscription.Options, subscription.SubscriptionId));
            foreach (var delivery in saved.Queue)
            {
                if (messageOf(delivery.Message) is { } message)
                    session.Restore(delivery, message);
                else
                    services.Journal.Post(new DeliveryDone(saved.SessionId, delivery.MessageId));
            }
            session.RestoreReceived(saved.InboundPacketIds);
            if (saved.Will is { } will)
            {
                var packet = new WillPacket(will.Message.Topic, will.Message.Payload.ToArray(), will.Message.Qos, will.Message.IsRetain, will.DelaySeconds, null, MessagePropertyCodec.Encode(will.Message.Properties));
                session.Will = new SessionWill(packet, will.Publisher, session.ClosedAt + Ticks(Math.Min(will.DelaySeconds, saved.ExpirySeconds)));
            }
            _sessions[(saved.Scope, saved.ClientId)] = session;
            _count++;
            // What it was sent before the end is not known, and all of it stays so.
            if (saved.ClosedAt is null)
                services.Journal.Post(new SessionClosed(session.Id, services.Time.GetUtcNow().UtcDateTime, session.ExpirySeconds, saved.Will));
        }
    }

    /// <summary>Whether the session was not subscribed to that filter before.</summary>
    public bool Subscribe(Session session, Subscription subscription)
    {
        // Of two at once for one session there are none: its own connection's packets come one by one.
        var isNew = session.Subscribe(subscription);
        trie.Set(subscription, isNew);
        return isNew;
    }

    public bool Unsubscribe(Session session, string filter)
    {
        if (!session.Unsubscribe(filter))
            return false;
        trie.Remove(session, filter);
        return true;
    }

    private void Expire(Session session, long now)
    {
        List<OutgoingMessage> left = [];
        lock (_gate)
        {
            if (session.IsEnded || session.ClosedAt is not (var closedAt and not 0))
                return;
            if (session.Will is { DueAt: var due } will && due <= now)
            {
                wills.Publish(will);
                session.Will = null;
                services.Journal.Post(new SessionClosed(session.Id, services.Time.GetUtcNow().UtcDateTime - services.Time.GetElapsedTime(closedAt, now), session.ExpirySeconds, null, session.Sent()));
            }
            if (IsOver(session, closedAt, now))
                left = EndAndPost(session);
        }
        dispatcher.Redispatch(left, session);
    }

    private bool IsOver(Session session, long closedAt, long now) =>
        session.ExpirySeconds < uint.MaxValue && services.Time.GetElapsedTime(closedAt, now).TotalSeconds >= session.ExpirySeconds;

    private List<OutgoingMessage> EndAndPost(Session session)
    {
        var changes = new List<BrokerChange>();
        var left = End(session, changes);
        foreach (var change in changes)
            services.Journal.Post(change);
        return left;
    }

    /// <summary>Under the gate.</summary>
    private List<OutgoingMessage> End(Session session, List<BrokerChange> changes)
    {
        if (_sessions.TryRemove(new((session.Scope, session.ClientId), session)))
            _count--;
        var left = session.End();
        foreach (var subscription in session.Subscriptions)
            trie.Remove(session, subscription.Filter);
        if (session.Will is { } will)
            wills.Publish(will);
        session.Will = null;
        if (session.IsDurable)
            changes.Add(new SessionEnded(session.Id));
        return left;
    }

    // Its expiry begins when it is published, and is not known before: after a restart it has none.
    private static BrokerWill? Saved(WillPacket? will, string scope) => will is null ? null : new BrokerWill(
        new BrokerMessage(will.Topic, will.Payload, will.Qos, will.IsRetain, null, MessagePropertyCodec.Decode(will.Properties)), will.DelaySeconds, scope);

    private long Ticks(double seconds) => (long)(seconds * services.Time.TimestampFrequency);
}
