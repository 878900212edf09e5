namespace IoT.Modules.Gateway.Mqtt.Routing;

/// <summary>The retained message of each topic, by the topics' levels, so that a filter finds those it covers without looking at all.</summary>
internal sealed class RetainedStore(int maxMessages, long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Node _root = new();
    private int _count;
    private long _bytes;
    private long _refused;

    public int Count => Volatile.Read(ref _count);

    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>How many were not retained because there was no room.</summary>
    public long Refused => Volatile.Read(ref _refused);

    /// <summary>Whether there is room for it in its topic's place; to be asked before it is promised.</summary>
    public bool HasRoomFor(Message message)
    {
        lock (_gate)
        {
            var old = Find(message.Topic.Name, makes: false)?.Message;
            if (message.Payload.IsEmpty || (_count + (old is null ? 1 : 0) <= maxMessages && _bytes + message.Bytes - (old?.Bytes ?? 0) <= maxBytes))
                return true;
            _refused++;
            return false;
        }
    }

    /// <summary>Takes the place of its topic's retained message; an empty one takes it away.</summary>
    public void Set(Message message)
    {
        lock (_gate)
        {
            var remains = !message.Payload.IsEmpty;
            if (Find(message.Topic.Name, remains) is not { } node)
                return;
            Put(node, remains ? message : null);
            if (!remains)
                Prune(_root, message.Topic.Name);
        }
    }

    /// <summary>Those whose topics the filter covers.</summary>
    public void Find(string filter, List<Message> found)
    {
        lock (_gate)
            Collect(_root, filter, isEnd: false, isFirst: true, found);
    }

    /// <summary>Drops what has expired.</summary>
    public void Sweep()
    {
        lock (_gate)
            Sweep(_root);
    }

    private Node? Find(string topic, bool makes)
    {
        var node = _root;
        foreach (var range in topic.AsSpan().Split('/'))
        {
            if (node.Children is { } children && children.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(topic.AsSpan(range), out var child))
            {
                node = child;
                continue;
            }
            if (!makes)
                return null;
            (node.Children ??= new(StringComparer.Ordinal))[topic[range]] = child = new Node();
            node = child;
        }
        return node;
    }

    private static void Collect(Node node, ReadOnlySpan<char> rest, bool isEnd, bool isFirst, List<Message> found)
    {
        if (isEnd)
        {
            if (node.Message is { IsExpired: false } message)
                found.Add(message);
            return;
        }
        if (rest is "#")
        {
            // a/# covers a itself.
            if (!isFirst && node.Message is { IsExpired: false } message)
                found.Add(message);
            foreach (var (name, child) in node.Children ?? [])
            {
                if (!isFirst || !name.StartsWith('$'))
                    Collect(child, rest, false, false, found);
            }
            return;
        }
        var slash = rest.IndexOf('/');
        var level = slash < 0 ? rest : rest[..slash];
        var deeper = slash < 0 ? [] : rest[(slash + 1)..];
        if (level is not "+")
        {
            if (node.Children is { } children && children.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(level, out var child))
                Collect(child, deeper, slash < 0, false, found);
            return;
        }
        foreach (var (name, child) in node.Children ?? [])
        {
            if (!isFirst || !name.StartsWith('$'))
                Collect(child, deeper, slash < 0, false, found);
        }
    }

    private void Put(Node node, Message? message)
    {
        _count += (message is null ? 0 : 1) - (node.Message is null ? 0 : 1);
        _bytes += (message?.Bytes ?? 0) - (node.Message?.Bytes ?? 0);
        node.Message = message;
    }

    /// <summary>Whether the node is empty after the walk along the topic.</summary>
    private static bool Prune(Node node, ReadOnlySpan<char> rest)
    {
        var slash = rest.IndexOf('/');
        var level = slash < 0 ? rest : rest[..slash];
        if (node.Children is { } children)
        {
            var lookup = children.GetAlternateLookup<ReadOnlySpan<char>>();
            if (lookup.TryGetValue(level, out var child) && (slash < 0 ? child.IsEmpty : Prune(child, rest[(slash + 1)..])))
                lookup.Remove(level);
        }
        return node.IsEmpty;
    }

    private bool Sweep(Node node)
    {
        if (node.Message is { IsExpired: true })
            Put(node, null);
        foreach (var (name, child) in node.Children ?? [])
        {
            if (Sweep(child))
                node.Children!.Remove(name);
        }
        return node.IsEmpty;
    }

    private sealed class Node
    {
        public Dictionary<string, Node>? Children;
        public Message? Message;

        public bool IsEmpty => Message is null && Children is null or { Count: 0 };
    }
}
