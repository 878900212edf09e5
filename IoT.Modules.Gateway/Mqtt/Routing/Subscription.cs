using IoT.Modules.Gateway.Mqtt.Sessions;

namespace IoT.Modules.Gateway.Mqtt.Routing;

/// <summary>What a session has subscribed to. Immutable: another SUBSCRIBE to the filter puts another one in its place.</summary>
/// <param name="Filter">As in the packet.</param>
/// <param name="Options">As in the packet: QoS in bits 0 and 1, no-local 2, retain-as-published 3, retain handling 4 and 5.</param>
/// <param name="Id">Its subscription identifier; 0: none.</param>
internal sealed record Subscription(Session Session, string Filter, byte Options, uint Id)
{
    public byte Qos => (byte)(Options & 3);

    public bool IsNoLocal => (Options & 4) != 0;

    public bool KeepsRetain => (Options & 8) != 0;

    public int RetainHandling => Options >> 4 & 3;

    public uint[]? Ids { get; } = Id == 0 ? null : [Id];

    public Target Target => new(Session, Qos, KeepsRetain, Ids, IsNoLocal ? [this] : null);
}

/// <summary>One session that gets a topic's messages: once, however many of its subscriptions cover the topic.</summary>
/// <param name="Qos">The highest that any of them grants.</param>
/// <param name="Ids">Subscription identifiers of all of them; null: none.</param>
/// <param name="Local">All of them where any is no-local: decides what the session gets of its own. Else null.</param>
internal readonly record struct Target(Session Session, byte Qos, bool KeepsRetain, uint[]? Ids, Subscription[]? Local)
{
    public static Target Merge(IReadOnlyList<Subscription> subscriptions)
    {
        var ids = new List<uint>();
        var (qos, keepsRetain, isNoLocal) = ((byte)0, false, false);
        foreach (var subscription in subscriptions)
        {
            qos = Math.Max(qos, subscription.Qos);
            keepsRetain |= subscription.KeepsRetain;
            isNoLocal |= subscription.IsNoLocal;
            if (subscription.Id != 0)
                ids.Add(subscription.Id);
        }
        return new Target(subscriptions[0].Session, qos, keepsRetain, ids.Count == 0 ? null : [.. ids], isNoLocal ? [.. subscriptions] : null);
    }

    /// <summary>What the session gets of a message that it has sent itself; null: nothing.</summary>
    public Target? OfItsOwn()
    {
        if (Local is null)
            return this;
        var others = Local.Where(subscription => !subscription.IsNoLocal).ToList();
        return others.Count == 0 ? null : Merge(others);
    }
}

/// <summary>Who gets a topic's messages, as of a version of the trie.</summary>
internal sealed record Route(long Version, Target[] Targets, SharedGroup[] Groups)
{
    public bool IsEmpty => Targets.Length + Groups.Length == 0;
}

/// <summary>The sessions that share a subscription: each message goes to one of them.</summary>
internal sealed class SharedGroup(string name, string filter)
{
    private Subscription[] _members = [];
    private uint _turn;

    public string Name => name;

    public string Filter => filter;

    public bool IsEmpty => _members.Length == 0;

    /// <summary>Only the trie changes it, under its lock.</summary>
    public void Set(Subscription subscription) =>
        _members = [.. _members.Where(member => member.Session != subscription.Session), subscription];

    public bool Remove(Session session)
    {
        var before = _members.Length;
        _members = [.. _members.Where(member => member.Session != session)];
        return _members.Length < before;
    }

    /// <summary>
    /// Whose turn it is: of those who are connected and can take a message now; else of those who are connected; else of those who
    /// come back. Null when there is nobody.
    /// </summary>
    /// <param name="except">Who has just gone; null: nobody.</param>
    public Subscription? Pick(string topic, Session? except)
    {
        var members = Volatile.Read(ref _members);
        if (members.Length == 0)
            return null;
        var start = Interlocked.Increment(ref _turn) - 1;
        Subscription? best = null;
        var bestReadiness = Readiness.Gone;
        for (var i = 0; i < members.Length; i++)
        {
            var member = members[(start + i) % members.Length];
            if (member.Session == except || !member.Session.MayReceive(topic))
                continue;
            var readiness = member.Session.Readiness;
            if (readiness == Readiness.Ready)
                return member;
            if (readiness > bestReadiness)
                (best, bestReadiness) = (member, readiness);
        }
        return best;
    }
}
