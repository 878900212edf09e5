using System.Buffers;

namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <summary>
/// What has been read of a connection before its turn: kept until it is handled, and searched for PINGREQs, which can be answered ahead
/// of their turn and are known again when it comes.
/// </summary>
/// <remarks>A pipe can't be looked into: what was examined once it gives out again only when more has come.</remarks>
internal sealed class ReadAhead : IDisposable
{
    /// <summary>How far it is read ahead, about: what a client with a thousand small publishes in flight has sent.</summary>
    public const int MaxBytes = 256 * 1024;

    private const byte PingReq = 0xC0;

    private byte[] _buffer = [];
    private int _start;
    private int _end;

    // Packets before this place have been searched; always whole ones.
    private int _searched;
    private int _answered;

    public int Length => _end - _start;

    /// <summary>Everything that has been read and not handled.</summary>
    public ReadOnlySequence<byte> Received => new(_buffer, _start, Length);

    public void Add(in ReadOnlySequence<byte> bytes)
    {
        MakeRoom(checked((int)bytes.Length));
        bytes.CopyTo(_buffer.AsSpan(_end));
        _end += (int)bytes.Length;
    }

    /// <summary>How many PINGREQs came on top of those found before; they are to be answered now.</summary>
    public int FindPings()
    {
        var found = 0;
        while (LengthOfPacket(_buffer.AsSpan(_searched, _end - _searched)) is > 0 and var length)
        {
            if (_buffer[_searched] == PingReq)
                found++;
            _searched += length;
        }
        _answered += found;
        return found;
    }

    /// <summary>Takes the first packet out; whether it is a PINGREQ that has been answered already.</summary>
    public bool WasAnswered(bool isPing, int bytes)
    {
        _start += bytes;
        _searched = Math.Max(_searched, _start);
        if (_answered == 0 || !isPing)
            return false;
        _answered--;
        return true;
    }

    /// <summary>Nothing of what was taken out is used any more: an empty buffer goes back.</summary>
    public void Trim()
    {
        if (_start == _end)
            Dispose();
    }

    public void Dispose()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end, _searched) = ([], 0, 0, 0);
    }

    private void MakeRoom(int bytes)
    {
        if (_buffer.Length - _end >= bytes)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + bytes, 2 * Length));
        _buffer.AsSpan(_start, Length).CopyTo(larger);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end, _searched) = (larger, 0, Length, _searched - _start);
    }

    /// <summary>0 while it is not all there.</summary>
    private static int LengthOfPacket(ReadOnlySpan<byte> bytes)
    {
        var length = 0;
        for (var i = 1; i < bytes.Length && i <= 4; i++)
        {
            length |= (bytes[i] & 127) << 7 * (i - 1);
            if (bytes[i] < 128)
                return bytes.Length > i + length ? i + 1 + length : 0;
        }
        return 0;
    }
}
