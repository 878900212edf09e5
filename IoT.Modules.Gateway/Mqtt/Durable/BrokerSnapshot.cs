namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>What the broker knew when it ended, however it ended: every committed <see cref="BrokerChange"/> applied.</summary>
/// <param name="NextSessionId">None from here on was ever given out.</param>
/// <param name="NextMessageId">None from here on was ever given out.</param>
internal sealed record BrokerSnapshot(IReadOnlyList<SavedSession> Sessions, IReadOnlyList<BrokerMessage> Retained, long NextSessionId, long NextMessageId)
{
    public static readonly BrokerSnapshot Empty = new([], [], 1, 1);
}

/// <param name="ClosedAt">When its connection ended, UTC; null: it was open when the host ended.</param>
/// <param name="Queue">By message id.</param>
/// <param name="InboundPacketIds">QoS 2 publishes of the client that it has not released.</param>
internal sealed record SavedSession(
    long SessionId, string Scope, string ClientId, uint ExpirySeconds, DateTime? ClosedAt, BrokerWill? Will,
    IReadOnlyList<SavedSubscription> Subscriptions, IReadOnlyList<SavedDelivery> Queue, IReadOnlyList<ushort> InboundPacketIds);

internal sealed record SavedSubscription(string Filter, byte Options, uint SubscriptionId);

/// <param name="PacketId">Under which it goes out. 0, of earlier versions: it is made of the message's id.</param>
/// <param name="MayBeSent">False: it never went out.</param>
/// <param name="ReceivedPacketId">Set once the subscriber has sent PUBREC for it: only the PUBREL is to be sent, with this id.</param>
internal sealed record SavedDelivery(long MessageId, BrokerMessage Message, byte Qos, bool IsRetain, IReadOnlyList<uint>? SubscriptionIds, ushort PacketId, bool MayBeSent, ushort? ReceivedPacketId);
