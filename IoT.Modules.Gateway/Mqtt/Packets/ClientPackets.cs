namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>CONNECT. What 3.1 and 3.1.1 do not say stands as MQTT 5 would say it.</summary>
internal sealed record ConnectPacket
{
    public bool IsVersion5 { get; init; }

    /// <summary>3.1.1's forerunner, of 2010.</summary>
    public bool IsVersion31 { get; init; }

    public bool IsCleanStart { get; init; }

    /// <summary>Seconds; 0: none.</summary>
    public ushort KeepAlive { get; init; }

    public string ClientId { get; set; } = "";

    public string? UserName { get; set; }

    public byte[]? Password { get; set; }

    /// <summary>Seconds after the connection's end; 0: the session ends with it, <see cref="uint.MaxValue"/>: never.</summary>
    public uint SessionExpiry { get; set; }

    public ushort ReceiveMaximum { get; set; } = ushort.MaxValue;

    public uint MaximumPacketSize { get; set; } = uint.MaxValue;

    public ushort TopicAliasMaximum { get; set; }

    public bool RequestsResponseInformation { get; set; }

    public bool RequestsProblemInformation { get; set; } = true;

    public bool HasAuthenticationMethod { get; set; }

    public WillPacket? Will { get; set; }
}

/// <param name="Properties">Encoded, without delay and expiry.</param>
internal sealed record WillPacket(string Topic, byte[] Payload, byte Qos, bool IsRetain, uint DelaySeconds, uint? ExpirySeconds, byte[] Properties);

/// <summary>PUBLISH. Its memory is that of the frame.</summary>
/// <param name="Topic">UTF-8 as it came: not checked yet, and empty where an alias stands for it.</param>
/// <param name="Alias">Null: none.</param>
/// <param name="Properties">All of them, encoded, checked.</param>
/// <param name="HasOwnProperties">Among them are some that are not passed on as they are.</param>
/// <param name="IsBadText">The payload is not the UTF-8 that its format indicator promises.</param>
internal readonly record struct PublishPacket(
    byte Flags, ushort PacketId, ReadOnlyMemory<byte> Topic, ushort? Alias, uint? ExpirySeconds,
    ReadOnlyMemory<byte> Properties, bool HasOwnProperties, bool IsBadText, ReadOnlyMemory<byte> Payload)
{
    public bool IsDup => (Flags & 8) != 0;

    public byte Qos => (byte)(Flags >> 1 & 3);

    public bool IsRetain => (Flags & 1) != 0;
}

/// <summary>PUBACK, PUBREC, PUBREL, PUBCOMP.</summary>
internal readonly record struct AckPacket(ushort PacketId, Reason Reason);

/// <param name="Options">As in the packet: QoS in bits 0 and 1, no-local 2, retain-as-published 3, retain handling 4 and 5.</param>
internal readonly record struct FilterRequest(string Filter, byte Options);

/// <param name="SubscriptionId">0: none.</param>
internal sealed record SubscribePacket(ushort PacketId, uint SubscriptionId, IReadOnlyList<FilterRequest> Filters);

internal sealed record UnsubscribePacket(ushort PacketId, IReadOnlyList<string> Filters);

/// <param name="SessionExpiry">Null: as it was.</param>
internal readonly record struct DisconnectPacket(Reason Reason, uint? SessionExpiry);
