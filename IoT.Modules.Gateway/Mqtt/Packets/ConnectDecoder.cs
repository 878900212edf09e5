using System.Text;
using System.Text.Unicode;

namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>CONNECT from its bytes.</summary>
internal static class ConnectDecoder
{
    private const byte Version31 = 3;
    private const byte Version311 = 4;
    private const byte Version5 = 5;

    /// <summary>Whether a CONNECT says MQTT 5: how a fault in the rest of it can be answered. Of later versions nobody knows how: they get 3.1.1's word.</summary>
    public static bool IsVersion5(in Frame frame) => frame.Body.Span is [0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', Version5, ..];

    public static Fault? Read(in Frame frame, out ConnectPacket packet)
    {
        var reader = new PacketReader(frame.Body.Span);
        packet = Read(ref reader, frame.Flags);
        return reader.Fault;
    }

    private static ConnectPacket Read(ref PacketReader reader, byte frameFlags)
    {
        var name = reader.ReadUtf8();
        var isOld = name.SequenceEqual("MQIsdp"u8);
        if (reader.Fault is null && !isOld && !name.SequenceEqual("MQTT"u8))
            reader.Fail(Fault.Protocol("The protocol's name is not MQTT."));
        // What later versions reserve, 3.1 does not use.
        if (frameFlags != 0 && !isOld)
            reader.Fail(Fault.Malformed("Reserved bits of the first byte are set."));
        var version = reader.ReadByte();
        if (reader.Fault is null && (isOld ? version != Version31 : version is not (Version311 or Version5)))
            reader.Fail(new Fault(Reason.UnsupportedProtocolVersion, "MQTT 3.1, 3.1.1 and 5 are spoken here."));
        var flags = reader.ReadByte();
        var (hasUserName, hasPassword, hasWill) = ((flags & 0x80) != 0, (flags & 0x40) != 0, (flags & 0x04) != 0);
        var (isWillRetained, willQos) = ((flags & 0x20) != 0, (byte)(flags >> 3 & 3));
        if ((flags & 1) != 0 && !isOld)
            reader.Fail(Fault.Malformed("The reserved connect flag is set."));
        if (willQos == 3 || (!hasWill && !isOld && (isWillRetained || willQos != 0)))
            reader.Fail(Fault.Malformed("The will's flags contradict one another."));
        if (version < Version5 && hasPassword && !hasUserName)
            reader.Fail(Fault.Malformed("There is a password without a user name."));

        var packet = new ConnectPacket
        {
            IsVersion5 = version == Version5,
            IsVersion31 = isOld,
            IsCleanStart = (flags & 2) != 0,
            KeepAlive = reader.ReadUInt16(),
        };
        // 3.1.1 knows two kinds of session: of this connection, and for ever.
        packet.SessionExpiry = packet.IsVersion5 || packet.IsCleanStart ? 0 : uint.MaxValue;
        if (packet.IsVersion5)
            ReadProperties(ref reader, packet);
        packet.ClientId = reader.ReadString();
        if (hasWill)
            packet.Will = ReadWill(ref reader, packet.IsVersion5, willQos, isWillRetained);
        // In 3.1 the packet's length goes before its flags: they may promise what MQTT 3 did not have.
        packet.UserName = hasUserName && !(isOld && reader.IsAtEnd) ? reader.ReadString() : null;
        packet.Password = hasPassword && !(isOld && reader.IsAtEnd) ? reader.ReadBinary().ToArray() : null;
        reader.MustBeAtEnd();
        return packet;
    }

    private static void ReadProperties(ref PacketReader reader, ConnectPacket packet)
    {
        var hasData = false;
        var properties = reader.BeginProperties(PacketType.Connect);
        while (reader.NextProperty(ref properties))
        {
            switch (properties.Id)
            {
                case Property.SessionExpiryInterval:
                    packet.SessionExpiry = properties.Number;
                    break;
                case Property.ReceiveMaximum:
                    packet.ReceiveMaximum = (ushort)properties.Number;
                    if (packet.ReceiveMaximum == 0)
                        reader.Fail(Fault.Protocol("The receive maximum is 0."));
                    break;
                case Property.MaximumPacketSize:
                    packet.MaximumPacketSize = properties.Number;
                    if (packet.MaximumPacketSize == 0)
                        reader.Fail(Fault.Protocol("The maximum packet size is 0."));
                    break;
                case Property.TopicAliasMaximum:
                    packet.TopicAliasMaximum = (ushort)properties.Number;
                    break;
                case Property.RequestResponseInformation:
                    packet.RequestsResponseInformation = properties.Number == 1;
                    break;
                case Property.RequestProblemInformation:
                    packet.RequestsProblemInformation = properties.Number == 1;
                    break;
                case Property.AuthenticationMethod:
                    packet.HasAuthenticationMethod = true;
                    break;
                case Property.AuthenticationData:
                    hasData = true;
                    break;
            }
        }
        if (hasData && !packet.HasAuthenticationMethod)
            reader.Fail(Fault.Protocol("There are authentication data without a method."));
    }

    private static WillPacket? ReadWill(ref PacketReader reader, bool isVersion5, byte qos, bool isRetain)
    {
        var (delay, isText) = (0u, false);
        uint? expiry = null;
        var passedOn = Array.Empty<byte>();
        if (isVersion5)
        {
            var copy = new List<byte>();
            var properties = reader.BeginProperties(PropertyRules.Will);
            while (reader.NextProperty(ref properties))
            {
                switch (properties.Id)
                {
                    case Property.WillDelayInterval:
                        delay = properties.Number;
                        continue;
                    case Property.MessageExpiryInterval:
                        expiry = properties.Number;
                        continue;
                    case Property.PayloadFormatIndicator:
                        isText = properties.Number == 1;
                        break;
                    case Property.ResponseTopic when !MqttTopics.IsValidName(properties.Bytes):
                        reader.Fail(Fault.Protocol("The will's response topic is no topic name."));
                        break;
                }
                copy.Add((byte)properties.Id);
                copy.AddRange(reader.Since(properties.ValueStart));
            }
            passedOn = [.. copy];
        }
        var topic = reader.ReadName();
        if (reader.Fault is null && !MqttTopics.IsValidName(topic))
            reader.Fail(new Fault(Reason.TopicNameInvalid, "The will's topic is no topic name."));
        var payload = reader.ReadBinary();
        if (isText && !Utf8.IsValid(payload))
            reader.Fail(new Fault(Reason.PayloadFormatInvalid, "The will's payload is not the UTF-8 that it says it is."));
        return new WillPacket(Encoding.UTF8.GetString(topic), payload.ToArray(), qos, isRetain, delay, expiry, passedOn);
    }
}
