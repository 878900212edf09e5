namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// Leaves out of a run of changes what later ones in it undo: deliveries that are done, packet ids that are released, retained messages
/// that are replaced. What subscribers that are connected take at once never reaches the database.
/// </summary>
internal static class NetChanges
{
    public static List<BrokerChange> Of(IReadOnlyList<BrokerChange> changes)
    {
        var kept = new BrokerChange?[changes.Count];
        var deliveries = new Dictionary<(long Session, long Message), (int Taken, int Received)>();
        var done = new Dictionary<int, HashSet<long>>();
        var packetIds = new Dictionary<(long Session, ushort PacketId), int>();
        var retained = new Dictionary<string, int>(StringComparer.Ordinal);
        var replaced = new HashSet<int>();
        for (var i = 0; i < changes.Count; i++)
        {
            kept[i] = changes[i];
            switch (changes[i])
            {
                case MessageTaken taken:
                    for (var d = 0; d < taken.Deliveries.Count; d++)
                        deliveries[(taken.Deliveries[d].SessionId, taken.MessageId)] = (i, -1);
                    if (taken.SetsRetained)
                    {
                        if (retained.TryGetValue(taken.Message.Topic, out var before))
                            replaced.Add(before);
                        retained[taken.Message.Topic] = i;
                    }
                    break;
                case DeliveryReceived received when deliveries.TryGetValue((received.SessionId, received.MessageId), out var at):
                    if (at.Received >= 0)
                        kept[at.Received] = null;
                    deliveries[(received.SessionId, received.MessageId)] = at with { Received = i };
                    break;
                case DeliveryDone over when deliveries.Remove((over.SessionId, over.MessageId), out var at):
                    kept[i] = null;
                    if (at.Received >= 0)
                        kept[at.Received] = null;
                    if (!done.TryGetValue(at.Taken, out var sessions))
                        done[at.Taken] = sessions = [];
                    sessions.Add(over.SessionId);
                    break;
                case PacketIdTaken taken:
                    packetIds[(taken.SessionId, taken.PacketId)] = i;
                    break;
                case PacketIdReleased released when packetIds.Remove((released.SessionId, released.PacketId), out var at):
                    (kept[i], kept[at]) = (null, null);
                    break;
            }
        }

        var net = new List<BrokerChange>(changes.Count);
        for (var i = 0; i < kept.Length; i++)
        {
            if (kept[i] is MessageTaken taken)
                kept[i] = Left(taken, replaced.Contains(i), done.GetValueOrDefault(i));
            if (kept[i] is { } change)
                net.Add(change);
        }
        return net;
    }

    /// <summary>A message that nobody waits for any more stays in the run for its id: none is given out again.</summary>
    private static MessageTaken Left(MessageTaken taken, bool isReplaced, HashSet<long>? done)
    {
        if (!isReplaced && done is null)
            return taken;
        var deliveries = done is null ? taken.Deliveries : [.. taken.Deliveries.Where(delivery => !done.Contains(delivery.SessionId))];
        return taken with { SetsRetained = taken.SetsRetained && !isReplaced, Deliveries = deliveries };
    }
}
