using System.Text;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>An application message on its way to subscribers. Immutable; one for all of them.</summary>
internal sealed class Message
{
    private readonly TimeProvider _time;
    private readonly long _receivedAt;

    private Message(TimeProvider time, PublishTopic topic, ReadOnlyMemory<byte> payload, byte qos, bool isRetain, uint? expirySeconds, ReadOnlyMemory<byte> properties)
    {
        (_time, Topic, Payload, Qos, IsRetain, ExpirySeconds, Properties) = (time, topic, payload, qos, isRetain, expirySeconds, properties);
        _receivedAt = expirySeconds is null ? 0 : time.GetTimestamp();
    }

    public PublishTopic Topic { get; }

    public ReadOnlyMemory<byte> Payload { get; }

    /// <summary>As published.</summary>
    public byte Qos { get; }

    /// <summary>As published.</summary>
    public bool IsRetain { get; }

    /// <summary>From when the platform had it; null: never.</summary>
    public uint? ExpirySeconds { get; }

    /// <summary>What is passed on, encoded, in the publisher's order.</summary>
    public ReadOnlyMemory<byte> Properties { get; }

    /// <summary>About what it takes in memory.</summary>
    public int Bytes => 160 + Payload.Length + Properties.Length;

    /// <summary>By the monotonic clock: setting the other one makes nothing old.</summary>
    public bool IsExpired => ExpirySeconds is { } seconds && _time.GetElapsedTime(_receivedAt).TotalSeconds >= seconds;

    /// <summary>Whole seconds of it that are left; null: it has none.</summary>
    public uint? RemainingSeconds =>
        ExpirySeconds is { } seconds ? (uint)Math.Clamp(seconds - Math.Floor(_time.GetElapsedTime(_receivedAt).TotalSeconds), 0, uint.MaxValue) : null;

    /// <summary>Copies what it needs of the packet.</summary>
    public static Message Of(in PublishPacket packet, PublishTopic topic, TimeProvider time) => new(
        time, topic, packet.Payload.ToArray(), packet.Qos, packet.IsRetain, packet.ExpirySeconds,
        packet.Properties.IsEmpty ? default : packet.HasOwnProperties ? MessagePropertyCodec.PassedOn(packet.Properties.Span) : packet.Properties.ToArray());

    /// <summary>Of the platform itself.</summary>
    public static Message Of(PublishTopic topic, ReadOnlyMemory<byte> payload, byte qos, bool isRetain, uint? expirySeconds, TimeProvider time) =>
        new(time, topic, payload, qos, isRetain, expirySeconds, default);

    /// <summary>Of an earlier run; null when it has expired meanwhile.</summary>
    public static Message? Of(BrokerMessage saved, TopicCache topics, TimeProvider time)
    {
        uint? left = null;
        if (saved.ExpiresAt is { } at)
        {
            var seconds = Math.Ceiling((at - time.GetUtcNow().UtcDateTime).TotalSeconds);
            if (seconds <= 0)
                return null;
            left = (uint)Math.Min(seconds, uint.MaxValue);
        }
        return new Message(time, topics.Get(Encoding.UTF8.GetBytes(saved.Topic))!, saved.Payload, saved.Qos, saved.IsRetain, left, MessagePropertyCodec.Encode(saved.Properties));
    }

    public BrokerMessage ToSaved() => new(
        Topic.Name, Payload, Qos, IsRetain, RemainingSeconds is { } seconds ? _time.GetUtcNow().UtcDateTime.AddSeconds(seconds) : null, MessagePropertyCodec.Decode(Properties.Span));
}
