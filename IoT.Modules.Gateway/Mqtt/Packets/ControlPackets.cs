using System.Buffers.Binary;
using System.Text;

namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>Packets of the platform that go out once in a while.</summary>
internal static class ControlPackets
{
    /// <summary>CONNACK that says no. 3.1.1 has five codes for it.</summary>
    public static byte[] Refusal(bool isVersion5, Reason reason, string? reasonString)
    {
        if (isVersion5)
            return new PacketBuilder().Byte(0).Byte((byte)reason).Properties(properties => properties.Text(Property.ReasonString, reasonString)).Build(PacketType.ConnAck);
        byte code = reason switch
        {
            Reason.UnsupportedProtocolVersion => 1,
            Reason.ClientIdentifierNotValid => 2,
            Reason.ServerUnavailable or Reason.ServerBusy or Reason.QuotaExceeded => 3,
            Reason.BadUserNameOrPassword => 4,
            _ => 5,
        };
        return [(byte)PacketType.ConnAck << 4, 2, 0, code];
    }

    public static byte[] Welcome(ConnectPacket connect, bool isSessionPresent, Welcome terms)
    {
        if (!connect.IsVersion5)
            return [(byte)PacketType.ConnAck << 4, 2, isSessionPresent && !connect.IsVersion31 ? (byte)1 : (byte)0, 0];
        return new PacketBuilder().Byte(isSessionPresent ? (byte)1 : (byte)0).Byte(0).Properties(properties =>
        {
            if (terms.SessionExpiry is { } expiry)
                properties.FourBytes(Property.SessionExpiryInterval, expiry);
            if (terms.ReceiveMaximum < ushort.MaxValue)
                properties.TwoBytes(Property.ReceiveMaximum, terms.ReceiveMaximum);
            properties.FourBytes(Property.MaximumPacketSize, (uint)terms.MaximumPacketSize);
            properties.Text(Property.AssignedClientIdentifier, terms.AssignedClientId);
            properties.TwoBytes(Property.TopicAliasMaximum, terms.TopicAliasMaximum);
            if (terms.KeepAlive is { } keepAlive)
                properties.TwoBytes(Property.ServerKeepAlive, keepAlive);
            properties.Text(Property.ResponseInformation, terms.ResponseInformation);
        }).Build(PacketType.ConnAck);
    }

    public static byte[] SubAck(bool isVersion5, ushort packetId, ReadOnlySpan<byte> codes) => List(PacketType.SubAck, isVersion5, packetId, codes);

    public static byte[] UnsubAck(bool isVersion5, ushort packetId, ReadOnlySpan<byte> codes) => List(PacketType.UnsubAck, isVersion5, packetId, isVersion5 ? codes : []);

    /// <summary>MQTT 5 only: 3.1.1's server has no such packet.</summary>
    public static byte[] Disconnect(Reason reason, string? reasonString) =>
        new PacketBuilder().Byte((byte)reason).Properties(properties => properties.Text(Property.ReasonString, reasonString)).Build(PacketType.Disconnect);

    private static byte[] List(PacketType type, bool isVersion5, ushort packetId, ReadOnlySpan<byte> codes)
    {
        var builder = new PacketBuilder().Byte((byte)(packetId >> 8)).Byte((byte)packetId);
        if (isVersion5)
            builder.Properties(static _ => { });
        return builder.Bytes(codes).Build(type);
    }
}

/// <summary>What the platform tells a client that it lets in, with MQTT 5.</summary>
internal readonly record struct Welcome(
    uint? SessionExpiry, ushort ReceiveMaximum, int MaximumPacketSize, string? AssignedClientId, ushort TopicAliasMaximum, ushort? KeepAlive, string? ResponseInformation);

internal sealed class PacketBuilder
{
    private readonly List<byte> _bytes = [];

    public PacketBuilder Byte(byte value)
    {
        _bytes.Add(value);
        return this;
    }

    public PacketBuilder Bytes(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public PacketBuilder TwoBytes(Property property, ushort value) => Byte((byte)property).Byte((byte)(value >> 8)).Byte((byte)value);

    public PacketBuilder FourBytes(Property property, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return Byte((byte)property).Bytes(bytes);
    }

    /// <summary>Nothing for null.</summary>
    public PacketBuilder Text(Property property, string? text) => text is null ? this : Byte((byte)property).Text(text);

    public PacketBuilder Text(string text) => Binary(Encoding.UTF8.GetBytes(text));

    public PacketBuilder Binary(ReadOnlySpan<byte> bytes) => Byte((byte)(bytes.Length >> 8)).Byte((byte)bytes.Length).Bytes(bytes);

    public PacketBuilder Properties(Action<PacketBuilder> write)
    {
        var properties = new PacketBuilder();
        write(properties);
        return Length(properties._bytes.Count).Bytes([.. properties._bytes]);
    }

    public byte[] ToArray() => [.. _bytes];

    public byte[] Build(PacketType type, byte flags = 0) =>
        [.. new PacketBuilder().Byte((byte)((int)type << 4 | flags)).Length(_bytes.Count)._bytes, .. _bytes];

    private PacketBuilder Length(int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        return Bytes(bytes[..PacketWriter.WriteVariableInteger(bytes, length)]);
    }
}
