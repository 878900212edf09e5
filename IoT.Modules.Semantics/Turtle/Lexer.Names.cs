namespace IoT.Modules.Semantics.Turtle;

/// <summary>Names, labels, numbers and tags.</summary>
internal sealed partial class Lexer
{
    private Token ReadBlank()
    {
        if (Peek(1) != ':')
            return ReadName();
        var position = Ensure(_position, 3) + 2;
        var first = Scalar(ref position, out var length);
        if (!(first < 0x80 ? Characters.Is((byte)first, Characters.NameStart | Characters.Digit) : Characters.IsLetter(first)))
            throw Error(position, "expected a label after '_:'");
        position = Names(position + length);
        (_valueStart, _valueLength) = (_start + 2, position - _start - 2);
        _position = position;
        return Token.BlankLabel;
    }

    private Token ReadVariable()
    {
        var position = Ensure(_position, 2) + 1;
        var first = Scalar(ref position, out var length);
        if (!(first < 0x80 ? Characters.Is((byte)first, Characters.NameStart | Characters.Digit) : Characters.IsLetter(first)))
            throw Error(position, "expected a name after '?'");
        position = Names(position + length);
        (_valueStart, _valueLength) = (_start + 1, position - _start - 1);
        _position = position;
        return Token.Variable;
    }

    private Token ReadAt()
    {
        var position = _position + 1;
        while (true)
        {
            while (Characters.Is(_buffer[position], Characters.Letter) || (position > _start + 1 && (_buffer[position] is (byte)'-' or (>= (byte)'0' and <= (byte)'9'))))
                position++;
            if (position != _end || (position = Refill(position)) == _end)
                break;
        }
        var text = _buffer.AsSpan(_start + 1, position - _start - 1);
        if (text.IsEmpty)
            throw Error(_start, "expected a language tag or a directive after '@'");
        var dash = text.IndexOf((byte)'-');
        if (text.IndexOfAnyInRange((byte)'0', (byte)'9') is var digit and >= 0 && (dash < 0 || digit < dash))
            throw Error(_start, "the first part of a language tag has letters only");
        if (text[^1] == '-' || text.IndexOf("--"u8) >= 0)
            throw Error(_start, "a part of the language tag is empty");
        (_valueStart, _valueLength) = (_start + 1, text.Length);
        _position = position;
        return Token.At;
    }

    private Token ReadNumber()
    {
        var position = _position;
        if (_buffer[position] is (byte)'+' or (byte)'-')
            position = Ensure(position, 2) + 1;
        position = Digits(position);
        var hasWhole = position > WholeStart();
        var kind = Token.Integer;
        position = Ensure(position, 3);
        if (_buffer[position] == '.')
        {
            if (char.IsAsciiDigit((char)_buffer[position + 1]))
            {
                kind = Token.Decimal;
                position = Digits(position + 1);
            }
            else if (hasWhole && (_buffer[position + 1] is (byte)'e' or (byte)'E') && IsExponent(ref position, 1))
            {
                kind = Token.Double;
                position = Digits(position);
            }
            else if (!hasWhole)
                throw Error(_start, "expected a digit");
        }
        else if (!hasWhole)
            throw Error(_start, "expected a digit");
        if (kind != Token.Double && (_buffer[position] is (byte)'e' or (byte)'E'))
        {
            if (IsExponent(ref position, 0))
            {
                kind = Token.Double;
                position = Digits(position);
            }
            else
                throw Error(_start, "expected the digits of an exponent");
        }
        (_valueStart, _valueLength, _position) = (_start, position - _start, position);
        return kind;

        int WholeStart() => _buffer[_start] is (byte)'+' or (byte)'-' ? _start + 1 : _start;
    }

    // Whether an exponent's digits follow at a distance; moves to them.
    private bool IsExponent(ref int position, int distance)
    {
        position = Ensure(position, distance + 3);
        var at = position + distance + 1;
        if (_buffer[at] is (byte)'+' or (byte)'-')
            at++;
        if (at >= _end || !char.IsAsciiDigit((char)_buffer[at]))
            return false;
        position = at;
        return true;
    }

    private int Digits(int position)
    {
        while (true)
        {
            while (_buffer[position] is >= (byte)'0' and <= (byte)'9')
                position++;
            if (position != _end || (position = Refill(position)) == _end)
                return position;
        }
    }

    private Token ReadName()
    {
        var position = _position;
        if (_buffer[position] != ':')
        {
            var first = Scalar(ref position, out var length);
            if (!(first < 0x80 ? Characters.Is((byte)first, Characters.Letter) : Characters.IsLetter(first)))
                throw Bad(position);
            var end = Names(position + length);
            if (_buffer[end] != ':')
            {
                // A bare word has no points: what follows the first one is something else.
                var word = _buffer.AsSpan(_start, end - _start).IndexOf((byte)'.') is var point and >= 0 ? point : end - _start;
                (_valueStart, _valueLength, _position) = (_start, word, _start + word);
                return Token.Word;
            }
            position = end;
        }
        _prefixLength = position - _start;
        return ReadLocal(position + 1);
    }

    private Token ReadLocal(int position)
    {
        while (true)
        {
            while (Characters.Is(_buffer[position], Characters.Name) || _buffer[position] == ':')
                position++;
            if (position != _end || (position = Refill(position)) == _end)
                break;
        }
        var c = _buffer[position];
        if (c is (byte)'.' or (byte)'%' or (byte)'\\' or >= 0x80)
            return ReadOddLocal(position);
        if (_buffer[_start + _prefixLength + 1] == '-' && position > _start + _prefixLength + 1)
            throw Error(_start, "a local name can't start with '-'");
        (_valueStart, _valueLength, _position) = (_start, position - _start, position);
        return Token.PrefixedName;
    }

    // With points, escapes, or characters beyond ASCII.
    private Token ReadOddLocal(int position)
    {
        var copied = Copy(_start, position, 0);
        var local = _prefixLength + 1;
        var points = 0;
        while (true)
        {
            position = Ensure(position, 4);
            var c = _buffer[position];
            var isFirst = copied == local && points == 0;
            if (c == '.' && !isFirst)
            {
                points++;
                position++;
                continue;
            }
            if (c == '%')
            {
                if (!Characters.Is(_buffer[position + 1], Characters.Hex) || !Characters.Is(_buffer[position + 2], Characters.Hex))
                    throw Error(position, "expected two hexadecimal digits after '%'");
                copied = Copy(position, position + 3, Points(copied));
                position += 3;
            }
            else if (c == '\\')
            {
                if (!Characters.Is(_buffer[position + 1], Characters.LocalEscape))
                    throw Error(position, $"unknown escape \\{Show(position + 1).Trim('\'')} in a name");
                copied = Append(_buffer[position + 1], Points(copied));
                position += 2;
            }
            else if (c < 0x80)
            {
                if (!(Characters.Is(c, Characters.Name) || c == ':') || (c == 0 && position == _end))
                    break;
                if (isFirst && c == '-')
                    throw Error(position, "a local name can't start with '-'");
                copied = Append(c, Points(copied));
                position++;
            }
            else
            {
                var scalar = Scalar(ref position, out var length);
                if (!(isFirst ? Characters.IsLetter(scalar) : Characters.IsName(scalar)))
                    break;
                copied = Copy(position, position + length, Points(copied));
                position += length;
            }
            points = 0;
        }
        if (_buffer[_start + local] == '-')
            throw Error(_start, "a local name can't start with '-'");
        (_isInScratch, _valueStart, _valueLength, _position) = (true, 0, copied, position - points);
        return Token.PrefixedName;

        int Points(int length)
        {
            for (var i = 0; i < points; i++)
                length = Append((byte)'.', length);
            return length;
        }
    }

    // Over (PN_CHARS | '.')* that doesn't end in a point.
    private int Names(int position)
    {
        while (true)
        {
            while (Characters.Is(_buffer[position], Characters.Name) || _buffer[position] == '.')
                position++;
            if (_buffer[position] >= 0x80)
            {
                var scalar = Scalar(ref position, out var length);
                if (Characters.IsName(scalar))
                {
                    position += length;
                    continue;
                }
            }
            if (position != _end || (position = Refill(position)) == _end)
                break;
        }
        while (_buffer[position - 1] == '.')
            position--;
        return position;
    }

}
