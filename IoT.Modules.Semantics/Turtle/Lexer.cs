using System.Text;
using System.Text.Unicode;

namespace IoT.Modules.Semantics.Turtle;

internal enum Token : byte
{
    End,
    Iri,
    PrefixedName,
    BlankLabel,
    String,

    /// <summary><c>@</c> and a word: a language tag or a directive.</summary>
    At,
    Integer,
    Decimal,
    Double,
    Word,
    Variable,
    Dot,
    Semicolon,
    Comma,
    OpenBracket,
    CloseBracket,
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    Datatype,
    Implies,
    ImpliedBy,
    Equals,

    /// <summary>A character of N3 that nothing here uses: <c>!</c> or <c>^</c>.</summary>
    Path,
}

/// <summary>
/// Tokens of Turtle, and of the part of N3 that rules use, from UTF-8 bytes as they come: no more than the current token is held.
/// The buffer ends with a NUL, so that loops over a token's characters look at one thing only; what stands there may go on.
/// </summary>
internal sealed class Lexer
{
    /// <summary>Bytes of the longest token.</summary>
    public const int LongestToken = 64 << 20;

    private const int BlockSize = 128 * 1024;

    private readonly Stream? _stream;
    private readonly bool _isN3;
    private ReadOnlyMemory<byte> _rest;
    private byte[] _buffer = new byte[BlockSize];
    private byte[] _scratch = new byte[256];
    private int _position;
    private int _end;
    private int _filled;
    private bool _isAtEnd;
    private int _start;
    private int _valueStart;
    private int _valueLength;
    private bool _isInScratch;
    private int _prefixLength;
    private int _line = 1;
    private int _lineStart;
    private int _carried;
    private int _tokenLine = 1;
    private int _tokenLineStart;
    private int _tokenCarried;
    private int _tokenColumn;

    public Lexer(ReadOnlyMemory<byte> text, bool isN3 = false)
        : this(null, text, isN3)
    {
    }

    public Lexer(Stream stream)
        : this(stream, default, isN3: false)
    {
    }

    private Lexer(Stream? stream, ReadOnlyMemory<byte> text, bool isN3)
    {
        (_stream, _rest, _isN3) = (stream, text, isN3);
        _start = 0;
        Fill();
        if (_end >= 3 && _buffer.AsSpan(0, 3).SequenceEqual("\uFEFF"u8))
            (_position, _lineStart) = (3, 3);
    }

    public Token Kind { get; private set; }

    /// <summary>Where the current token starts, from 1.</summary>
    public int Line => _tokenLine;

    public int Column => _tokenColumn != 0 ? _tokenColumn : CodePoints(_tokenLineStart, _start) + _tokenCarried + 1;

    /// <summary>IRI, label, text of a string, word or number, without delimiters and escapes; of a prefixed name all of it. Until the next token.</summary>
    public ReadOnlySpan<byte> Value => (_isInScratch ? _scratch : _buffer).AsSpan(_valueStart, _valueLength);

    /// <summary>What stands before the colon of a prefixed name.</summary>
    public ReadOnlySpan<byte> Prefix => Value[.._prefixLength];

    /// <summary>What stands after it.</summary>
    public ReadOnlySpan<byte> Local => Value[(_prefixLength + 1)..];

    /// <summary>Comments since the last call, with their lines, when <see cref="KeepsComments"/>.</summary>
    public List<(int Line, string Text)> Comments { get; } = [];

    public bool KeepsComments { get; init; }

    public SyntaxException Unexpected(string expected) => new(new SyntaxError(Line, Column, $"expected {expected}, found {Describe()}"));

    public SyntaxException Wrong(string message) => new(new SyntaxError(Line, Column, message));

    public string Describe() => Kind switch
    {
        Token.End => "the end of the text",
        Token.String => "a string",
        Token.Iri => $"<{Shown()}>",
        Token.BlankLabel => $"_:{Shown()}",
        Token.At => $"@{Shown()}",
        Token.Variable => $"?{Shown()}",
        Token.Word or Token.PrefixedName or Token.Integer or Token.Decimal or Token.Double => $"'{Shown()}'",
        _ => $"'{Encoding.UTF8.GetString(_buffer.AsSpan(_start, Math.Max(1, _position - _start)))}'",
    };

    public Token Next()
    {
        SkipBlank();
        (_start, _tokenLine, _tokenLineStart, _tokenCarried, _tokenColumn) = (_position, _line, _lineStart, _carried, 0);
        _isInScratch = false;
        var c = _buffer[_position];
        switch (c)
        {
            case (byte)'<':
                if (_isN3 && Peek(1) == '=' && (Peek(2) is ' ' or '\t' or '\r' or '\n' or '{'))
                    return Kind = Punctuation(Token.ImpliedBy, 2);
                return Kind = ReadIri();
            case (byte)'"' or (byte)'\'':
                return Kind = ReadString(c);
            case (byte)'.':
                return Kind = char.IsAsciiDigit((char)Peek(1)) ? ReadNumber() : Punctuation(Token.Dot, 1);
            case (byte)'_':
                return Kind = ReadBlank();
            case (byte)'@':
                return Kind = ReadAt();
            case (byte)'^':
                return Kind = Peek(1) == '^' ? Punctuation(Token.Datatype, 2) : _isN3 ? Punctuation(Token.Path, 1) : throw Bad(_position);
            case (byte)';':
                return Kind = Punctuation(Token.Semicolon, 1);
            case (byte)',':
                return Kind = Punctuation(Token.Comma, 1);
            case (byte)'[':
                return Kind = Punctuation(Token.OpenBracket, 1);
            case (byte)']':
                return Kind = Punctuation(Token.CloseBracket, 1);
            case (byte)'(':
                return Kind = Punctuation(Token.OpenParenthesis, 1);
            case (byte)')':
                return Kind = Punctuation(Token.CloseParenthesis, 1);
            case (byte)'+' or (byte)'-' or (>= (byte)'0' and <= (byte)'9'):
                return Kind = ReadNumber();
            case (byte)'{' when _isN3:
                return Kind = Punctuation(Token.OpenBrace, 1);
            case (byte)'}' when _isN3:
                return Kind = Punctuation(Token.CloseBrace, 1);
            case (byte)'=' when _isN3:
                return Kind = Peek(1) == '>' ? Punctuation(Token.Implies, 2) : Punctuation(Token.Equals, 1);
            case (byte)'!' when _isN3:
                return Kind = Punctuation(Token.Path, 1);
            case (byte)'?' when _isN3:
                return Kind = ReadVariable();
            case 0 when _position == _end:
                _valueLength = 0;
                return Kind = Token.End;
            default:
                return Kind = ReadName();
        }
    }

    private Token Punctuation(Token token, int length)
    {
        _position += length;
        (_valueStart, _valueLength) = (_start, length);
        return token;
    }

    private void SkipBlank()
    {
        var position = _position;
        while (true)
        {
            switch (_buffer[position])
            {
                case (byte)' ' or (byte)'\t' or (byte)'\r':
                    position++;
                    break;
                case (byte)'\n':
                    NewLine(position++);
                    break;
                case (byte)'#':
                    position = SkipComment(position);
                    break;
                case 0 when position == _end:
                    _start = position;
                    position = Refill(position);
                    if (position == _end)
                    {
                        _position = position;
                        return;
                    }
                    break;
                default:
                    _position = position;
                    return;
            }
        }
    }

    private int SkipComment(int position)
    {
        _start = position;
        while (true)
        {
            var length = _buffer.AsSpan(position, _end - position).IndexOfAny((byte)'\n', (byte)'\r');
            if (length >= 0)
            {
                position += length;
                break;
            }
            if (!KeepsComments)
                _start = _end;
            position = Refill(_end);
            if (position == _end)
                break;
        }
        if (KeepsComments)
            Comments.Add((_line, Encoding.UTF8.GetString(_buffer.AsSpan(_start + 1, position - _start - 1))));
        return position;
    }

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
                    var before = position;
                    position = Refill(position);
                    if (position == _end)
                        throw Error(position, "the text ends within an IRI; expected '>'", before);
                    break;
                default:
                    throw Error(position, $"{Show(position)} can't be in an IRI; expected '>'", position);
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
                var rune = ReadUnicodeEscape(ref position);
                if (!Characters.IsIri(rune))
                    throw Error(position, "the escaped character can't be in an IRI", position);
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
                    throw Error(position, "the text ends within an IRI; expected '>'", position);
            }
            else
                throw Error(position, $"{Show(position)} can't be in an IRI; expected '>'", position);
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
            var found = _buffer.AsSpan(position, _end - position).IndexOfAny([quote, (byte)'\\', (byte)'\n', (byte)'\r']);
            if (found < 0)
            {
                if (copied >= 0)
                    copied = Copy(position, _end, copied);
                position = Refill(_end);
                if (position == _end)
                    throw Error(position, $"the text ends within a string; expected {(char)quote}", position);
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
                throw Error(at, $"a line ends within a string; expected {(char)quote}", at);
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
                    throw Error(position, $"the text ends within a string; expected {new string((char)quote, 3)}", position);
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
                    position = _position + 3;
                    // Up to two quotes may stand before the closing ones: the last three close.
                    (_isInScratch, _valueStart, _valueLength, _position) = (true, 0, copied, position);
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
            throw Error(position, $"unknown escape \\{Show(position + 1).Trim('\'')}", position);
        uint value = 0;
        for (var i = 0; i < digits; i++)
        {
            var c = position + 2 + i < _end ? _buffer[position + 2 + i] : (byte)0;
            if (!Characters.Is(c, Characters.Hex))
                throw Error(position, $"expected {digits} hexadecimal digits after the escape", position);
            value = (value << 4) | (uint)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
        if (!Rune.TryCreate(value, out var rune))
            throw Error(position, $"U+{value:X4} is no character", position);
        position += 2 + digits;
        return rune;
    }

    private Token ReadBlank()
    {
        if (Peek(1) != ':')
            return ReadName();
        var position = Ensure(_position, 3) + 2;
        var first = Scalar(ref position, out var length);
        if (!(first < 0x80 ? Characters.Is((byte)first, Characters.NameStart | Characters.Digit) : Characters.IsLetter(first)))
            throw Error(position, "expected a label after '_:'", position);
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
            throw Error(position, "expected a name after '?'", position);
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
            throw Error(_start, "expected a language tag or a directive after '@'", _start);
        var dash = text.IndexOf((byte)'-');
        if (text.IndexOfAnyInRange((byte)'0', (byte)'9') is var digit and >= 0 && (dash < 0 || digit < dash))
            throw Error(_start, "the first part of a language tag has letters only", _start);
        if (text[^1] == '-' || text.IndexOf("--"u8) >= 0)
            throw Error(_start, "a part of the language tag is empty", _start);
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
                throw Error(_start, "expected a digit", _start);
        }
        else if (!hasWhole)
            throw Error(_start, "expected a digit", _start);
        if (kind != Token.Double && (_buffer[position] is (byte)'e' or (byte)'E'))
        {
            if (IsExponent(ref position, 0))
            {
                kind = Token.Double;
                position = Digits(position);
            }
            else
                throw Error(_start, "expected the digits of an exponent", _start);
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
            throw Error(_start, "a local name can't start with '-'", _start);
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
                    throw Error(position, "expected two hexadecimal digits after '%'", position);
                copied = Copy(position, position + 3, Points(copied));
                position += 3;
            }
            else if (c == '\\')
            {
                if (!Characters.Is(_buffer[position + 1], Characters.LocalEscape))
                    throw Error(position, $"unknown escape \\{Show(position + 1).Trim('\'')} in a name", position);
                copied = Append(_buffer[position + 1], Points(copied));
                position += 2;
            }
            else if (c < 0x80)
            {
                if (!(Characters.Is(c, Characters.Name) || c == ':') || (c == 0 && position == _end))
                    break;
                if (isFirst && c == '-')
                    throw Error(position, "a local name can't start with '-'", position);
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
            throw Error(_start, "a local name can't start with '-'", _start);
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

    private int Scalar(ref int position, out int length)
    {
        position = Ensure(position, 4);
        if (position == _end)
        {
            length = 0;
            return 0;
        }
        Rune.DecodeFromUtf8(_buffer.AsSpan(position, _end - position), out var rune, out length);
        return rune.Value;
    }

    private int Peek(int distance)
    {
        _position = Ensure(_position, distance + 1);
        return _position + distance < _end ? _buffer[_position + distance] : 0;
    }

    // Makes so many bytes stand in the buffer, as far as there are any; the rest reads as NUL.
    private int Ensure(int position, int count)
    {
        while (_end - position < count)
        {
            var before = _end - position;
            position = Refill(_end) - before;
            if (_end - position == before)
            {
                // At the end of the text: enough NULs behind it to look ahead.
                if (position + count + 1 > _buffer.Length)
                    Array.Resize(ref _buffer, position + count + 16);
                _buffer.AsSpan(_end, Math.Min(_buffer.Length - _end, count + 1)).Clear();
                return position;
            }
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
        // Lines that are dropped count for the column of what follows.
        var dropped = _start;
        if (_lineStart < dropped)
        {
            _carried += CodePoints(_lineStart, dropped);
            _lineStart = dropped;
        }
        Buffer.BlockCopy(_buffer, dropped, _buffer, 0, _filled - dropped);
        _filled -= dropped;
        _end -= dropped;
        _start = 0;
        _lineStart -= dropped;
        _tokenLineStart = 0;
        position -= dropped;
        if (_filled + 16 > _buffer.Length / 2)
        {
            if (_buffer.Length > LongestToken)
                throw Error(position, $"a token is longer than {LongestToken} bytes", position);
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        Fill();
        return position;
    }

    private void Fill()
    {
        while (!_isAtEnd)
        {
            var room = _buffer.AsSpan(_filled, _buffer.Length - _filled - 16);
            int read;
            if (_stream is not null)
                read = _stream.Read(room);
            else
            {
                read = Math.Min(room.Length, _rest.Length);
                _rest.Span[..read].CopyTo(room);
                _rest = _rest[read..];
            }
            if (read == 0)
                _isAtEnd = true;
            var before = _end;
            _filled += read;
            CheckUtf8();
            if (_end > before)
                break;
        }
        _buffer.AsSpan(_end == _filled ? _end : _filled, 8).Clear();
        if (_end == _filled)
            _buffer[_end] = 0;
        else
            HoldBack();
    }

    private byte[] _held = [];

    // The beginning of a character whose rest hasn't come yet stays out of sight behind the NUL.
    private void HoldBack()
    {
        _held = _buffer.AsSpan(_end, _filled - _end).ToArray();
        _buffer.AsSpan(_end, _filled - _end).Clear();
        _filled = _end;
    }

    private void CheckUtf8()
    {
        if (_held.Length > 0)
        {
            // Put it back before what has come now.
            var come = _filled - _end;
            if (_filled + _held.Length + 16 > _buffer.Length)
                Array.Resize(ref _buffer, _buffer.Length + 32);
            Buffer.BlockCopy(_buffer, _end, _buffer, _end + _held.Length, come);
            _held.CopyTo(_buffer.AsSpan(_end));
            _filled += _held.Length;
            _held = [];
        }
        var text = _buffer.AsSpan(_end, _filled - _end);
        if (Utf8.IsValid(text))
        {
            _end = _filled;
            return;
        }
        while (!text.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(text, out _, out var length);
            if (status == System.Buffers.OperationStatus.NeedMoreData && !_isAtEnd)
                return;
            if (status != System.Buffers.OperationStatus.Done)
                throw BadUtf8(_end);
            _end += length;
            text = text[length..];
        }
    }

    private SyntaxException BadUtf8(int position)
    {
        var (line, start, carried) = (_line, Math.Min(_lineStart, position), _carried);
        for (var i = Math.Max(start, _position); i < position; i++)
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

    private SyntaxException Bad(int position) => Error(position, $"expected a term or a sign of the grammar, found {Show(position)}", position);

    private SyntaxException Error(int position, string message, int at) =>
        new(new SyntaxError(_line, CodePoints(_lineStart, Math.Min(at, Math.Max(position, at))) + _carried + 1, message));

    private string Show(int position)
    {
        if (position >= _end)
            return "the end of the text";
        Rune.DecodeFromUtf8(_buffer.AsSpan(position, _end - position), out var rune, out _);
        return rune.Value < 0x20 ? $"U+{rune.Value:X4}" : $"'{rune}'";
    }

    private string Shown() => Value.Length <= 60 ? Encoding.UTF8.GetString(Value) : Encoding.UTF8.GetString(Value[..60]) + "…";

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
