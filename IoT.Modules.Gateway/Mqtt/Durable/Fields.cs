using System.Buffers;
using System.Text;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>Writes the fields of <see cref="BrokerRecord"/>.</summary>
internal readonly struct FieldWriter(IBufferWriter<byte> target)
{
    private const int LongestNumber = 10;

    public void Byte(byte value)
    {
        target.GetSpan(1)[0] = value;
        target.Advance(1);
    }

    public void Number(long value)
    {
        var span = target.GetSpan(LongestNumber);
        var rest = (ulong)value;
        var length = 0;
        for (; rest >= 128; rest >>= 7)
            span[length++] = (byte)(rest | 128);
        span[length++] = (byte)rest;
        target.Advance(length);
    }

    public void Time(DateTime utc) => Number(utc.Ticks);

    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Number(length);
        if (length == 0)
            return;
        Encoding.UTF8.GetBytes(value, target.GetSpan(length));
        target.Advance(length);
    }

    public void Bytes(ReadOnlySpan<byte> value)
    {
        Number(value.Length);
        target.Write(value);
    }
}

/// <summary>Reads what <see cref="FieldWriter"/> wrote. Nothing that it gives back is a slice of the source.</summary>
/// <exception cref="InvalidDataException">Any of its methods, when the source ends too early.</exception>
internal ref struct FieldReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public long Number()
    {
        var value = 0UL;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
                return (long)value;
        }
        throw new InvalidDataException("A number in a change of the broker's state does not end.");
    }

    /// <summary>How many follow; each takes a byte at least.</summary>
    public int Count()
    {
        var count = Number();
        return count >= 0 && count <= _rest.Length ? (int)count : throw TooShort();
    }

    public DateTime Time()
    {
        var ticks = Number();
        return ticks >= 0 && ticks <= DateTime.MaxValue.Ticks ? new DateTime(ticks, DateTimeKind.Utc) : throw new InvalidDataException($"{ticks} ticks are no time.");
    }

    public string Text() => Encoding.UTF8.GetString(Take(Count()));

    public byte[] Bytes() => Take(Count()).ToArray();

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
            throw TooShort();
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private static InvalidDataException TooShort() => new("A change of the broker's state ends too early.");
}
