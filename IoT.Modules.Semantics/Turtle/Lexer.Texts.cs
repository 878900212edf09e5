using System.Buffers;
using System.Text;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>IRIs, strings and their escapes.</summary>
internal sealed partial class Lexer
{
    private static readonly SearchValues<byte> InDoubleQuotes = SearchValues.Create("\"\\\n\r"u8);
    private static readonly SearchValues<byte> InSingleQuotes = SearchValues.Create("'\\\n\r"u8);

    private Token ReadIri()
    {
        var position = _position + 1;
        while (true)
        {
            while (Characters.Is(_buffer[position], Characters.Iri))
                position++;
            switch (_buffer[position])
            {
                case (byte)'>':
                    (_valueStart, _valueLength) = (_start + 1, position - _start - 1);
                    _position = position + 1;
                    return Token.Iri;
                case (byte)'\\':
                    return ReadEscapedIri(position);
                case 0 when position == _end:
                    position = Refill(position);
                    if (position == _end)
                        throw Error(position, "the text ends within an IRI; expected '>'");
                    break;
                default:
                    throw Error(position, $"{Show(position)} can't be in an IRI; expected '>'");
            }
        }
    }

    private Token ReadEscapedIri(int position)
    {
        var length = Copy(_start + 1, position, 0);
        while (true)
        {
            var c = _buffer[position];
            if (c == '>')
            {
                (_isInScratch, _valueStart, _valueLength, _position) = (true, 0, length, position + 1);
                return Token.Iri;
            }
            if (c == '\\')
            {
                position = Ensure(position, 10);
                var escape = position;
                var rune = ReadUnicodeEscape(ref position);
                if (!Characters.IsIri(rune))
                    throw Error(escape, "the escaped character can't be in an IRI");
                length = Append(rune, length);
            }
            else if (Characters.Is(c, Characters.Iri))
            {
                length = Append(c, length);
                position++;
            }
            else if (c == 0 && position == _end)
            {
                position = Refill(position);
                if (position == _end)
                    throw Error(position, "the text ends within an IRI; expected '>'");
            }
            else
                throw Error(position, $"{Show(position)} can't be in an IRI; expected '>'");
        }
    }

    private Token ReadString(byte quote)
    {
        if (Peek(1) == quote)
        {
            if (Peek(2) == quote)
                return ReadLongString(quote);
            (_valueStart, _valueLength) = (_start + 1, 0);
            _position += 2;
            return Token.String;
        }
        var position = _position + 1;
        var copied = -1;
        while (true)
        {
            var found = _buffer.AsSpan(position, _end - position).IndexOfAny(quote == '"' ? InDoubleQuotes : InSingleQuotes);
            if (found < 0)
            {
                if (copied >= 0)
                    copied = Copy(position, _end, copied);
                position = Refill(_end);
                if (position == _end)
                    throw Error(position, $"the text ends within a string; expected {(char)quote}");
                continue;
            }
            var at = position + found;
            if (_buffer[at] == quote)
            {
                if (copied >= 0)
                    (_isInScratch, _valueStart, _valueLength) = (true, 0, Copy(position, at, copied));
                else
                    (_valueStart, _valueLength) = (_start + 1, at - _start - 1);
                _position = at + 1;
                return Token.String;
            }
            if (_buffer[at] != '\\')
                throw Error(at, $"a line ends within a string; expected {(char)quote}");
            copied = copied < 0 ? Copy(_start + 1, at, 0) : Copy(position, at, copied);
            position = at;
            copied = ReadEscape(ref position, copied);
        }
    }

    private Token ReadLongString(byte quote)
    {
        var position = _position + 3;
        var copied = 0;
        while (true)
        {
            var found = _buffer.AsSpan(position, _end - position).IndexOfAny(quote, (byte)'\\', (byte)'\n');
            if (found < 0)
            {
                copied = Copy(position, _end, copied);
                _position = _end;
                position = RefillLong();
                if (position == _end)
                    throw Error(position, $"the text ends within a string; expected {new string((char)quote, 3)}");
                continue;
            }
            var at = position + found;
            copied = Copy(position, at, copied);
            position = at;
            if (_buffer[at] == '\n')
            {
                copied = Append((byte)'\n', copied);
                NewLine(position++);
            }
            else if (_buffer[at] == '\\')
                copied = ReadEscape(ref position, copied);
            else
            {
                _position = position;
                if (Peek(1) == quote && Peek(2) == quote)
                {
                    (_isInScratch, _valueStart, _valueLength, _position) = (true, 0, copied, _position + 3);
                    return Token.String;
                }
                position = _position;
                copied = Append(quote, copied);
                position++;
            }
        }
    }

    private int ReadEscape(ref int position, int length)
    {
        position = Ensure(position, 2);
        byte plain = _buffer[position + 1] switch
        {
            (byte)'t' => (byte)'\t',
            (byte)'b' => (byte)'\b',
            (byte)'n' => (byte)'\n',
            (byte)'r' => (byte)'\r',
            (byte)'f' => (byte)'\f',
            (byte)'"' => (byte)'"',
            (byte)'\'' => (byte)'\'',
            (byte)'\\' => (byte)'\\',
            _ => 0,
        };
        if (plain == 0)
            return Append(ReadUnicodeEscape(ref position), length);
        position += 2;
        return Append(plain, length);
    }

    private Rune ReadUnicodeEscape(ref int position)
    {
        position = Ensure(position, 10);
        var digits = _buffer[position + 1] switch { (byte)'u' => 4, (byte)'U' => 8, _ => 0 };
        if (digits == 0)
            throw Error(position, $"unknown escape \\{Show(position + 1).Trim('\'')}");
        uint value = 0;
        for (var i = 0; i < digits; i++)
        {
            var c = position + 2 + i < _end ? _buffer[position + 2 + i] : (byte)0;
            if (!Characters.Is(c, Characters.Hex))
                throw Error(position, $"expected {digits} hexadecimal digits after the escape");
            value = (value << 4) | (uint)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
        if (!Rune.TryCreate(value, out var rune))
            throw Error(position, $"U+{value:X4} is no character");
        position += 2 + digits;
        return rune;
    }

    private int Copy(int from, int to, int length)
    {
        Room(length + to - from);
        _buffer.AsSpan(from, to - from).CopyTo(_scratch.AsSpan(length));
        return length + to - from;
    }

    private int Append(byte c, int length)
    {
        Room(length + 1);
        _scratch[length] = c;
        return length + 1;
    }

    private int Append(Rune rune, int length)
    {
        Room(length + 4);
        return length + rune.EncodeToUtf8(_scratch.AsSpan(length));
    }

    private void Room(int length)
    {
        if (length > LongestToken)
            throw new SyntaxException(new SyntaxError(_line, 1, $"a token is longer than {LongestToken} bytes"));
        if (length > _scratch.Length)
            Array.Resize(ref _scratch, Math.Max(length, _scratch.Length * 2));
    }
}
