namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>A message, a will and subscription ids in the form of <see cref="BrokerRecord"/>; the database keeps them so too.</summary>
internal static class MessageFields
{
    [Flags]
    private enum Has : byte
    {
        None = 0,
        Retain = 4, // Below it, the QoS.
        Expiry = 8,
        Properties = 16,
    }

    [Flags]
    private enum HasProperty : byte
    {
        None = 0,
        PayloadFormat = 1,
        ContentType = 2,
        ResponseTopic = 4,
        CorrelationData = 8,
        UserProperties = 16,
    }

    public static void Write(BrokerMessage message, FieldWriter to)
    {
        to.Byte((byte)(message.Qos | (int)((message.IsRetain ? Has.Retain : 0) | (message.ExpiresAt is null ? 0 : Has.Expiry) | (message.Properties is null ? 0 : Has.Properties))));
        to.Text(message.Topic);
        to.Bytes(message.Payload.Span);
        if (message.ExpiresAt is { } expires)
            to.Time(expires);
        if (message.Properties is { } properties)
            Write(properties, to);
    }

    public static BrokerMessage Read(ref FieldReader from)
    {
        var flags = from.Byte();
        var has = (Has)flags;
        return new BrokerMessage(
            from.Text(), from.Bytes(), (byte)(flags & 3), has.HasFlag(Has.Retain),
            has.HasFlag(Has.Expiry) ? from.Time() : null,
            has.HasFlag(Has.Properties) ? ReadProperties(ref from) : null);
    }

    public static void WriteWill(BrokerWill? will, FieldWriter to)
    {
        to.Byte(will is null ? (byte)0 : (byte)1);
        if (will is null)
            return;
        to.Number(will.DelaySeconds);
        to.Text(will.Publisher);
        Write(will.Message, to);
    }

    public static BrokerWill? ReadWill(ref FieldReader from)
    {
        if (from.Byte() == 0)
            return null;
        var delay = (uint)from.Number();
        var publisher = from.Text();
        return new BrokerWill(Read(ref from), delay, publisher);
    }

    public static void WriteIds(IReadOnlyList<uint> ids, FieldWriter to)
    {
        to.Number(ids.Count);
        for (var i = 0; i < ids.Count; i++)
            to.Number(ids[i]);
    }

    public static uint[] ReadIds(ref FieldReader from)
    {
        var ids = new uint[from.Count()];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = (uint)from.Number();
        return ids;
    }

    private static void Write(MessageProperties properties, FieldWriter to)
    {
        to.Byte((byte)(
            (properties.PayloadFormat is null ? 0 : HasProperty.PayloadFormat) | (properties.ContentType is null ? 0 : HasProperty.ContentType)
            | (properties.ResponseTopic is null ? 0 : HasProperty.ResponseTopic) | (properties.CorrelationData is null ? 0 : HasProperty.CorrelationData)
            | (properties.UserProperties is null ? 0 : HasProperty.UserProperties)));
        if (properties.PayloadFormat is { } format)
            to.Byte(format);
        if (properties.ContentType is { } type)
            to.Text(type);
        if (properties.ResponseTopic is { } topic)
            to.Text(topic);
        if (properties.CorrelationData is { } data)
            to.Bytes(data.Span);
        if (properties.UserProperties is { } user)
        {
            to.Number(user.Count);
            for (var i = 0; i < user.Count; i++)
            {
                to.Text(user[i].Key);
                to.Text(user[i].Value);
            }
        }
    }

    private static MessageProperties ReadProperties(ref FieldReader from)
    {
        var has = (HasProperty)from.Byte();
        byte? format = has.HasFlag(HasProperty.PayloadFormat) ? from.Byte() : null;
        var type = has.HasFlag(HasProperty.ContentType) ? from.Text() : null;
        var topic = has.HasFlag(HasProperty.ResponseTopic) ? from.Text() : null;
        ReadOnlyMemory<byte>? data = has.HasFlag(HasProperty.CorrelationData) ? from.Bytes() : null;
        KeyValuePair<string, string>[]? user = null;
        if (has.HasFlag(HasProperty.UserProperties))
        {
            user = new KeyValuePair<string, string>[from.Count()];
            for (var i = 0; i < user.Length; i++)
                user[i] = new(from.Text(), from.Text());
        }
        return new MessageProperties(format, type, topic, data, user);
    }
}
