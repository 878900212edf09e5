using System.Collections.Concurrent;
using IoT.Modules.Gateway.Mqtt.Sessions;

namespace IoT.Modules.Gateway.Mqtt.Routing;

/// <summary>
/// All subscriptions by the levels of their filters: a topic's subscribers are found in a walk as long as the topic is deep, however
/// many others there are. Readers take no lock; changes come one at a time.
/// </summary>
internal sealed class TopicTrie
{
    private readonly Lock _changing = new();
    private readonly Node _root = new(null, "");
    private long _version = 1;
    private int _count;

    /// <summary>Rises with every change.</summary>
    public long Version => Volatile.Read(ref _version);

    public int Count => Volatile.Read(ref _count);

    /// <summary>Puts it in the place of the session's earlier one with that filter, if there is one.</summary>
    public void Set(Subscription subscription, bool isNew)
    {
        var isShared = MqttTopics.TrySplitShared(subscription.Filter, out var share, out var filter);
        lock (_changing)
        {
            var node = NodeOf(filter, out var isBelow, makes: true)!;
            if (isShared)
            {
                ref var groups = ref isBelow ? ref node.GroupsBelow : ref node.Groups;
                var group = Array.Find(groups, group => group.Name == share);
                if (group is null)
                    groups = [.. groups, group = new SharedGroup(share, filter)];
                group.Set(subscription);
            }
            else
            {
                ref var subscriptions = ref isBelow ? ref node.Below : ref node.Here;
                var place = isNew ? -1 : Array.FindIndex(subscriptions, other => other.Session == subscription.Session);
                subscriptions = place < 0 ? [.. subscriptions, subscription] : [.. subscriptions[..place], subscription, .. subscriptions[(place + 1)..]];
            }
            if (isNew)
                _count++;
            Interlocked.Increment(ref _version);
        }
    }

    public void Remove(Session session, string fullFilter)
    {
        var isShared = MqttTopics.TrySplitShared(fullFilter, out var share, out var filter);
        lock (_changing)
        {
            if (NodeOf(filter, out var isBelow, makes: false) is not { } node)
                return;
            if (isShared)
            {
                ref var groups = ref isBelow ? ref node.GroupsBelow : ref node.Groups;
                if (Array.Find(groups, group => group.Name == share) is not { } group || !group.Remove(session))
                    return;
                if (group.IsEmpty)
                    groups = [.. groups.Where(other => other != group)];
            }
            else
            {
                ref var subscriptions = ref isBelow ? ref node.Below : ref node.Here;
                var place = Array.FindIndex(subscriptions, other => other.Session == session);
                if (place < 0)
                    return;
                subscriptions = [.. subscriptions[..place], .. subscriptions[(place + 1)..]];
            }
            _count--;
            Prune(node);
            Interlocked.Increment(ref _version);
        }
    }

    /// <summary>The group by that name and filter, if anybody is in it.</summary>
    public SharedGroup? GroupOf(string fullFilter)
    {
        if (!MqttTopics.TrySplitShared(fullFilter, out var share, out var filter))
            return null;
        lock (_changing)
        {
            return NodeOf(filter, out var isBelow, makes: false) is { } node
                ? Array.Find(isBelow ? node.GroupsBelow : node.Groups, group => group.Name == share)
                : null;
        }
    }

    public Route RouteOf(string topic)
    {
        // Read first: what changes meanwhile makes the route old at once.
        var version = Version;
        var found = new Found();
        // Wildcards at the first level don't cover topics that begin with $.
        Collect(_root, topic, isEnd: false, wildcardsCover: topic[0] != '$', ref found);
        return new Route(version, Targets(topic, found.Plain), found.Groups is null ? [] : [.. found.Groups]);
    }

    private struct Found
    {
        public List<Subscription[]>? Plain;
        public List<SharedGroup>? Groups;

        public void Add(Subscription[] subscriptions, SharedGroup[] groups)
        {
            if (subscriptions.Length > 0)
                (Plain ??= []).Add(subscriptions);
            if (groups.Length > 0)
                (Groups ??= []).AddRange(groups);
        }
    }

    private static void Collect(Node node, ReadOnlySpan<char> rest, bool isEnd, bool wildcardsCover, ref Found found)
    {
        if (wildcardsCover)
            found.Add(node.Below, node.GroupsBelow);
        if (isEnd)
        {
            found.Add(node.Here, node.Groups);
            return;
        }
        var slash = rest.IndexOf('/');
        var level = slash < 0 ? rest : rest[..slash];
        var deeper = slash < 0 ? [] : rest[(slash + 1)..];
        if (node.Children is { } children && children.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(level, out var child))
            Collect(child, deeper, slash < 0, true, ref found);
        if (wildcardsCover && node.Plus is { } plus)
            Collect(plus, deeper, slash < 0, true, ref found);
    }

    private static Target[] Targets(string topic, List<Subscription[]>? found)
    {
        if (found is null)
            return [];
        var targets = new List<Target>();
        if (found.Count == 1)
        {
            // One filter: a session is in it once.
            foreach (var subscription in found[0])
            {
                if (subscription.Session.MayReceive(topic))
                    targets.Add(subscription.Target);
            }
            return [.. targets];
        }
        foreach (var ofSession in found.SelectMany(static subscriptions => subscriptions).GroupBy(static subscription => subscription.Session))
        {
            if (ofSession.Key.MayReceive(topic))
                targets.Add(Target.Merge([.. ofSession]));
        }
        return [.. targets];
    }

    private Node? NodeOf(string filter, out bool isBelow, bool makes)
    {
        isBelow = filter == "#" || filter.EndsWith("/#", StringComparison.Ordinal);
        var node = _root;
        if (filter == "#")
            return node;
        var rest = isBelow ? filter.AsSpan(0, filter.Length - 2) : filter;
        while (true)
        {
            var slash = rest.IndexOf('/');
            var level = slash < 0 ? rest : rest[..slash];
            if (node.Child(level) is not { } child)
            {
                if (!makes)
                    return null;
                child = node.Add(level.ToString());
            }
            node = child;
            if (slash < 0)
                return node;
            rest = rest[(slash + 1)..];
        }
    }

    private static void Prune(Node node)
    {
        for (var at = node; at is { Parent: { } parent, IsEmpty: true }; at = parent)
            parent.Drop(at);
    }

    private sealed class Node(Node? parent, string level)
    {
        public Subscription[] Here = [];
        public Subscription[] Below = [];
        public SharedGroup[] Groups = [];
        public SharedGroup[] GroupsBelow = [];
        public Node? Plus;
        public ConcurrentDictionary<string, Node>? Children;

        public Node? Parent => parent;

        public bool IsEmpty => Here.Length + Below.Length + Groups.Length + GroupsBelow.Length == 0 && Plus is null && Children is null or { IsEmpty: true };

        public Node? Child(ReadOnlySpan<char> name) =>
            name is "+" ? Plus : Children is { } children && children.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var child) ? child : null;

        public Node Add(string name)
        {
            var child = new Node(this, name);
            if (name == "+")
                Plus = child;
            else
                (Children ??= new(1, 1, StringComparer.Ordinal))[name] = child;
            return child;
        }

        public void Drop(Node child)
        {
            if (child == Plus)
                Plus = null;
            else
                Children?.TryRemove(new KeyValuePair<string, Node>(child.Level, child));
        }

        public string Level => level;
    }
}
