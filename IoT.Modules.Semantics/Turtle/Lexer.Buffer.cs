using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>Bytes as they come, checked to be UTF-8, and where in the text they stand.</summary>
internal sealed partial class Lexer
{
    /// <summary>NULs behind the text, for loops that look ahead.</summary>
    private const int Behind = 16;

    private readonly byte[] _held = new byte[3];
    private int _heldLength;

    /// <summary>The character at a place; 0 and no length at the end of the text.</summary>
    private int Scalar(ref int position, out int length)
    {
        position = Ensure(position, 4);
        if (_buffer[position] < 0x80)
        {
            length = position == _end ? 0 : 1;
            return _buffer[position];
        }
        Rune.DecodeFromUtf8(_buffer.AsSpan(position, _end - position), out var rune, out length);
        return rune.Value;
    }

    private char Peek(int distance)
    {
        _position = Ensure(_position, distance + 1);
        return (char)_buffer[_position + distance];
    }

    // Makes so many bytes stand in the buffer, as far as there are any; the rest reads as NUL. Where the position is now.
    private int Ensure(int position, int count)
    {
        while (_end - position < count)
        {
            var before = _end - position;
            position = Refill(_end) - before;
            if (_end - position == before)
                break;
        }
        return position;
    }

    // A long string's beginning is in the scratch: only what is new is held.
    private int RefillLong()
    {
        _tokenColumn = Column;
        _start = _end;
        return Refill(_end);
    }

    // Brings more behind what stands from the token's start on. Where the position is now; at the end of the buffer if nothing came.
    private int Refill(int position)
    {
        if (_isAtEnd)
            return position;
        if (_tokenColumn == 0 && _tokenLineStart < _start)
            _tokenColumn = Column;
        // What is dropped of this line counts for the column of what follows.
        var dropped = _start;
        if (_lineStart < dropped)
        {
            _carried += CodePoints(_lineStart, dropped);
            _lineStart = dropped;
        }
        Buffer.BlockCopy(_buffer, dropped, _buffer, 0, _end - dropped);
        _end -= dropped;
        _start = 0;
        _lineStart -= dropped;
        _tokenLineStart = 0;
        position -= dropped;
        if (_end > _buffer.Length / 2)
        {
            if (_buffer.Length > LongestToken)
                throw Error(position, $"a token is longer than {LongestToken} bytes");
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        Fill();
        return position;
    }

    private void Fill()
    {
        while (!_isAtEnd)
        {
            _held.AsSpan(0, _heldLength).CopyTo(_buffer.AsSpan(_end));
            var filled = _end + _heldLength;
            var read = Read(_buffer.AsSpan(filled, _buffer.Length - filled - Behind));
            _isAtEnd = read == 0;
            var text = _buffer.AsSpan(_end, filled + read - _end);
            // The beginning of a character whose rest hasn't come yet waits outside: a NUL stands behind the text.
            var rest = _isAtEnd ? 0 : Incomplete(text);
            if (!Utf8.IsValid(text[..^rest]))
                throw BadUtf8(text);
            text[^rest..].CopyTo(_held);
            _heldLength = rest;
            _end += text.Length - rest;
            if (text.Length > rest)
                break;
        }
        _buffer.AsSpan(_end, Behind).Clear();
    }

    private int Read(Span<byte> room)
    {
        if (_stream is not null)
            return _stream.Read(room);
        var read = Math.Min(room.Length, _rest.Length);
        _rest.Span[..read].CopyTo(room);
        _rest = _rest[read..];
        return read;
    }

    // Bytes at the end that may be the beginning of a character.
    private static int Incomplete(ReadOnlySpan<byte> text)
    {
        for (var count = 1; count <= Math.Min(3, text.Length); count++)
        {
            var c = text[^count];
            if ((c & 0xC0) != 0x80)
                return c switch { >= 0xF0 => 4, >= 0xE0 => 3, >= 0xC0 => 2, _ => 1 } > count ? count : 0;
        }
        return 0;
    }

    private SyntaxException BadUtf8(ReadOnlySpan<byte> text)
    {
        var position = _end;
        while (Rune.DecodeFromUtf8(text, out _, out var length) == OperationStatus.Done)
        {
            text = text[length..];
            position += length;
        }
        var (line, start, carried) = (_line, _lineStart, _carried);
        for (var i = Math.Max(start, 0); i < position; i++)
        {
            if (_buffer[i] == '\n')
                (line, start, carried) = (line + 1, i + 1, 0);
        }
        return new(new SyntaxError(line, CodePoints(start, position) + carried + 1, "the text is not UTF-8 here"));
    }

    private void NewLine(int position)
    {
        _line++;
        _lineStart = position + 1;
        _carried = 0;
    }

    private int CodePoints(int from, int to)
    {
        var count = 0;
        for (var i = Math.Max(from, 0); i < to; i++)
        {
            if ((_buffer[i] & 0xC0) != 0x80)
                count++;
        }
        return count;
    }
}
