using System.Buffers.Binary;
using System.Text;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>The upper half of a packet's first byte.</summary>
public enum Kind
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

/// <summary>A packet as it came: first byte, and what follows the remaining length.</summary>
public sealed record Packet(byte Header, byte[] Body, int Version)
{
    public Kind Kind => (Kind)(Header >> 4);

    /// <summary>Of acknowledgements, SUBSCRIBE and UNSUBSCRIBE.</summary>
    public ushort Id => BinaryPrimitives.ReadUInt16BigEndian(Body);

    /// <summary>CONNACK: acknowledge flags, bit 0.</summary>
    public bool IsSessionPresent => Body[0] == 1;

    /// <summary>Of CONNACK, PUBACK … PUBCOMP, DISCONNECT and AUTH; 0 where it is left out.</summary>
    public byte Code => Kind switch
    {
        Kind.ConnAck => Body[1],
        Kind.Disconnect or Kind.Auth => Body.Length > 0 ? Body[0] : (byte)0,
        _ => Body.Length > 2 ? Body[2] : (byte)0,
    };

    /// <summary>Of SUBACK and UNSUBACK.</summary>
    public byte[] Codes
    {
        get
        {
            if (Version < 5)
                return Body[2..];
            var start = 2;
            Properties.Read(Body, ref start);
            return Body[start..];
        }
    }

    public Properties Properties
    {
        get
        {
            var start = Kind switch
            {
                Kind.ConnAck => 2,
                Kind.Disconnect or Kind.Auth => 1,
                Kind.SubAck or Kind.UnsubAck => 2,
                _ => 3,
            };
            return Version < 5 || Body.Length <= start ? Properties.None : Properties.Read(Body, ref start);
        }
    }

    public Message ToMessage()
    {
        Assert.Equal(Kind.Publish, Kind);
        var qos = Header >> 1 & 3;
        var topicLength = BinaryPrimitives.ReadUInt16BigEndian(Body);
        var topic = Encoding.UTF8.GetString(Body, 2, topicLength);
        var start = 2 + topicLength;
        var id = (ushort)0;
        if (qos > 0)
        {
            id = BinaryPrimitives.ReadUInt16BigEndian(Body.AsSpan(start));
            start += 2;
        }
        var properties = Version < 5 ? Properties.None : Properties.Read(Body, ref start);
        return new Message(topic, Encoding.UTF8.GetString(Body, start, Body.Length - start), qos, (Header & 8) != 0, (Header & 1) != 0, id, properties);
    }

    public override string ToString() => $"{Kind} {Header:X2} {Convert.ToHexString(Body)}";
}

/// <summary>A PUBLISH that came in.</summary>
public sealed record Message(string Topic, string Text, int Qos, bool IsDup, bool IsRetain, ushort Id, Properties Properties);
