using System.Text;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>
/// Tokens of Turtle, and of the part of N3 that rules use, from UTF-8 bytes as they come: no more than the current token is held.
/// The buffer ends with a NUL, so that loops over a token's characters look at one thing only; what stands there may go on.
/// </summary>
internal sealed partial class Lexer
{
    /// <summary>Bytes of the longest token.</summary>
    public const int LongestToken = 16 << 20;

    private const int BlockSize = 128 * 1024;

    private readonly Stream? _stream;
    private readonly bool _isN3;
    private ReadOnlyMemory<byte> _rest;
    private byte[] _buffer = new byte[BlockSize];
    private byte[] _scratch = new byte[256];
    private int _position;
    private int _end;
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

    private SyntaxException Bad(int position) => Error(position, $"expected a term or a sign of the grammar, found {Show(position)}");

    private SyntaxException Error(int position, string message) => new(new SyntaxError(_line, CodePoints(_lineStart, position) + _carried + 1, message));

    private string Show(int position)
    {
        if (position >= _end)
            return "the end of the text";
        Rune.DecodeFromUtf8(_buffer.AsSpan(position, _end - position), out var rune, out _);
        return rune.Value < 0x20 ? $"U+{rune.Value:X4}" : $"'{rune}'";
    }

    private string Shown() => Value.Length <= 60 ? Encoding.UTF8.GetString(Value) : Encoding.UTF8.GetString(Value[..60]) + "…";
}
