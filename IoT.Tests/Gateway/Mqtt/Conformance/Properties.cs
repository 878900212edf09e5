using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Properties of a packet that came in, in their order.</summary>
public sealed class Properties(IReadOnlyList<(byte Id, object Value)> all)
{
    public static readonly Properties None = new([]);

    public IReadOnlyList<(byte Id, object Value)> All => all;

    public bool Has(byte id) => all.Any(p => p.Id == id);

    /// <summary>A number; null when it isn't there.</summary>
    public long? Number(byte id) => all.Where(p => p.Id == id).Select(p => (long?)Convert.ToInt64(p.Value, CultureInfo.InvariantCulture)).FirstOrDefault();

    /// <summary>Every number of an id that may come more than once.</summary>
    public IReadOnlyList<long> Numbers(byte id) => [.. all.Where(p => p.Id == id).Select(p => Convert.ToInt64(p.Value, CultureInfo.InvariantCulture))];

    public string? Text(byte id) => all.Where(p => p.Id == id).Select(p => (string?)p.Value).FirstOrDefault();

    public byte[]? Binary(byte id) => all.Where(p => p.Id == id).Select(p => (byte[]?)p.Value).FirstOrDefault();

    /// <summary>name=value, in their order.</summary>
    public string[] User => [.. all.Where(p => p.Id == Prop.UserPropertyId).Select(p => (string)p.Value)];

    public static Properties Read(byte[] body, ref int start)
    {
        var end = Variable(body, ref start);
        end += start;
        var found = new List<(byte, object)>();
        while (start < end)
        {
            var id = body[start++];
            object value = id switch
            {
                0x01 or 0x17 or 0x19 or 0x24 or 0x25 or 0x28 or 0x29 or 0x2A => (long)body[start++],
                0x13 or 0x21 or 0x22 or 0x23 => (long)Short(body, ref start),
                0x02 or 0x11 or 0x18 or 0x27 => (long)Int(body, ref start),
                0x0B => (long)Variable(body, ref start),
                0x09 or 0x16 => Bytes(body, ref start),
                Prop.UserPropertyId => $"{Encoding.UTF8.GetString(Bytes(body, ref start))}={Encoding.UTF8.GetString(Bytes(body, ref start))}",
                0x03 or 0x08 or 0x12 or 0x15 or 0x1A or 0x1C or 0x1F => Encoding.UTF8.GetString(Bytes(body, ref start)),
                _ => throw new InvalidDataException($"The broker sent the unknown property {id:X2}."),
            };
            found.Add((id, value));
        }
        return new Properties(found);
    }

    private static int Variable(byte[] body, ref int start)
    {
        var value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = body[start++];
            value |= (next & 127) << shift;
            if (next < 128)
                return value;
        }
    }

    private static ushort Short(byte[] body, ref int start) => BinaryPrimitives.ReadUInt16BigEndian(body.AsSpan((start += 2) - 2));

    private static uint Int(byte[] body, ref int start) => BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan((start += 4) - 4));

    private static byte[] Bytes(byte[] body, ref int start)
    {
        var length = Short(body, ref start);
        return body[start..(start += length)];
    }
}

/// <summary>Properties to send, each as its bytes.</summary>
public static class Prop
{
    public const byte PayloadFormatId = 0x01;
    public const byte MessageExpiryId = 0x02;
    public const byte ContentTypeId = 0x03;
    public const byte ResponseTopicId = 0x08;
    public const byte CorrelationDataId = 0x09;
    public const byte SubscriptionIdId = 0x0B;
    public const byte SessionExpiryId = 0x11;
    public const byte AssignedClientIdId = 0x12;
    public const byte ServerKeepAliveId = 0x13;
    public const byte AuthMethodId = 0x15;
    public const byte AuthDataId = 0x16;
    public const byte RequestProblemId = 0x17;
    public const byte WillDelayId = 0x18;
    public const byte RequestResponseId = 0x19;
    public const byte ResponseInformationId = 0x1A;
    public const byte ReasonStringId = 0x1F;
    public const byte ReceiveMaximumId = 0x21;
    public const byte TopicAliasMaximumId = 0x22;
    public const byte TopicAliasId = 0x23;
    public const byte MaximumQosId = 0x24;
    public const byte RetainAvailableId = 0x25;
    public const byte UserPropertyId = 0x26;
    public const byte MaximumPacketSizeId = 0x27;
    public const byte WildcardAvailableId = 0x28;
    public const byte SubscriptionIdsAvailableId = 0x29;
    public const byte SharedAvailableId = 0x2A;

    public static byte[] PayloadFormat(byte value) => [PayloadFormatId, value];

    public static byte[] MessageExpiry(uint seconds) => Int(MessageExpiryId, seconds);

    public static byte[] ContentType(string value) => [ContentTypeId, .. Bytes.Text(value)];

    public static byte[] ResponseTopic(string value) => [ResponseTopicId, .. Bytes.Text(value)];

    public static byte[] CorrelationData(params byte[] value) => [CorrelationDataId, .. Bytes.Binary(value)];

    public static byte[] SubscriptionId(int value) => [SubscriptionIdId, .. Bytes.Variable(value)];

    public static byte[] SessionExpiry(uint seconds) => Int(SessionExpiryId, seconds);

    public static byte[] WillDelay(uint seconds) => Int(WillDelayId, seconds);

    public static byte[] RequestProblem(byte value) => [RequestProblemId, value];

    public static byte[] RequestResponse(byte value) => [RequestResponseId, value];

    public static byte[] AuthMethod(string value) => [AuthMethodId, .. Bytes.Text(value)];

    public static byte[] AuthData(params byte[] value) => [AuthDataId, .. Bytes.Binary(value)];

    public static byte[] ReceiveMaximum(ushort value) => [ReceiveMaximumId, .. Bytes.TwoBytes(value)];

    public static byte[] TopicAliasMaximum(ushort value) => [TopicAliasMaximumId, .. Bytes.TwoBytes(value)];

    public static byte[] TopicAlias(ushort value) => [TopicAliasId, .. Bytes.TwoBytes(value)];

    public static byte[] MaximumPacketSize(uint value) => Int(MaximumPacketSizeId, value);

    public static byte[] User(string name, string value) => [UserPropertyId, .. Bytes.Text(name), .. Bytes.Text(value)];

    private static byte[] Int(byte id, uint value) => [id, (byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
}

/// <summary>The protocol's data types, and packets made of them.</summary>
public static class Bytes
{
    public static byte[] TwoBytes(int value) => [(byte)(value >> 8), (byte)value];

    public static byte[] Text(string value) => Binary(Encoding.UTF8.GetBytes(value));

    public static byte[] Binary(byte[] value) => [.. TwoBytes(value.Length), .. value];

    public static byte[] Variable(int value)
    {
        var bytes = new List<byte>();
        do
        {
            bytes.Add((byte)(value & 127 | (value > 127 ? 128 : 0)));
            value >>= 7;
        }
        while (value > 0);
        return [.. bytes];
    }

    /// <summary>With their length before them.</summary>
    public static byte[] PropertyList(params byte[] properties) => [.. Variable(properties.Length), .. properties];

    /// <summary>With its remaining length.</summary>
    public static byte[] Packet(byte header, params byte[] body) => [header, .. Variable(body.Length), .. body];

    /// <summary>Of hexadecimal digits; blanks are left out.</summary>
    public static byte[] Hex(string digits) => Convert.FromHexString(digits.Replace(" ", "", StringComparison.Ordinal));

    /// <summary>CONNECT with that name, level and flags; what follows the keep-alive is given.</summary>
    public static byte[] Connect(int level, byte flags, ushort keepAlive, params byte[] rest) =>
        Packet(0x10, [.. Text(level == 3 ? "MQIsdp" : "MQTT"), (byte)level, flags, .. TwoBytes(keepAlive), .. rest]);
}
