using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Mqtt.Connections;

// What a signed-in client sends.
internal sealed partial class MqttConnection
{
    /// <summary>Topics that a client may abbreviate.</summary>
    private const ushort MostAliases = 32;

    private const int MostRefused = 1000;

    // Topic and properties before as much of the payload as a quarantine keeps.
    private const int MostOfTooLarge = 128 * 1024 + QuarantineEntry.MaxBytes;

    private PublishTopic?[]? _aliases;
    private HashSet<ushort>? _refused;
    private PublishTopic? _lastTopic;

    /// <summary>
    /// In a session that was taken up again the exchange was over, but for an answer that was lost with the connection; else the client is
    /// mistaken about it.
    /// </summary>
    private Reason OfUnknownId => _isResumed ? Reason.Success : Reason.PacketIdentifierNotFound;

    private async ValueTask HandlePublishAsync(Frame frame, FlushSet flush)
    {
        if (PacketDecoder.ReadPublish(frame, IsVersion5, out var packet) is { } malformed)
        {
            Fail(malformed);
            return;
        }
        if (TopicOf(packet, out var fault) is not { } topic)
        {
            Fail(fault);
            return;
        }
        PublishesReceived++;
        if (packet.Qos > 0 && (_acks.Count >= Options.MqttMaxInFlight || !Output.Room.IsCompleted))
        {
            flush.Flush();
            await Room(_acks.Count);
        }
        var session = Session!;
        BrokerChange? change = null;
        if (packet.Qos == 2)
        {
            if (session.FindReceived(packet.PacketId) is { } commit)
            {
                // Sent again: taken once.
                _acks.Add(new PendingAck(commit, PacketType.PubRec, packet.PacketId), flush);
                return;
            }
            if (IsVersion5 && session.Received >= Options.MqttMaxInFlight)
            {
                Fail(new Fault(Reason.ReceiveMaximumExceeded, "More publishes of QoS 2 are under way than the receive maximum allows."));
                return;
            }
            change = session.IsDurable ? new PacketIdTaken(session.Id, packet.PacketId) : null;
        }
        var outcome = await _services.Pipeline.TakeAsync(new PublishSource(Identity!, IsVersion5, session, this), topic, packet, change, flush, _ending.Token);
        Answer(packet, outcome, flush);
    }

    /// <summary>A publish over the limit ends the connection; whose it was and how it began is not lost with it.</summary>
    private async Task TurnAwayTooLargeAsync(Fault tooLarge)
    {
        var (beginning, wholeBytes) = await _input.ReadBeginningAsync(MostOfTooLarge, BeginningTime, _services.Time);
        if (beginning.Type == PacketType.Publish && PacketDecoder.ReadPublish(beginning, IsVersion5, out var packet) is null && TopicOf(packet, out _) is { } topic)
        {
            var payloadBytes = wholeBytes - (beginning.Body.Length - packet.Payload.Length);
            await _services.Pipeline.TurnAwayTooLargeAsync(new PublishSource(Identity!, IsVersion5, Session, this), topic, packet, payloadBytes, tooLarge.What, _ending.Token);
        }
    }

    private void Answer(in PublishPacket packet, in PublishOutcome outcome, FlushSet flush)
    {
        var reason = IsVersion5 ? outcome.Reason : Reason.Success;
        switch (packet.Qos)
        {
            case 0:
                // Nothing answers it but the end.
                if (packet.IsBadText && reason == Reason.PayloadFormatInvalid)
                    Fail(new Fault(reason, "The payload is not the UTF-8 that it says it is."));
                break;
            case 1:
                _acks.Add(new PendingAck(outcome.Commit, PacketType.PubAck, packet.PacketId, reason, outcome.Text), flush);
                break;
            default:
                if (reason < Reason.UnspecifiedError)
                    Session!.Receive(packet.PacketId, outcome.Commit ?? Task.CompletedTask);
                else if ((_refused ??= []).Count < MostRefused)
                    _refused.Add(packet.PacketId);
                _acks.Add(new PendingAck(outcome.Commit, PacketType.PubRec, packet.PacketId, reason, outcome.Text), flush);
                break;
        }
    }

    private PublishTopic? TopicOf(in PublishPacket packet, out Fault fault)
    {
        fault = default;
        var utf8 = packet.Topic.Span;
        if (packet.Alias is not { } alias)
        {
            if (_lastTopic is { } last && utf8.SequenceEqual(last.Utf8))
                return last;
            if (utf8.IsEmpty && IsVersion5)
            {
                fault = Fault.Protocol("A publish has neither topic nor alias.");
                return null;
            }
            return _lastTopic = NewTopic(utf8, out fault);
        }
        if (alias is 0 or > MostAliases)
        {
            fault = new Fault(Reason.TopicAliasInvalid, $"Topic aliases are 1 to {MostAliases}.");
            return null;
        }
        if (!utf8.IsEmpty)
            return (_aliases ??= new PublishTopic?[MostAliases])[alias - 1] = NewTopic(utf8, out fault);
        if (_aliases?[alias - 1] is { } known)
            return known;
        fault = Fault.Protocol("A publish has an alias that stands for no topic.");
        return null;
    }

    private PublishTopic? NewTopic(ReadOnlySpan<byte> utf8, out Fault fault)
    {
        var topic = _services.Topics.Get(utf8, out fault);
        if (topic is null || !MqttTopics.HasDisallowed(utf8))
            return topic;
        fault = Fault.Malformed("The topic contains control characters.");
        return null;
    }

    private void HandleAck(in Frame frame, FlushSet flush)
    {
        if (PacketDecoder.ReadAck(frame, IsVersion5, out var ack) is { } wrong)
        {
            Fail(wrong);
            return;
        }
        var session = Session!;
        Fault? fault = null;
        switch (frame.Type)
        {
            case PacketType.PubRec when ack.Reason < Reason.UnspecifiedError:
                var isUnderWay = session.ReceivedByClient(this, ack.PacketId, out var received, out fault);
                if (fault is null)
                    _acks.Add(new PendingAck(received, PacketType.PubRel, ack.PacketId, isUnderWay ? Reason.Success : OfUnknownId), flush);
                break;
            case PacketType.PubRel:
                // A PUBREC that said no ended the exchange; clients of MQTTnet go on with it all the same, and take 0x92 for the answer.
                var isReleased = session.Release(ack.PacketId, out var released) | _refused?.Remove(ack.PacketId) == true;
                session.DeliverHeld(ack.PacketId, flush);
                _acks.Add(new PendingAck(released, PacketType.PubComp, ack.PacketId, isReleased ? Reason.Success : OfUnknownId), flush);
                break;
            default:
                session.Acknowledge(this, ack, frame.Type, flush, out fault);
                break;
        }
        if (fault is { } end)
            Fail(end);
    }

    private async ValueTask HandleSubscribeAsync(Frame frame, FlushSet flush)
    {
        if (PacketDecoder.ReadSubscribe(frame, IsVersion5, out var packet) is { } fault)
        {
            Fail(fault);
            return;
        }
        var session = Session!;
        var codes = new byte[packet.Filters.Count];
        var changes = new List<BrokerChange>();
        var sendsRetained = new List<Subscription>();
        for (var i = 0; i < codes.Length; i++)
        {
            var (filter, options) = packet.Filters[i];
            var reason = !_services.Access.MaySubscribe(Identity!, filter) ? Reason.NotAuthorized
                : session.Subscriptions.Count >= Options.MqttMaxSubscriptions && !session.IsSubscribed(filter) ? Reason.QuotaExceeded
                : Reason.Success;
            if (reason != Reason.Success)
            {
                // 3.1.1 knows one code for failure; 3.1 none, and is told what it asked for.
                codes[i] = IsVersion5 ? (byte)reason : IsVersion31 ? (byte)(options & 3) : (byte)Reason.UnspecifiedError;
                continue;
            }
            var subscription = new Subscription(session, filter, options, packet.SubscriptionId);
            var isNew = _services.Sessions.Subscribe(session, subscription);
            codes[i] = subscription.Qos;
            if (session.IsDurable)
                changes.Add(new Subscribed(session.Id, filter, options, packet.SubscriptionId));
            if (!MqttTopics.IsShared(filter) && (subscription.RetainHandling == 0 || (subscription.RetainHandling == 1 && isNew)))
                sendsRetained.Add(subscription);
        }
        if (changes.Count > 0)
        {
            flush.Flush();
            await _services.Journal.Append(changes).WaitAsync(_ending.Token);
        }
        Reply(ControlPackets.SubAck(IsVersion5, packet.PacketId, codes), flush);
        foreach (var subscription in sendsRetained)
            _services.Dispatcher.SendRetained(subscription, flush);
        await Room(_acks.Count);
    }

    private async ValueTask HandleUnsubscribeAsync(Frame frame, FlushSet flush)
    {
        if (PacketDecoder.ReadUnsubscribe(frame, IsVersion5, out var packet) is { } fault)
        {
            Fail(fault);
            return;
        }
        var session = Session!;
        var codes = new byte[packet.Filters.Count];
        var changes = new List<BrokerChange>();
        for (var i = 0; i < codes.Length; i++)
        {
            var filter = packet.Filters[i];
            var wasThere = _services.Sessions.Unsubscribe(session, filter);
            codes[i] = (byte)(wasThere ? Reason.Success : Reason.NoSubscriptionExisted);
            if (wasThere && session.IsDurable)
                changes.Add(new Unsubscribed(session.Id, filter));
        }
        if (changes.Count > 0)
        {
            flush.Flush();
            await _services.Journal.Append(changes).WaitAsync(_ending.Token);
        }
        Reply(ControlPackets.UnsubAck(IsVersion5, packet.PacketId, codes), flush);
        await Room(_acks.Count);
    }
}
