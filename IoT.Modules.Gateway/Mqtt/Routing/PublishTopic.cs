using System.Text;
using IoT.Modules.Gateway.Mqtt.Packets;

namespace IoT.Modules.Gateway.Mqtt.Routing;

/// <summary>A topic name that was checked, with what is worked out from it once for all publishes to it.</summary>
internal sealed class PublishTopic
{
    private Route? _route;

    private PublishTopic(string name, byte[] utf8)
    {
        (Name, Utf8) = (name, utf8);
        IsDeviceData = MqttTopics.IsDeviceData(name, out var deviceId);
        DeviceId = deviceId;
    }

    public string Name { get; }

    public byte[] Utf8 { get; }

    /// <summary><c>devices/{id}/data</c>.</summary>
    public bool IsDeviceData { get; }

    /// <summary>The id in it, whether or not it can be one; null for other topics.</summary>
    public string? DeviceId { get; }

    /// <summary>Null and why when the bytes are no topic name.</summary>
    public static PublishTopic? Of(ReadOnlySpan<byte> utf8, out Fault fault)
    {
        fault = !System.Text.Unicode.Utf8.IsValid(utf8) || utf8.Contains((byte)0) ? Fault.Malformed("The topic is not UTF-8, or contains NUL.")
            : !MqttTopics.IsValidName(utf8) ? Fault.Malformed("The topic is empty, has wildcards or too many levels.")
            : default;
        return fault == default ? new PublishTopic(Encoding.UTF8.GetString(utf8), utf8.ToArray()) : null;
    }

    /// <summary>Who gets it now; looked up anew when a subscription has changed since.</summary>
    public Route RouteIn(TopicTrie trie) =>
        Volatile.Read(ref _route) is { } route && route.Version == trie.Version ? route : _route = trie.RouteOf(Name);
}

/// <summary>
/// Topics that are published to again and again. Two places a topic may stand: its size is fixed, and a sender who makes up topics
/// pushes others out for a moment instead of filling memory. Threads may lose each other's entries, never read a wrong one.
/// </summary>
internal sealed class TopicCache
{
    // With fewer than topics in use they push each other out, and making one costs more than the rest of a publish.
    private const int Slots = 32 * 1024;

    // Longer ones are made anew each time, so that the cache takes some 25 MB at most.
    private const int LongestKept = 200;

    private readonly PublishTopic?[] _slots = new PublishTopic?[Slots];

    /// <summary>Null when it is no topic name.</summary>
    public PublishTopic? Get(ReadOnlySpan<byte> utf8) => Get(utf8, out _);

    public PublishTopic? Get(ReadOnlySpan<byte> utf8, out Fault fault)
    {
        if (utf8.Length > LongestKept)
            return PublishTopic.Of(utf8, out fault);
        // Keyed at random by the runtime: collisions can't be planned.
        var hash = new HashCode();
        hash.AddBytes(utf8);
        var slot = hash.ToHashCode() & (Slots - 1);
        fault = default;
        var first = _slots[slot];
        if (first is not null && utf8.SequenceEqual(first.Utf8))
            return first;
        if (_slots[slot ^ 1] is { } second && utf8.SequenceEqual(second.Utf8))
            return second;
        if (PublishTopic.Of(utf8, out fault) is not { } added)
            return null;
        _slots[slot ^ 1] = first;
        _slots[slot] = added;
        return added;
    }
}
