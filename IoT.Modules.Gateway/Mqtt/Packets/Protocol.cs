namespace IoT.Modules.Gateway.Mqtt.Packets;

internal enum PacketType : byte
{
    Connect = 1,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
}

/// <summary>Reason codes of MQTT 5, of all packets; those of 3.1.1 are made from them where they are written.</summary>
internal enum Reason : byte
{
    Success = 0x00,
    DisconnectWithWill = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    UnspecifiedError = 0x80,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    UnsupportedProtocolVersion = 0x84,
    ClientIdentifierNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerUnavailable = 0x88,
    ServerBusy = 0x89,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdentifierNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
}

internal enum Property : byte
{
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
}

/// <summary>Why a packet ends its connection.</summary>
/// <param name="Reason">For MQTT 5; 3.1.1 is closed without a word.</param>
/// <param name="What">One sentence, for the reason string and the log. Never what the client sent.</param>
internal readonly record struct Fault(Reason Reason, string What)
{
    public static Fault Malformed(string what) => new(Reason.MalformedPacket, what);

    public static Fault Protocol(string what) => new(Reason.ProtocolError, what);
}

/// <summary>One packet as it came: its first byte and what follows its length. The body is valid until the next one is taken.</summary>
internal readonly record struct Frame(byte Header, ReadOnlyMemory<byte> Body)
{
    public PacketType Type => (PacketType)(Header >> 4);

    public byte Flags => (byte)(Header & 15);
}

/// <summary>Which properties a client's packets may carry, and what their values look like.</summary>
internal static class PropertyRules
{
    public enum Form : byte
    {
        None,
        Bool,
        TwoBytes,
        FourBytes,
        VariableInteger,
        Binary,
        Text,
        TextPair,
    }

    /// <summary>Stands for the properties of a will, which are a block of their own within CONNECT.</summary>
    public const PacketType Will = 0;

    public static Form FormOf(Property property) => property switch
    {
        Property.PayloadFormatIndicator or Property.RequestProblemInformation or Property.RequestResponseInformation => Form.Bool,
        Property.ServerKeepAlive or Property.ReceiveMaximum or Property.TopicAliasMaximum or Property.TopicAlias => Form.TwoBytes,
        Property.MessageExpiryInterval or Property.SessionExpiryInterval or Property.WillDelayInterval or Property.MaximumPacketSize => Form.FourBytes,
        Property.SubscriptionIdentifier => Form.VariableInteger,
        Property.CorrelationData or Property.AuthenticationData => Form.Binary,
        Property.ContentType or Property.ResponseTopic or Property.AssignedClientIdentifier or Property.AuthenticationMethod
            or Property.ResponseInformation or Property.ServerReference or Property.ReasonString => Form.Text,
        Property.UserProperty => Form.TextPair,
        _ => Form.None,
    };

    public static bool IsAllowed(PacketType packet, Property property) => packet switch
    {
        Will => property is Property.WillDelayInterval or Property.PayloadFormatIndicator or Property.MessageExpiryInterval or Property.ContentType
            or Property.ResponseTopic or Property.CorrelationData or Property.UserProperty,
        PacketType.Connect => property is Property.SessionExpiryInterval or Property.ReceiveMaximum or Property.MaximumPacketSize or Property.TopicAliasMaximum
            or Property.RequestResponseInformation or Property.RequestProblemInformation or Property.UserProperty or Property.AuthenticationMethod or Property.AuthenticationData,
        PacketType.Publish => property is Property.PayloadFormatIndicator or Property.MessageExpiryInterval or Property.TopicAlias or Property.ResponseTopic
            or Property.CorrelationData or Property.UserProperty or Property.ContentType or Property.SubscriptionIdentifier,
        PacketType.PubAck or PacketType.PubRec or PacketType.PubRel or PacketType.PubComp => property is Property.ReasonString or Property.UserProperty,
        PacketType.Subscribe => property is Property.SubscriptionIdentifier or Property.UserProperty,
        PacketType.Unsubscribe => property is Property.UserProperty,
        PacketType.Disconnect => property is Property.SessionExpiryInterval or Property.ServerReference or Property.ReasonString or Property.UserProperty,
        _ => false,
    };
}
