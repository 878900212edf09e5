namespace IoT.Modules.Caching.Prefetch;

/// <summary>
/// Which key is asked for after which: for each, how often each of a few others came next, by the same client and soon. Counts are halved
/// as they grow, so that habits of before fade. Memory is bounded: so many keys, the longest unasked goes first, with four successors each.
/// Not for several threads.
/// </summary>
internal sealed class Successors
{
    public const int MostKeys = 4_096;

    /// <summary>Longer keys are not followed: with their texts alone the limit of keys would mean 4 MiB.</summary>
    public const int LongestKey = 160;

    private const int Clients = 1_024;
    private const int PerKey = 4;
    private const int HalvedAt = 32;

    // Fewer are a coincidence.
    private const int Fewest = 3;

    private static readonly Func<CancellationToken, Task> NotLoaded = _ => Task.CompletedTask;

    private readonly Dictionary<string, LinkedListNode<Node>> _byKey = new(StringComparer.Ordinal);
    private readonly LinkedList<Node> _byAge = new();
    private readonly (int Client, Node? Node, long At)[] _last = new (int, Node?, long)[Clients];

    internal sealed class Node(string key)
    {
        internal readonly (Node? Next, int Count)[] Next = new (Node?, int)[PerKey];
        internal int Total;
        internal bool IsForgotten;

        public string Key => key;

        /// <summary>How it is loaded; as its last asker would.</summary>
        public Func<CancellationToken, Task> Load { get; set; } = NotLoaded;
    }

    public int Count => _byKey.Count;

    /// <summary>A client asks for a key.</summary>
    /// <param name="isSoon">Whether a time is close enough to now for one to follow from the other.</param>
    public Node Asked(int client, string key, long now, Func<long, bool> isSoon)
    {
        var node = FindOrAdd(key);
        ref var last = ref _last[(uint)client % Clients];
        // Of two clients of one place the newer has it; what it asked before is not known.
        if (last.Client == client && last.Node is { IsForgotten: false } before)
            Followed(before, before == node || !isSoon(last.At) ? null : node);
        last = (client, node, now);
        return node;
    }

    /// <summary>What will be asked for next; null when nothing came next in at least that share of all times.</summary>
    public static Node? Next(Node node, double confidence)
    {
        var (best, count) = ((Node?)null, 0);
        foreach (var (next, times) in node.Next)
        {
            if (times > count && next is { IsForgotten: false })
                (best, count) = (next, times);
        }
        return count >= Fewest && count >= confidence * node.Total ? best : null;
    }

    /// <param name="next">Null: nothing that could have been foreseen.</param>
    private static void Followed(Node node, Node? next)
    {
        node.Total++;
        if (next is not null)
        {
            var place = Array.FindIndex(node.Next, n => n.Next == next);
            if (place < 0)
                place = Array.FindIndex(node.Next, n => n.Next is null or { IsForgotten: true } || n.Count == 0);
            if (place >= 0)
                node.Next[place] = (next, node.Next[place].Next == next ? node.Next[place].Count + 1 : 1);
            else
            {
                // No place is free: newcomers wear down the rarest, until one of them takes its place.
                var rarest = 0;
                for (var i = 1; i < PerKey; i++)
                    rarest = node.Next[i].Count < node.Next[rarest].Count ? i : rarest;
                node.Next[rarest].Count--;
            }
        }
        if (node.Total < HalvedAt)
            return;
        node.Total /= 2;
        for (var i = 0; i < PerKey; i++)
            node.Next[i].Count /= 2;
    }

    private Node FindOrAdd(string key)
    {
        if (_byKey.TryGetValue(key, out var found))
        {
            _byAge.Remove(found);
            _byAge.AddLast(found);
            return found.Value;
        }
        if (_byKey.Count == MostKeys)
        {
            var oldest = _byAge.First!;
            oldest.Value.IsForgotten = true;
            // Those that led to it still hold it: nothing but its key, then.
            Array.Clear(oldest.Value.Next);
            oldest.Value.Load = NotLoaded;
            _byAge.RemoveFirst();
            _byKey.Remove(oldest.Value.Key);
        }
        return (_byKey[key] = _byAge.AddLast(new Node(key))).Value;
    }
}
