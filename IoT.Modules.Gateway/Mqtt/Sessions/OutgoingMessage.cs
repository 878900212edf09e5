using IoT.Modules.Gateway.Mqtt.Routing;

namespace IoT.Modules.Gateway.Mqtt.Sessions;

/// <summary>Where a delivery with QoS 1 or 2 stands.</summary>
internal enum DeliveryState : byte
{
    Waiting,
    AwaitsPubAck,
    AwaitsPubRec,
    AwaitsPubComp,
}

/// <summary>A message on its way to one session, from its queue until it is acknowledged. Guarded by the session's gate.</summary>
/// <param name="messageId">In the broker's state on disk; 0: it is not there.</param>
/// <param name="commit">What it waits for before it may go out; null: nothing.</param>
/// <param name="group">The shared subscription that it came by; null: none.</param>
internal sealed class OutgoingMessage(Message message, byte qos, bool isRetain, uint[]? subscriptionIds, long messageId, Task? commit, SharedGroup? group)
{
    public Message Message => message;

    public byte Qos => qos;

    public bool IsRetain => isRetain;

    public uint[]? SubscriptionIds => subscriptionIds;

    public long MessageId => messageId;

    public Task? Commit => commit;

    public SharedGroup? Group => group;

    public DeliveryState State { get; set; }

    /// <summary>0: it has none yet.</summary>
    public ushort PacketId { get; set; }

    /// <summary>It may have gone out before, on an earlier connection, in this run or another.</summary>
    public bool IsDup { get; set; }

    /// <summary>When it first went out, among the session's others.</summary>
    public long Sequence { get; set; }

    /// <summary>It takes one of the client's receive maximum.</summary>
    public bool IsInWindow { get; set; }

    public bool IsDone { get; set; }
}
