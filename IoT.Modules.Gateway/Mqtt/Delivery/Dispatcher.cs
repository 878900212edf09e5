using System.Buffers;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;

namespace IoT.Modules.Gateway.Mqtt.Delivery;

/// <summary>One session's share in a message.</summary>
/// <param name="IsRetain">The flag that it gets.</param>
/// <param name="Group">The shared subscription that it comes by; null: none.</param>
/// <param name="PacketId">Of one that is to be on disk; 0: it gets one when it goes out.</param>
internal readonly record struct Dispatch(Session Session, byte Qos, bool IsRetain, uint[]? SubscriptionIds, SharedGroup? Group, ushort PacketId = 0);

/// <summary>Who gets a message: decided before it is logged, so that the queues it goes into are logged with it.</summary>
internal sealed class DeliveryPlan(Message message, BrokerJournalWriter journal, RetainedStore retained) : IDisposable
{
    private Dispatch[] _dispatches = [];
    private int _count;
    private int _durable;
    private long _messageId;

    public bool SetsRetained { get; set; }

    /// <summary>Somebody is subscribed, be it the publisher who does not want its own.</summary>
    public bool IsMatched { get; init; }

    public void Add(in Dispatch dispatch)
    {
        if (_count == _dispatches.Length)
        {
            var larger = ArrayPool<Dispatch>.Shared.Rent(Math.Max(16, 2 * _count));
            _dispatches.AsSpan(0, _count).CopyTo(larger);
            Return();
            _dispatches = larger;
        }
        _dispatches[_count++] = dispatch;
        if (dispatch.Qos > 0 && dispatch.Session.IsDurable)
            _durable++;
    }

    /// <summary>What of it must be on disk; null: nothing.</summary>
    public BrokerChange? Change()
    {
        if (_durable == 0 && !SetsRetained)
            return null;
        _messageId = journal.NextMessageId();
        var deliveries = new List<Durable.Delivery>(_durable);
        foreach (ref var dispatch in _dispatches.AsSpan(0, _count))
        {
            if (dispatch.Qos == 0 || !dispatch.Session.IsDurable)
                continue;
            dispatch = dispatch with { PacketId = dispatch.Session.ReservePacketId() };
            deliveries.Add(new Durable.Delivery(dispatch.Session.Id, dispatch.Qos, dispatch.IsRetain, dispatch.SubscriptionIds, dispatch.PacketId));
        }
        return new MessageTaken(_messageId, message.ToSaved(), SetsRetained, deliveries);
    }

    /// <param name="commit">Of its change; null when there was none.</param>
    /// <param name="publisher">Null: no session's.</param>
    /// <param name="unreleased">The packet id of one with QoS 2 that a PUBREL will follow; 0: none.</param>
    public void Deliver(Task? commit, FlushSet flush, Session? publisher = null, ushort unreleased = 0)
    {
        if (SetsRetained)
            retained.Set(message);
        foreach (var dispatch in _dispatches.AsSpan(0, _count))
        {
            var waitsFor = dispatch.Qos > 0 && dispatch.Session.IsDurable ? commit : null;
            if (unreleased == 0 || dispatch.Session != publisher || dispatch.Group is not null || !publisher.TryHold(unreleased, dispatch, message, _messageId, waitsFor))
                dispatch.Session.Deliver(dispatch, message, _messageId, waitsFor, flush);
        }
    }

    public void Dispose() => Return();

    private void Return()
    {
        if (_dispatches.Length > 0)
            ArrayPool<Dispatch>.Shared.Return(_dispatches, clearArray: true);
        _dispatches = [];
    }
}

/// <summary>From a message to the sessions that get it.</summary>
internal sealed class Dispatcher(TopicTrie trie, RetainedStore retained, BrokerJournalWriter journal)
{
    /// <summary>Whether a message there is of any concern to the broker.</summary>
    public bool IsWanted(PublishTopic topic, bool isRetain) => isRetain || !topic.RouteIn(trie).IsEmpty;

    /// <param name="publisher">Null: no session's, as the platform's own.</param>
    public DeliveryPlan Plan(Message message, Session? publisher)
    {
        var route = message.Topic.RouteIn(trie);
        var plan = new DeliveryPlan(message, journal, retained) { SetsRetained = message.IsRetain && retained.HasRoomFor(message), IsMatched = !route.IsEmpty };
        foreach (var entry in route.Targets)
        {
            if ((entry.Session == publisher ? entry.OfItsOwn() : entry) is { } target)
                plan.Add(new Dispatch(target.Session, Math.Min(message.Qos, target.Qos), target.KeepsRetain && message.IsRetain, target.Ids, null));
        }
        foreach (var group in route.Groups)
        {
            if (group.Pick(message.Topic.Name, null) is { } member)
                plan.Add(new Dispatch(member.Session, Math.Min(message.Qos, member.Qos), member.KeepsRetain && message.IsRetain, member.Ids, group));
        }
        return plan;
    }

    /// <summary>What a session that has ended did not acknowledge goes to others of its shared subscriptions.</summary>
    public void Redispatch(IReadOnlyList<OutgoingMessage> left, Session gone)
    {
        using var flush = FlushSet.Rent();
        foreach (var message in left)
        {
            if (message.Message.IsExpired || message.Group!.Pick(message.Message.Topic.Name, gone) is not { } member)
                continue;
            using var plan = new DeliveryPlan(message.Message, journal, retained);
            plan.Add(new Dispatch(member.Session, Math.Min(message.Message.Qos, member.Qos), message.IsRetain, member.Ids, message.Group));
            plan.Deliver(plan.Change() is { } change ? journal.Append(change) : null, flush);
        }
    }

    /// <summary>Retained messages that a new subscription covers.</summary>
    public void SendRetained(Subscription subscription, FlushSet flush)
    {
        var found = new List<Message>();
        retained.Find(subscription.Filter, found);
        foreach (var message in found)
        {
            if (!subscription.Session.MayReceive(message.Topic.Name))
                continue;
            using var plan = new DeliveryPlan(message, journal, retained);
            plan.Add(new Dispatch(subscription.Session, Math.Min(message.Qos, subscription.Qos), true, subscription.Ids, null));
            plan.Deliver(plan.Change() is { } change ? journal.Append(change) : null, flush);
        }
    }
}
