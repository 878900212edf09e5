namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>An application message as the broker keeps it. Immutable; shared by every session that it waits for.</summary>
/// <param name="Topic">The topic name; never an alias.</param>
/// <param name="Payload">Not pooled: the message may wait for days.</param>
/// <param name="Qos">As published, 0 to 2.</param>
/// <param name="IsRetain">As published.</param>
/// <param name="ExpiresAt">UTC; null: never.</param>
/// <param name="Properties">What an MQTT 5 publisher sent to be passed on; null: nothing.</param>
internal sealed record BrokerMessage(string Topic, ReadOnlyMemory<byte> Payload, byte Qos, bool IsRetain, DateTime? ExpiresAt = null, MessageProperties? Properties = null);

/// <summary>Properties of a publish that go through the broker unchanged.</summary>
/// <param name="UserProperties">Name and value, in the publisher's order; null: none.</param>
internal sealed record MessageProperties(
    byte? PayloadFormat, string? ContentType, string? ResponseTopic, ReadOnlyMemory<byte>? CorrelationData, IReadOnlyList<KeyValuePair<string, string>>? UserProperties);

/// <summary>A will of a session that outlives its connection.</summary>
/// <param name="Publisher">Scope of the credential that sent it: as whom it is published.</param>
internal sealed record BrokerWill(BrokerMessage Message, uint DelaySeconds, string Publisher);

/// <summary>
/// A change of what the broker keeps beyond the process. Changes go into the ingest log, together with the readings of the publish
/// that they belong to: one commit point for all of it. Only sessions that outlive their connection (MQTT 3.1.1 without clean session,
/// MQTT 5 with an expiry), what waits for them, and retained messages cause any.
/// </summary>
internal abstract record BrokerChange;

/// <summary>A session was made or taken up again, by a connection that is now open.</summary>
/// <param name="SessionId">Never given out twice, across restarts.</param>
/// <param name="ExpirySeconds">After the connection's end; <see cref="uint.MaxValue"/>: never.</param>
internal sealed record SessionOpened(long SessionId, string Scope, string ClientId, uint ExpirySeconds, BrokerWill? Will) : BrokerChange;

/// <summary>The session's connection has ended, and its expiry begins.</summary>
/// <param name="Will">What is still to be published after its delay; null: nothing (published, or withdrawn).</param>
/// <param name="Sent">Ids of the messages in its queue that may have gone out; the others never have. Null: not known of any.</param>
internal sealed record SessionClosed(long SessionId, DateTime At, uint ExpirySeconds, BrokerWill? Will, IReadOnlyList<long>? Sent = null) : BrokerChange;

/// <summary>The session is gone, with its subscriptions and all that waits for it.</summary>
internal sealed record SessionEnded(long SessionId) : BrokerChange;

/// <param name="Options">As in the SUBSCRIBE packet: QoS in bits 0 and 1, no-local 2, retain-as-published 3, retain handling 4 and 5.</param>
/// <param name="SubscriptionId">0: none.</param>
internal sealed record Subscribed(long SessionId, string Filter, byte Options, uint SubscriptionId) : BrokerChange;

internal sealed record Unsubscribed(long SessionId, string Filter) : BrokerChange;

/// <summary>A message is to reach these sessions, and is its topic's retained one if it says so.</summary>
/// <param name="MessageId">Rises with every message, across restarts; order of delivery.</param>
/// <param name="SetsRetained">Replaces its topic's retained message; an empty payload takes it away.</param>
internal sealed record MessageTaken(long MessageId, BrokerMessage Message, bool SetsRetained, IReadOnlyList<Delivery> Deliveries) : BrokerChange;

/// <param name="Qos">Of this delivery, 1 or 2.</param>
/// <param name="IsRetain">The flag that this subscriber gets.</param>
/// <param name="SubscriptionIds">Null: none.</param>
/// <param name="PacketId">Under which it goes out, however often. 0, of earlier versions: it is made of the message's id.</param>
internal readonly record struct Delivery(long SessionId, byte Qos, bool IsRetain, IReadOnlyList<uint>? SubscriptionIds, ushort PacketId = 0);

/// <summary>The subscriber has it (PUBACK, PUBCOMP), or it was given up. Nobody waits for the commit: a lost one means one delivery more.</summary>
internal sealed record DeliveryDone(long SessionId, long MessageId) : BrokerChange;

/// <summary>The subscriber has sent PUBREC: after its commit the PUBREL goes out, and the message is never sent again.</summary>
internal sealed record DeliveryReceived(long SessionId, long MessageId, ushort PacketId) : BrokerChange;

/// <summary>A QoS 2 publish of this session is taken: a PUBREC goes out after the commit, and the packet id is a duplicate until released.</summary>
internal sealed record PacketIdTaken(long SessionId, ushort PacketId) : BrokerChange;

/// <summary>PUBREL: before the PUBCOMP goes out.</summary>
internal sealed record PacketIdReleased(long SessionId, ushort PacketId) : BrokerChange;
