using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Packets;

namespace IoT.Modules.Gateway.Mqtt.Sessions;

// What goes out. A message goes straight into the connection's buffer while nothing waits; what stops it (a full buffer, the client's
// receive maximum, a commit) leaves it in the queue, and whoever ends that stop pumps on.
internal sealed partial class Session
{
    private readonly OutboundQueue _queue;
    private readonly Dictionary<ushort, OutgoingMessage> _underWay = [];
    private Queue<OutgoingMessage>? _resend;
    private Task? _awaited;
    private bool _isReady;
    private int _window;
    private int _lastPacketId;
    private long _sequence;

    /// <summary>Without the gate: a hint to choose by.</summary>
    public Readiness Readiness =>
        IsEnded ? Readiness.Gone
        : Connection is not { } connection ? ExpirySeconds > 0 ? Readiness.Away : Readiness.Gone
        : _queue.Count == 0 && _window < connection.SendQuota ? Readiness.Ready : Readiness.Busy;

    public void Deliver(in Dispatch dispatch, Message message, long messageId, Task? commit, FlushSet flush)
    {
        lock (Gate)
        {
            if (IsEnded)
                return;
            if (dispatch.Qos == 0)
            {
                // Not kept for a client that is away, as Mosquitto does.
                if (Connection is null)
                    return;
                if (_isReady && (_queue.Count == 0 || (_queue.Qos0Count == 0 && _window >= Connection.SendQuota)) && Write(Connection, message, 0, 0, false, dispatch.IsRetain, dispatch.SubscriptionIds, flush) is WriteResult.Written or WriteResult.TooLarge)
                    return;
            }
            Enqueue(new OutgoingMessage(message, dispatch.Qos, dispatch.IsRetain, dispatch.SubscriptionIds, IsDurable ? messageId : 0, commit, dispatch.Group) { PacketId = dispatch.PacketId });
            if (_queue.Count == 1)
                Pump(flush);
        }
    }

    /// <summary>
    /// The id of a packet with a message that is to be on disk, which has it there: after a restart it goes out under the same one, and the
    /// client knows it again.
    /// </summary>
    public ushort ReservePacketId()
    {
        lock (Gate)
            return NextPacketId();
    }

    /// <summary>Of an earlier run.</summary>
    public void Restore(SavedDelivery saved, Message message)
    {
        var packetId = saved.ReceivedPacketId ?? (saved.PacketId > 0 ? saved.PacketId : (ushort)(saved.MessageId % ushort.MaxValue + 1));
        var restored = new OutgoingMessage(message, saved.Qos, saved.IsRetain, saved.SubscriptionIds is { Count: > 0 } ids ? [.. ids] : null, saved.MessageId, null, null) { PacketId = packetId, IsDup = saved.MayBeSent };
        _lastPacketId = packetId;
        if (saved.ReceivedPacketId is null)
        {
            Enqueue(restored);
            return;
        }
        (restored.State, restored.Sequence) = (DeliveryState.AwaitsPubComp, ++_sequence);
        _underWay[packetId] = restored;
    }

    /// <summary>Ids of the messages that may have gone out and are not acknowledged.</summary>
    public List<long> Sent()
    {
        lock (Gate)
            return [.. _underWay.Values.Concat(_queue.Where(message => message.IsDup)).Where(message => message.MessageId > 0).Select(message => message.MessageId)];
    }

    public void RestoreReceived(IEnumerable<ushort> packetIds)
    {
        foreach (var packetId in packetIds)
            Receive(packetId, Task.CompletedTask);
    }

    /// <summary>The client has its CONNACK: what was under way comes again, then what waits.</summary>
    public void Resume(MqttConnection connection, FlushSet flush)
    {
        lock (Gate)
        {
            if (Connection != connection)
                return;
            (_isReady, _window) = (true, 0);
            foreach (var message in _underWay.Values)
                (message.IsInWindow, message.IsDup) = (false, true);
            _resend = _underWay.Count == 0 ? null : new(_underWay.Values.OrderBy(message => message.Sequence));
            Pump(flush);
        }
    }

    /// <summary>The connection has room again.</summary>
    public void Drained(MqttConnection connection, FlushSet flush)
    {
        lock (Gate)
        {
            if (Connection == connection)
                Pump(flush);
        }
    }

    /// <summary>PUBACK or PUBCOMP, or a PUBREC that says no. False when nothing waits for it; a client's error when something else does.</summary>
    public bool Acknowledge(MqttConnection connection, in AckPacket ack, PacketType type, FlushSet flush, out Fault? fault)
    {
        fault = null;
        lock (Gate)
        {
            if (Connection != connection || !_underWay.TryGetValue(ack.PacketId, out var message))
                return false;
            if (type == PacketType.PubAck ? message.Qos != 1 : message.Qos != 2)
            {
                fault = Fault.Protocol($"{type} for a message of QoS {message.Qos}.");
                return false;
            }
            if (type == PacketType.PubComp && message.State != DeliveryState.AwaitsPubComp)
            {
                fault = Fault.Protocol("PUBCOMP for a message that had no PUBREC.");
                return false;
            }
            Finish(message);
            Pump(flush);
            return true;
        }
    }

    /// <summary>PUBREC: the client has the message. False when nothing waits for it.</summary>
    /// <param name="commit">What the PUBREL waits for; null: nothing.</param>
    public bool ReceivedByClient(MqttConnection connection, ushort packetId, out Task? commit, out Fault? fault)
    {
        (commit, fault) = (null, null);
        lock (Gate)
        {
            if (Connection != connection || !_underWay.TryGetValue(packetId, out var message))
                return false;
            if (message.Qos != 2)
            {
                fault = Fault.Protocol("PUBREC for a message of QoS 1.");
                return false;
            }
            if (message.State != DeliveryState.AwaitsPubComp)
            {
                message.State = DeliveryState.AwaitsPubComp;
                if (message.MessageId > 0 && IsDurable)
                    commit = _services.Journal.Append(new DeliveryReceived(Id, message.MessageId, packetId));
            }
            return true;
        }
    }

    private void Enqueue(OutgoingMessage message)
    {
        _queue.Add(message, out var dropped, out var cut);
        _services.Metrics.Dropped(dropped);
        if (cut is null)
            return;
        foreach (var lost in cut)
            Done(lost);
        _services.Metrics.Cut(this, cut.Count);
    }

    private void Pump(FlushSet flush)
    {
        if (!_isReady || Connection is not { } connection)
            return;
        while (_resend is not null)
        {
            if (!_resend.TryPeek(out var again))
            {
                _resend = null;
                break;
            }
            if (!again.IsDone && !Resend(connection, again, flush))
                return;
            _resend.Dequeue();
        }
        while (_queue.TryPeek(out var next))
        {
            if (next.Commit is { IsCompletedSuccessfully: false } commit)
            {
                PumpAfter(commit);
                return;
            }
            if (next.Message.IsExpired)
            {
                _queue.RemoveFirst();
                _services.Metrics.Expired();
                Done(next);
                continue;
            }
            if (next.Qos > 0 && !TryTakePacketId(connection, next))
            {
                PumpQos0(connection, flush);
                return;
            }
            switch (Write(connection, next.Message, next.Qos, next.PacketId, next.IsDup, next.IsRetain, next.SubscriptionIds, flush))
            {
                case WriteResult.Written:
                    _queue.RemoveFirst();
                    if (next.Qos > 0)
                        Start(next);
                    break;
                case WriteResult.TooLarge:
                    _queue.RemoveFirst();
                    Done(next);
                    break;
                default:
                    return;
            }
        }
    }

    /// <summary>The receive maximum is none for QoS 0.</summary>
    private void PumpQos0(MqttConnection connection, FlushSet flush)
    {
        while (_queue.TryPeekQos0(out var next))
        {
            if (!next.Message.IsExpired && Write(connection, next.Message, 0, 0, false, next.IsRetain, next.SubscriptionIds, flush) is not (WriteResult.Written or WriteResult.TooLarge))
                return;
            _queue.RemoveFirstQos0();
        }
    }

    private bool Resend(MqttConnection connection, OutgoingMessage message, FlushSet flush)
    {
        if (message.State == DeliveryState.AwaitsPubComp)
            return connection.Output.WriteAck(PacketType.PubRel, message.PacketId, Reason.Success, null, flush);
        if (_window >= connection.SendQuota)
            return false;
        switch (Write(connection, message.Message, message.Qos, message.PacketId, true, message.IsRetain, message.SubscriptionIds, flush))
        {
            case WriteResult.Written:
                message.IsInWindow = true;
                _window++;
                return true;
            case WriteResult.TooLarge:
                Finish(message);
                return true;
            default:
                return false;
        }
    }

    private static WriteResult Write(MqttConnection connection, Message message, byte qos, ushort packetId, bool isDup, bool isRetain, uint[]? subscriptionIds, FlushSet flush) =>
        connection.Output.WritePublish(message, qos, packetId, isDup, isRetain, subscriptionIds, flush);

    /// <summary>False when the client's receive maximum is used up, or the id that the message must have is still another's.</summary>
    private bool TryTakePacketId(MqttConnection connection, OutgoingMessage message)
    {
        if (_window >= connection.SendQuota || _underWay.Count >= ushort.MaxValue)
            return false;
        if (message.PacketId == 0)
            message.PacketId = NextPacketId();
        return !_underWay.ContainsKey(message.PacketId);
    }

    /// <summary>One that nothing under way has, if there is one: a client that leaves a message without an answer holds up no others.</summary>
    private ushort NextPacketId()
    {
        do
            _lastPacketId = _lastPacketId % ushort.MaxValue + 1;
        while (_underWay.Count < ushort.MaxValue && _underWay.ContainsKey((ushort)_lastPacketId));
        return (ushort)_lastPacketId;
    }

    private void Start(OutgoingMessage message)
    {
        message.State = message.Qos == 1 ? DeliveryState.AwaitsPubAck : DeliveryState.AwaitsPubRec;
        (message.Sequence, message.IsInWindow) = (++_sequence, true);
        _window++;
        _underWay[message.PacketId] = message;
    }

    private void Finish(OutgoingMessage message)
    {
        message.IsDone = true;
        _underWay.Remove(message.PacketId);
        if (message.IsInWindow)
            _window--;
        Done(message);
    }

    private void Done(OutgoingMessage message)
    {
        if (message.MessageId > 0 && IsDurable)
            _services.Journal.Post(new DeliveryDone(Id, message.MessageId));
    }

    private void PumpAfter(Task commit)
    {
        if (_awaited == commit)
            return;
        _awaited = commit;
        commit.GetAwaiter().UnsafeOnCompleted(() =>
        {
            using var flush = FlushSet.Rent();
            lock (Gate)
            {
                if (_awaited == commit)
                    _awaited = null;
                if (commit.IsCompletedSuccessfully)
                    Pump(flush);
            }
        });
    }
}
