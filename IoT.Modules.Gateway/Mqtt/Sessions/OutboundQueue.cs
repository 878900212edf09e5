using System.Diagnostics.CodeAnalysis;

namespace IoT.Modules.Gateway.Mqtt.Sessions;

/// <summary>
/// What waits for a session, in order, within bounds. Over them the oldest with QoS 0 goes first; when none is left, the older half of
/// the backlog is cut: a subscriber that comes back finds one gap and the newest, and others' publishes pay for it once in a while only.
/// </summary>
internal sealed class OutboundQueue(int maxMessages, long maxBytes)
{
    private readonly LinkedList<OutgoingMessage> _all = [];
    private readonly Queue<LinkedListNode<OutgoingMessage>> _qos0 = new();
    private long _bytes;

    public int Count => _all.Count;

    public long Bytes => _bytes;

    public bool TryPeek([NotNullWhen(true)] out OutgoingMessage? first)
    {
        first = _all.First?.Value;
        return first is not null;
    }

    public IEnumerable<OutgoingMessage> Where(Func<OutgoingMessage, bool> isWanted) => _all.Where(isWanted);

    /// <summary>How many of them have QoS 0.</summary>
    public int Qos0Count => _qos0.Count;

    /// <summary>The first with QoS 0, which need not be the first of all.</summary>
    public bool TryPeekQos0([NotNullWhen(true)] out OutgoingMessage? first)
    {
        first = _qos0.TryPeek(out var node) ? node.Value : null;
        return first is not null;
    }

    public void RemoveFirstQos0() => Remove(_qos0.Dequeue());

    /// <param name="dropped">How many with QoS 0 had to go for it, itself included.</param>
    /// <param name="cut">What of the backlog had to go for it; null: nothing.</param>
    public void Add(OutgoingMessage message, out int dropped, out List<OutgoingMessage>? cut)
    {
        (dropped, cut) = (0, null);
        while (_all.Count > 0 && (_all.Count >= maxMessages || _bytes + message.Message.Bytes > maxBytes))
        {
            if (_qos0.TryDequeue(out var oldest))
            {
                Remove(oldest);
                dropped++;
            }
            else if (message.Qos == 0)
            {
                dropped++;
                return;
            }
            else
            {
                cut ??= [];
                for (var remaining = (_all.Count + 1) / 2; remaining > 0; remaining--)
                {
                    cut.Add(_all.First!.Value);
                    Remove(_all.First);
                }
            }
        }
        var node = _all.AddLast(message);
        _bytes += message.Message.Bytes;
        if (message.Qos == 0)
            _qos0.Enqueue(node);
    }

    public void RemoveFirst()
    {
        var first = _all.First!;
        if (first.Value.Qos == 0)
            _qos0.Dequeue();
        Remove(first);
    }

    /// <summary>What had QoS 0 is not kept for a client that has gone.</summary>
    public int DropQos0()
    {
        var dropped = _qos0.Count;
        while (_qos0.TryDequeue(out var node))
            Remove(node);
        return dropped;
    }

    public List<OutgoingMessage> Clear()
    {
        List<OutgoingMessage> all = [.. _all];
        _all.Clear();
        _qos0.Clear();
        _bytes = 0;
        return all;
    }

    private void Remove(LinkedListNode<OutgoingMessage> node)
    {
        _bytes -= node.Value.Message.Bytes;
        _all.Remove(node);
    }
}
