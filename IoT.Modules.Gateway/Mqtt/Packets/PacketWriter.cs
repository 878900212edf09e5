using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>Packets that go out often, straight into the connection's buffer. Each answers how many bytes it wrote.</summary>
internal static class PacketWriter
{
    public const int MaxHeaderBytes = 5;

    public static readonly byte[] PingResponse = [(byte)PacketType.PingResp << 4, 0];

    /// <summary>PUBACK, PUBREC, PUBREL, PUBCOMP.</summary>
    /// <param name="reasonString">Left out where it would make the packet larger than the client takes.</param>
    public static int Ack(IBufferWriter<byte> target, PacketType type, ushort packetId, Reason reason, string? reasonString, bool isVersion5, uint maximumPacketSize)
    {
        var header = (byte)((int)type << 4 | (type == PacketType.PubRel ? 2 : 0));
        if (!isVersion5 || (reason == Reason.Success && reasonString is null))
        {
            var plain = target.GetSpan(4);
            (plain[0], plain[1]) = (header, 2);
            BinaryPrimitives.WriteUInt16BigEndian(plain[2..], packetId);
            target.Advance(4);
            return 4;
        }
        if (reasonString is not null)
        {
            var textBytes = Encoding.UTF8.GetByteCount(reasonString);
            var propertyBytes = 3 + textBytes;
            var body = 3 + SizeOfVariableInteger(propertyBytes) + propertyBytes;
            var size = 1 + SizeOfVariableInteger(body) + body;
            if (size <= maximumPacketSize)
            {
                var span = target.GetSpan(size);
                span[0] = header;
                var at = 1 + WriteVariableInteger(span[1..], body);
                BinaryPrimitives.WriteUInt16BigEndian(span[at..], packetId);
                span[at + 2] = (byte)reason;
                at += 3;
                at += WriteVariableInteger(span[at..], propertyBytes);
                span[at] = (byte)Property.ReasonString;
                BinaryPrimitives.WriteUInt16BigEndian(span[(at + 1)..], (ushort)textBytes);
                Encoding.UTF8.GetBytes(reasonString, span[(at + 3)..]);
                target.Advance(size);
                return size;
            }
        }
        var coded = target.GetSpan(5);
        (coded[0], coded[1], coded[4]) = (header, 3, (byte)reason);
        BinaryPrimitives.WriteUInt16BigEndian(coded[2..], packetId);
        target.Advance(5);
        return 5;
    }

    /// <summary>How large a PUBLISH is.</summary>
    public static int SizeOf(in OutgoingPublish publish) => 1 + SizeOfVariableInteger(BodyOf(publish, out _)) + BodyOf(publish, out _);

    public static int Publish(IBufferWriter<byte> target, in OutgoingPublish publish)
    {
        var message = publish.Message;
        var body = BodyOf(publish, out var propertyBytes);
        var payload = message.Payload.Span;
        var head = 1 + SizeOfVariableInteger(body) + body - payload.Length;
        // The payload is copied along when that saves nothing but a call.
        var span = target.GetSpan(payload.Length <= 1024 ? head + payload.Length : head);
        span[0] = (byte)((int)PacketType.Publish << 4 | (publish.IsDup ? 8 : 0) | publish.Qos << 1 | (publish.IsRetain ? 1 : 0));
        var at = 1 + WriteVariableInteger(span[1..], body);
        var topic = publish.SendsTopic ? message.Topic.Utf8 : [];
        BinaryPrimitives.WriteUInt16BigEndian(span[at..], (ushort)topic.Length);
        topic.CopyTo(span[(at + 2)..]);
        at += 2 + topic.Length;
        if (publish.Qos > 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(span[at..], publish.PacketId);
            at += 2;
        }
        if (publish.IsVersion5)
        {
            at += WriteVariableInteger(span[at..], propertyBytes);
            if (publish.ExpirySeconds is { } expiry)
            {
                span[at] = (byte)Property.MessageExpiryInterval;
                BinaryPrimitives.WriteUInt32BigEndian(span[(at + 1)..], expiry);
                at += 5;
            }
            if (publish.Alias != 0)
            {
                span[at] = (byte)Property.TopicAlias;
                BinaryPrimitives.WriteUInt16BigEndian(span[(at + 1)..], publish.Alias);
                at += 3;
            }
            message.Properties.Span.CopyTo(span[at..]);
            at += message.Properties.Length;
            foreach (var id in publish.SubscriptionIds ?? [])
            {
                span[at++] = (byte)Property.SubscriptionIdentifier;
                at += WriteVariableInteger(span[at..], (int)id);
            }
        }
        if (payload.Length <= 1024)
        {
            payload.CopyTo(span[at..]);
            target.Advance(at + payload.Length);
        }
        else
        {
            target.Advance(at);
            target.Write(payload);
        }
        return at + payload.Length;
    }

    public static int SizeOfVariableInteger(int value) => value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;

    public static int WriteVariableInteger(Span<byte> target, int value)
    {
        var at = 0;
        for (; value >= 128; value >>= 7)
            target[at++] = (byte)(value & 127 | 128);
        target[at] = (byte)value;
        return at + 1;
    }

    private static int BodyOf(in OutgoingPublish publish, out int propertyBytes)
    {
        var message = publish.Message;
        propertyBytes = 0;
        var body = 2 + (publish.SendsTopic ? message.Topic.Utf8.Length : 0) + (publish.Qos > 0 ? 2 : 0) + message.Payload.Length;
        if (!publish.IsVersion5)
            return body;
        propertyBytes = message.Properties.Length + (publish.ExpirySeconds is null ? 0 : 5) + (publish.Alias == 0 ? 0 : 3);
        foreach (var id in publish.SubscriptionIds ?? [])
            propertyBytes += 1 + SizeOfVariableInteger((int)id);
        return body + SizeOfVariableInteger(propertyBytes) + propertyBytes;
    }
}

/// <summary>A message as one client gets it.</summary>
/// <param name="Alias">0: none.</param>
/// <param name="SendsTopic">False where the alias stands for it.</param>
/// <param name="ExpirySeconds">What is left of its expiry; null: it has none.</param>
internal readonly record struct OutgoingPublish(
    Message Message, byte Qos, ushort PacketId, bool IsDup, bool IsRetain, bool IsVersion5, ushort Alias, bool SendsTopic, uint? ExpirySeconds, uint[]? SubscriptionIds);
