using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace IoT.Modules.Gateway.Mqtt.Packets;

/// <summary>
/// Reads a packet's body and checks it on the way, byte by byte. The first fault stays, and everything after it reads as nothing: so
/// who reads looks once, at the end.
/// </summary>
internal ref struct PacketReader(ReadOnlySpan<byte> body)
{
    private readonly ReadOnlySpan<byte> _body = body;

    /// <summary>Null while all that was read was right.</summary>
    public Fault? Fault { get; private set; }

    public int Position { get; private set; }

    public readonly bool IsAtEnd => Fault is not null || Position >= _body.Length;

    public readonly int Left => Fault is null ? _body.Length - Position : 0;

    public void Fail(Fault fault) => Fault ??= fault;

    public byte ReadByte()
    {
        var bytes = Take(1);
        return bytes.IsEmpty ? (byte)0 : bytes[0];
    }

    public ushort ReadUInt16()
    {
        var bytes = Take(sizeof(ushort));
        return bytes.IsEmpty ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    public uint ReadUInt32()
    {
        var bytes = Take(sizeof(uint));
        return bytes.IsEmpty ? 0 : BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    public int ReadVariableInteger()
    {
        var value = 0;
        for (var shift = 0; shift < 28; shift += 7)
        {
            var next = ReadByte();
            value |= (next & 127) << shift;
            if (next >= 128)
                continue;
            // The shortest form is the only one.
            if (next == 0 && shift > 0)
                Fail(Packets.Fault.Malformed("A variable byte integer is longer than it need be."));
            return Fault is null ? value : 0;
        }
        Fail(Packets.Fault.Malformed("A variable byte integer has more than four bytes."));
        return 0;
    }

    public ReadOnlySpan<byte> ReadBinary() => Take(ReadUInt16());

    /// <summary>Text as its bytes: right UTF-8 without NUL.</summary>
    public ReadOnlySpan<byte> ReadUtf8()
    {
        var bytes = ReadBinary();
        if (!Utf8.IsValid(bytes))
            Fail(Packets.Fault.Malformed("A string is not UTF-8."));
        else if (bytes.Contains((byte)0))
            Fail(Packets.Fault.Malformed("A string contains NUL."));
        return Fault is null ? bytes : [];
    }

    /// <summary>As <see cref="ReadUtf8"/>, but without control characters: what names something.</summary>
    public ReadOnlySpan<byte> ReadName()
    {
        var bytes = ReadUtf8();
        if (MqttTopics.HasDisallowed(bytes))
            Fail(Packets.Fault.Malformed("A string contains control characters."));
        return Fault is null ? bytes : [];
    }

    public string ReadString() => Encoding.UTF8.GetString(ReadName());

    /// <summary>Not 0.</summary>
    public ushort ReadPacketId()
    {
        var id = ReadUInt16();
        if (id == 0)
            Fail(Packets.Fault.Protocol("The packet identifier is 0."));
        return id;
    }

    public ReadOnlySpan<byte> Take(int count)
    {
        if (Fault is null && count > _body.Length - Position)
            Fail(Packets.Fault.Malformed("The packet ends too early."));
        if (Fault is not null)
            return [];
        Position += count;
        return _body.Slice(Position - count, count);
    }

    /// <summary>What was read from that position on.</summary>
    public readonly ReadOnlySpan<byte> Since(int position) => _body[position..Position];

    public void MustBeAtEnd()
    {
        if (!IsAtEnd)
            Fail(Packets.Fault.Malformed("The packet is longer than what it holds."));
    }

    public PropertyBlock BeginProperties(PacketType packet)
    {
        var length = ReadVariableInteger();
        if (length > Left)
            Fail(Packets.Fault.Malformed("The properties are longer than their packet."));
        return new PropertyBlock { Packet = packet, Start = Position, End = Fault is null ? Position + length : Position };
    }

    /// <summary>The next property into the block; false at its end, or at a fault.</summary>
    public bool NextProperty(ref PropertyBlock block)
    {
        if (Fault is not null || Position >= block.End)
            return false;
        block.Id = (Property)ReadVariableInteger();
        var form = PropertyRules.FormOf(block.Id);
        if (form == PropertyRules.Form.None)
            Fail(Packets.Fault.Malformed($"There is no property {(int)block.Id}."));
        else if (!PropertyRules.IsAllowed(block.Packet, block.Id))
            Fail(Packets.Fault.Malformed($"The property {block.Id} has no place in this packet."));
        else if (block.Id != Property.UserProperty && (block.Seen & 1UL << (int)block.Id) != 0)
            Fail(Packets.Fault.Protocol($"The property {block.Id} is there twice."));
        if (Fault is not null)
            return false;
        block.Seen |= 1UL << (int)block.Id;
        block.ValueStart = Position;
        switch (form)
        {
            case PropertyRules.Form.Bool:
                block.Number = ReadByte();
                if (block.Number > 1 && Position <= block.End)
                    Fail(Packets.Fault.Protocol($"The property {block.Id} is neither 0 nor 1."));
                break;
            case PropertyRules.Form.TwoBytes:
                block.Number = ReadUInt16();
                break;
            case PropertyRules.Form.FourBytes:
                block.Number = ReadUInt32();
                break;
            case PropertyRules.Form.VariableInteger:
                block.Number = (uint)ReadVariableInteger();
                break;
            case PropertyRules.Form.Binary:
                block.Bytes = ReadBinary();
                break;
            case PropertyRules.Form.Text:
                block.Bytes = ReadUtf8();
                break;
            case PropertyRules.Form.TextPair:
                block.Bytes = ReadUtf8();
                block.Value = ReadUtf8();
                break;
        }
        if (Position > block.End)
            Fail(Packets.Fault.Malformed("A property reaches beyond the properties' length."));
        return Fault is null;
    }
}

/// <summary>A packet's properties, of which one is read at a time.</summary>
internal ref struct PropertyBlock
{
    public PacketType Packet;
    public int Start;
    public int End;
    public int ValueStart;
    public ulong Seen;
    public Property Id;
    public uint Number;
    public ReadOnlySpan<byte> Bytes;

    /// <summary>The second text of a user property.</summary>
    public ReadOnlySpan<byte> Value;
}
