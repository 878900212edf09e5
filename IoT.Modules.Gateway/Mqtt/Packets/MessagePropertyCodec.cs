using System.Text;
using IoT.Modules.Gateway.Mqtt.Durable;

namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>The properties that a message keeps on its way: encoded as subscribers get them, or taken apart for the broker's state on disk.</summary>
internal static class MessagePropertyCodec
{
    /// <summary>A publish's checked properties without those that are between its sender and the platform.</summary>
    public static byte[] PassedOn(ReadOnlySpan<byte> properties)
    {
        var kept = new List<byte>(properties.Length);
        var reader = Read(properties, out var block);
        while (reader.NextProperty(ref block))
        {
            if (block.Id is Property.MessageExpiryInterval or Property.TopicAlias)
                continue;
            kept.Add((byte)block.Id);
            kept.AddRange(reader.Since(block.ValueStart));
        }
        return [.. kept];
    }

    /// <summary>Null for none.</summary>
    public static MessageProperties? Decode(ReadOnlySpan<byte> properties)
    {
        if (properties.IsEmpty)
            return null;
        byte? format = null;
        string? contentType = null;
        string? responseTopic = null;
        ReadOnlyMemory<byte>? correlation = null;
        List<KeyValuePair<string, string>>? user = null;
        var reader = Read(properties, out var block);
        while (reader.NextProperty(ref block))
        {
            switch (block.Id)
            {
                case Property.PayloadFormatIndicator:
                    format = (byte)block.Number;
                    break;
                case Property.ContentType:
                    contentType = Encoding.UTF8.GetString(block.Bytes);
                    break;
                case Property.ResponseTopic:
                    responseTopic = Encoding.UTF8.GetString(block.Bytes);
                    break;
                case Property.CorrelationData:
                    correlation = block.Bytes.ToArray();
                    break;
                case Property.UserProperty:
                    (user ??= []).Add(new(Encoding.UTF8.GetString(block.Bytes), Encoding.UTF8.GetString(block.Value)));
                    break;
            }
        }
        return new MessageProperties(format, contentType, responseTopic, correlation, user);
    }

    public static byte[] Encode(MessageProperties? properties)
    {
        if (properties is null)
            return [];
        var builder = new PacketBuilder();
        if (properties.PayloadFormat is { } format)
            builder.Byte((byte)Property.PayloadFormatIndicator).Byte(format);
        builder.Text(Property.ContentType, properties.ContentType).Text(Property.ResponseTopic, properties.ResponseTopic);
        if (properties.CorrelationData is { } correlation)
            builder.Byte((byte)Property.CorrelationData).Binary(correlation.Span);
        foreach (var (name, value) in properties.UserProperties ?? [])
            builder.Byte((byte)Property.UserProperty).Text(name).Text(value);
        return builder.ToArray();
    }

    private static PacketReader Read(ReadOnlySpan<byte> properties, out PropertyBlock block)
    {
        block = new PropertyBlock { Packet = PacketType.Publish, End = properties.Length };
        return new PacketReader(properties);
    }
}
