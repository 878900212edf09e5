using System.Text;
using System.Text.Unicode;

namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>A signed-in client's packets from their bytes. A fault ends the connection.</summary>
internal static class PacketDecoder
{
    /// <summary>MQTT 3.1 does not use the flags of packets other than PUBLISH, but for DUP on those that were sent before.</summary>
    public static Frame WithFlagsOf311(in Frame frame) => frame.Type switch
    {
        PacketType.Publish => frame,
        PacketType.PubRel or PacketType.Subscribe or PacketType.Unsubscribe => frame with { Header = (byte)(frame.Header & 0xF0 | 2) },
        _ => frame with { Header = (byte)(frame.Header & 0xF0) },
    };

    public static Fault? ReadPublish(in Frame frame, bool isVersion5, out PublishPacket packet)
    {
        packet = default;
        var qos = frame.Flags >> 1 & 3;
        if (qos == 3)
            return Fault.Malformed("There is no QoS 3.");
        if (qos == 0 && (frame.Flags & 8) != 0)
            return Fault.Malformed("A publish with QoS 0 says that it is a duplicate.");

        var reader = new PacketReader(frame.Body.Span);
        var topicLength = reader.ReadBinary().Length;
        var topic = frame.Body.Slice(reader.Position - topicLength, topicLength);
        var id = qos > 0 ? reader.ReadPacketId() : (ushort)0;
        var (isText, hasOwn) = (false, false);
        ushort? alias = null;
        uint? expiry = null;
        var properties = ReadOnlyMemory<byte>.Empty;
        if (isVersion5)
        {
            var block = reader.BeginProperties(PacketType.Publish);
            while (reader.NextProperty(ref block))
            {
                switch (block.Id)
                {
                    case Property.PayloadFormatIndicator:
                        isText = block.Number == 1;
                        break;
                    case Property.MessageExpiryInterval:
                        (expiry, hasOwn) = (block.Number, true);
                        break;
                    case Property.TopicAlias:
                        (alias, hasOwn) = ((ushort)block.Number, true);
                        break;
                    case Property.ResponseTopic when !MqttTopics.IsValidName(block.Bytes):
                        reader.Fail(Fault.Protocol("The response topic is no topic name."));
                        break;
                    case Property.SubscriptionIdentifier:
                        reader.Fail(Fault.Protocol("Subscription identifiers are the platform's to send."));
                        break;
                }
            }
            if (reader.Fault is null)
                properties = frame.Body[block.Start..block.End];
        }
        if (reader.Fault is not null)
            return reader.Fault;
        var payload = frame.Body[reader.Position..];
        packet = new PublishPacket(frame.Flags, id, topic, alias, expiry, properties, hasOwn, isText && !Utf8.IsValid(payload.Span), payload);
        return null;
    }

    public static Fault? ReadAck(in Frame frame, bool isVersion5, out AckPacket packet)
    {
        var reader = new PacketReader(frame.Body.Span);
        var expectedFlags = frame.Type == PacketType.PubRel ? 2 : 0;
        if (frame.Flags != expectedFlags)
            reader.Fail(Fault.Malformed("Reserved bits of the first byte are wrong."));
        var id = reader.ReadPacketId();
        var reason = Reason.Success;
        if (isVersion5 && !reader.IsAtEnd)
        {
            reason = (Reason)reader.ReadByte();
            if (reader.Fault is null && !IsAckReason(frame.Type, (byte)reason))
                reader.Fail(Fault.Protocol($"0x{(byte)reason:X2} is no reason code of {frame.Type}."));
            if (!reader.IsAtEnd)
                SkipProperties(ref reader, frame.Type);
        }
        reader.MustBeAtEnd();
        packet = new AckPacket(id, reason);
        return reader.Fault;
    }

    public static Fault? ReadSubscribe(in Frame frame, bool isVersion5, out SubscribePacket packet)
    {
        var reader = new PacketReader(frame.Body.Span);
        var (id, subscriptionId) = (BeginList(ref reader, frame), 0u);
        var filters = new List<FilterRequest>();
        if (isVersion5)
        {
            var properties = reader.BeginProperties(PacketType.Subscribe);
            while (reader.NextProperty(ref properties))
            {
                if (properties.Id != Property.SubscriptionIdentifier)
                    continue;
                subscriptionId = properties.Number;
                if (subscriptionId == 0)
                    reader.Fail(Fault.Protocol("The subscription identifier is 0."));
            }
        }
        while (!reader.IsAtEnd)
        {
            var filter = reader.ReadString();
            var options = reader.ReadByte();
            if (reader.Fault is not null)
                break;
            if ((options & (isVersion5 ? 0xC0 : 0xFC)) != 0 || (options & 3) == 3)
                reader.Fail(Fault.Malformed("Reserved bits of the subscription options are set, or the QoS is 3."));
            else if ((options & 0x30) == 0x30)
                reader.Fail(Fault.Protocol("There is no retain handling 3."));
            else if (!MqttTopics.IsValidFilter(filter))
                reader.Fail(Fault.Malformed("A topic filter has its wildcards in the wrong place, or too many levels."));
            else if ((options & 4) != 0 && MqttTopics.IsShared(filter))
                reader.Fail(Fault.Protocol("A shared subscription can't be no-local."));
            filters.Add(new FilterRequest(filter, options));
        }
        if (filters.Count == 0)
            reader.Fail(Fault.Protocol("A SUBSCRIBE holds no topic filter."));
        packet = new SubscribePacket(id, subscriptionId, filters);
        return reader.Fault;
    }

    public static Fault? ReadUnsubscribe(in Frame frame, bool isVersion5, out UnsubscribePacket packet)
    {
        var reader = new PacketReader(frame.Body.Span);
        var id = BeginList(ref reader, frame);
        var filters = new List<string>();
        if (isVersion5)
            SkipProperties(ref reader, PacketType.Unsubscribe);
        while (!reader.IsAtEnd)
        {
            var filter = reader.ReadString();
            if (reader.Fault is null && !MqttTopics.IsValidFilter(filter))
                reader.Fail(Fault.Malformed("A topic filter has its wildcards in the wrong place, or too many levels."));
            filters.Add(filter);
        }
        if (filters.Count == 0)
            reader.Fail(Fault.Protocol("An UNSUBSCRIBE holds no topic filter."));
        packet = new UnsubscribePacket(id, filters);
        return reader.Fault;
    }

    public static Fault? ReadDisconnect(in Frame frame, bool isVersion5, out DisconnectPacket packet)
    {
        var reader = new PacketReader(frame.Body.Span);
        if (frame.Flags != 0)
            reader.Fail(Fault.Malformed("Reserved bits of the first byte are set."));
        var reason = Reason.Success;
        uint? expiry = null;
        if (isVersion5 && !reader.IsAtEnd)
        {
            // One that is not a client's to say ends the connection no less, and is no good-bye: there is nothing to answer.
            reason = (Reason)reader.ReadByte();
            if (!reader.IsAtEnd)
            {
                var properties = reader.BeginProperties(PacketType.Disconnect);
                while (reader.NextProperty(ref properties))
                {
                    if (properties.Id == Property.SessionExpiryInterval)
                        expiry = properties.Number;
                }
            }
        }
        reader.MustBeAtEnd();
        packet = new DisconnectPacket(reason, expiry);
        return reader.Fault;
    }

    /// <summary>PINGREQ has nothing but its first byte.</summary>
    public static Fault? ReadPing(in Frame frame) =>
        frame.Flags == 0 && frame.Body.IsEmpty ? null : Fault.Malformed("A PINGREQ holds something.");

    private static ushort BeginList(ref PacketReader reader, in Frame frame)
    {
        if (frame.Flags != 2)
            reader.Fail(Fault.Malformed("Reserved bits of the first byte are wrong."));
        var id = reader.ReadUInt16();
        if (id == 0)
            reader.Fail(Fault.Malformed("The packet identifier is 0."));
        return id;
    }

    private static void SkipProperties(ref PacketReader reader, PacketType packet)
    {
        var properties = reader.BeginProperties(packet);
        while (reader.NextProperty(ref properties))
        {
            // Checked, and for nobody else.
        }
    }

    private static bool IsAckReason(PacketType packet, byte reason) => packet is PacketType.PubRel or PacketType.PubComp
        ? reason is 0 or (byte)Reason.PacketIdentifierNotFound
        : reason is 0 or 0x10 or 0x80 or 0x83 or 0x87 or 0x90 or 0x91 or 0x97 or 0x99;
}
