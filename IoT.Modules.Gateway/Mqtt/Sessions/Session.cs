using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;

namespace IoT.Modules.Gateway.Mqtt.Sessions;

/// <summary>How soon a session can take a message, the best last.</summary>
internal enum Readiness
{
    Gone,
    Away,
    Busy,
    Ready,
}

/// <summary>What a session needs of its broker.</summary>
internal sealed record SessionServices(BrokerJournalWriter Journal, BrokerMetrics Metrics, GatewayOptions Options, TimeProvider Time);

/// <summary>
/// What the platform keeps for a client between its connections: subscriptions, what waits to be delivered and what is under way.
/// </summary>
internal sealed partial class Session
{
    private const int MostHeldBytes = 256 * 1024;

    private readonly SessionServices _services;
    private readonly Dictionary<string, Subscription> _subscriptions = new(StringComparer.Ordinal);
    private Dictionary<ushort, Task>? _received;
    private Dictionary<ushort, HeldDelivery>? _held;
    private int _heldBytes;

    public Session(long id, string scope, string clientId, SessionServices services)
    {
        (Id, Scope, ClientId, _services) = (id, scope, clientId, services);
        _queue = new OutboundQueue(services.Options.MqttMaxQueuedMessages, services.Options.MqttMaxQueuedKiB * 1024L);
        IsAnonymous = scope == MqttIdentity.Anonymous.Scope;
    }

    public long Id { get; }

    /// <summary>The credential that it belongs to.</summary>
    public string Scope { get; }

    public string ClientId { get; }

    public bool IsAnonymous { get; }

    /// <summary>Guards everything that changes. Taken before a connection's output, never after.</summary>
    public Lock Gate { get; } = new();

    public MqttConnection? Connection { get; private set; }

    public bool IsEnded { get; private set; }

    /// <summary>Seconds after its connection's end; <see cref="uint.MaxValue"/>: never.</summary>
    public uint ExpirySeconds { get; set; }

    /// <summary>It outlives its connection, and the host: every change of it is on disk.</summary>
    public bool IsDurable { get; set; }

    /// <summary>Monotonic; when its connection ended. 0: it has one.</summary>
    public long ClosedAt { get; private set; }

    /// <summary>What is to be published when its connection ends, or a while after.</summary>
    public SessionWill? Will { get; set; }

    public IReadOnlyCollection<Subscription> Subscriptions => _subscriptions.Values;

    /// <summary>What waits or is under way.</summary>
    public int Backlog => _queue.Count + _underWay.Count;

    /// <summary>A wildcard of a stranger may cover the platform's topics; what they bring is not for him.</summary>
    public bool MayReceive(string topic) => !IsAnonymous || !MqttTopics.IsReserved(topic);

    /// <summary>Puts the connection in the place of the one it had, which it answers.</summary>
    public MqttConnection? Attach(MqttConnection connection)
    {
        lock (Gate)
        {
            var before = Connection;
            (Connection, _isReady, ClosedAt) = (connection, false, 0);
            return before;
        }
    }

    /// <summary>False when another connection has its place already.</summary>
    public bool Detach(MqttConnection connection)
    {
        lock (Gate)
        {
            if (Connection != connection)
                return false;
            (Connection, _isReady, ClosedAt) = (null, false, _services.Time.GetTimestamp());
            _services.Metrics.Dropped(_queue.DropQos0());
            return true;
        }
    }

    /// <summary>Of an earlier run, and without a connection.</summary>
    public void StartAway(long closedAt) => ClosedAt = closedAt;

    /// <summary>It takes nothing any more. What others of its shared subscriptions are to get in its place.</summary>
    public List<OutgoingMessage> End()
    {
        lock (Gate)
        {
            IsEnded = true;
            var left = _underWay.Values.Where(message => message.State == DeliveryState.AwaitsPubAck).OrderBy(message => message.Sequence)
                .Concat(_queue.Clear()).Where(message => message.Group is not null).ToList();
            _underWay.Clear();
            _resend = null;
            return left;
        }
    }

    /// <summary>Whether it was not subscribed to that filter before.</summary>
    public bool Subscribe(Subscription subscription)
    {
        lock (Gate)
        {
            var isNew = !_subscriptions.ContainsKey(subscription.Filter);
            _subscriptions[subscription.Filter] = subscription;
            return isNew;
        }
    }

    public bool IsSubscribed(string filter)
    {
        lock (Gate)
            return _subscriptions.ContainsKey(filter);
    }

    public bool Unsubscribe(string filter)
    {
        lock (Gate)
            return _subscriptions.Remove(filter);
    }

    /// <summary>The commit of the publish that came with this packet id and QoS 2; null when it is a new one.</summary>
    public Task? FindReceived(ushort packetId)
    {
        lock (Gate)
            return _received?.GetValueOrDefault(packetId);
    }

    public int Received
    {
        get
        {
            lock (Gate)
                return _received?.Count ?? 0;
        }
    }

    public void Receive(ushort packetId, Task commit)
    {
        lock (Gate)
            (_received ??= [])[packetId] = commit;
    }

    /// <summary>
    /// What the client gets of its own publish with QoS 2 comes between its PUBREL and the PUBCOMP, as from Mosquitto: one that reads packet
    /// by packet has its PUBREC first. Others have it at once. False when it holds too much so: it is to be delivered at once too.
    /// </summary>
    public bool TryHold(ushort packetId, in Dispatch dispatch, Message message, long messageId, Task? commit)
    {
        lock (Gate)
        {
            if (IsEnded || _heldBytes + message.Bytes > MostHeldBytes || !(_held ??= []).TryAdd(packetId, new HeldDelivery(dispatch, message, messageId, commit)))
                return false;
            _heldBytes += message.Bytes;
            return true;
        }
    }

    public void DeliverHeld(ushort packetId, FlushSet flush)
    {
        HeldDelivery held;
        lock (Gate)
        {
            if (_held is null || !_held.Remove(packetId, out held))
                return;
            _heldBytes -= held.Message.Bytes;
        }
        Deliver(held.Dispatch, held.Message, held.MessageId, held.Commit, flush);
    }

    /// <summary>False when nothing was received with that id.</summary>
    /// <param name="commit">What the PUBCOMP waits for; null: nothing.</param>
    public bool Release(ushort packetId, out Task? commit)
    {
        commit = null;
        lock (Gate)
        {
            if (_received is null || !_received.Remove(packetId))
                return false;
            if (IsDurable)
                commit = _services.Journal.Append(new PacketIdReleased(Id, packetId));
            return true;
        }
    }
}

/// <summary>What a session will get of its own publish.</summary>
internal readonly record struct HeldDelivery(Dispatch Dispatch, Message Message, long MessageId, Task? Commit);

/// <summary>A will, and as whom it is published.</summary>
/// <param name="Scope">Of the credential that left it: what it may is asked when it is published.</param>
/// <param name="DueAt">Monotonic; 0: its connection has not ended.</param>
internal sealed record SessionWill(WillPacket Packet, string Scope, long DueAt = 0);
