using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>
/// Reads Turtle's tokens straight from UTF-8, for the parsers of models and of rules. What was read stands in <see cref="Text"/> until the
/// next is read.
/// </summary>
internal ref struct Scanner
{
    private static readonly SearchValues<byte> InQuotes = SearchValues.Create("\"\\\n\r"u8);
    private static readonly SearchValues<byte> InApostrophes = SearchValues.Create("'\\\n\r"u8);

    private readonly ReadOnlySpan<byte> _data;
    private readonly TermDictionary _prefixes = new(withNumbers: false);
    private readonly List<byte[]?> _namespaces = [];
    private byte[] _buffer = new byte[256];
    private int _buffered;
    private string _base;

    public Scanner(ReadOnlySpan<byte> data, string baseIri)
    {
        _data = data;
        _base = baseIri;
        if (data.StartsWith("\xEF\xBB\xBF"u8))
            Position = 3;
    }

    public int Position { get; set; }

    /// <summary>Of the IRI, label, string, number or language that was read last.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    public readonly ReadOnlySpan<byte> Data => _data;

    /// <summary>The byte that comes next; -1 at the end.</summary>
    public readonly int Peek => Position < _data.Length ? _data[Position] : -1;

    public readonly int PeekAt(int ahead) => Position + ahead < _data.Length ? _data[Position + ahead] : -1;

    [DoesNotReturn]
    public readonly void Fail(string message) => throw new SyntaxException(Position, message);

    [DoesNotReturn]
    public readonly void FailExpecting(string expected) => throw new SyntaxException(Position, $"{expected} expected, {Found()} found");

    /// <summary>What comes next, as a person would name it.</summary>
    public readonly string Found()
    {
        if (Position >= _data.Length)
            return "the end";
        var end = Position;
        while (end < _data.Length && end - Position < 24 && _data[end] > ' ')
            end++;
        if (end == Position)
            return "a blank";
        // Not in the middle of a character.
        while (end < _data.Length && (_data[end] & 0xC0) == 0x80)
            end++;
        return $"\"{Encoding.UTF8.GetString(_data[Position..end])}\"";
    }

    /// <summary>Passes blanks and comments.</summary>
    public void SkipBlanks()
    {
        var data = _data;
        var at = Position;
        while (at < data.Length)
        {
            var b = data[at];
            if (b is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
                at++;
            else if (b == '#')
            {
                var end = data[at..].IndexOfAny((byte)'\n', (byte)'\r');
                at = end < 0 ? data.Length : at + end;
            }
            else
                break;
        }
        Position = at;
    }

    /// <summary>Takes one byte if it is this one.</summary>
    public bool Take(byte b)
    {
        if (Peek != b)
            return false;
        Position++;
        return true;
    }

    public void Expect(byte b, string what)
    {
        SkipBlanks();
        if (!Take(b))
            FailExpecting(what);
    }

    /// <summary>Takes a word of ASCII letters that nothing of a name follows.</summary>
    public bool TakeWord(ReadOnlySpan<byte> word, bool ignoreCase = false)
    {
        var rest = _data[Position..];
        if (rest.Length < word.Length || !(ignoreCase ? Ascii.EqualsIgnoreCase(rest[..word.Length], word) : rest.StartsWith(word)))
            return false;
        if (rest.Length > word.Length && rest[word.Length] == '.')
        {
            // "a.b:c" is a prefixed name.
            var start = Position;
            _ = ReadPrefix();
            var isName = Peek == ':';
            Position = start;
            if (isName)
                return false;
        }
        else if (rest.Length > word.Length && (rest[word.Length] is (byte)':' or >= 0x80 || Characters.Name.Contains(rest[word.Length])))
            return false;
        Position += word.Length;
        return true;
    }

    /// <summary>At <c>&lt;</c>: an absolute IRI.</summary>
    public void ReadIri()
    {
        var start = Position++;
        var rest = _data[Position..];
        var length = rest.IndexOfAny(Characters.IriStop);
        if (length >= 0 && rest[length] == '>')
        {
            Text = rest[..length];
            Position += length + 1;
        }
        else
            ReadEscapedIri();
        if (!IriReference.IsAbsolute(Text))
            Resolve(start);
    }

    /// <summary>At the start of a prefixed name: its IRI. False, and nothing read: there is no colon behind the prefix.</summary>
    public bool TryReadPrefixedName()
    {
        var start = Position;
        var prefix = ReadPrefix();
        if (Peek != ':')
        {
            Position = start;
            return false;
        }
        Position++;
        var found = FindNamespace(prefix);
        if (found is null)
        {
            Position = start;
            Fail($"the prefix {Encoding.UTF8.GetString(prefix)}: is not declared");
        }
        _buffered = 0;
        Append(found);
        ReadLocal();
        Text = _buffer.AsSpan(0, _buffered);
        return true;
    }

    /// <summary>Behind <c>@prefix</c> or <c>PREFIX</c>.</summary>
    public void ReadPrefixDeclaration()
    {
        SkipBlanks();
        var prefix = ReadPrefix();
        if (!Take((byte)':'))
            FailExpecting("a prefix that ends with \":\"");
        SkipBlanks();
        if (Peek != '<')
            FailExpecting("an IRI in <>");
        // The prefix is a part of the text, what is read next may use the buffer.
        ReadIri();
        var id = _prefixes.Intern(TermKind.Iri, prefix, 0);
        while (_namespaces.Count <= id)
            _namespaces.Add(null);
        _namespaces[id] = Text.ToArray();
    }

    /// <summary>Behind <c>@base</c> or <c>BASE</c>.</summary>
    public void ReadBaseDeclaration()
    {
        SkipBlanks();
        if (Peek != '<')
            FailExpecting("an IRI in <>");
        ReadIri();
        _base = Encoding.UTF8.GetString(Text);
    }

    /// <summary>Declares a prefix that the text itself does not.</summary>
    public readonly void Declare(string prefix, string iri)
    {
        var id = _prefixes.Intern(TermKind.Iri, Encoding.UTF8.GetBytes(prefix), 0);
        while (_namespaces.Count <= id)
            _namespaces.Add(null);
        _namespaces[id] = Encoding.UTF8.GetBytes(iri);
    }

    /// <summary>At <c>_:</c>: the label.</summary>
    public void ReadBlankLabel()
    {
        Position += 2;
        var start = Position;
        var c = PeekCharacter(out var length);
        if (!(Characters.IsStart(c) || Characters.IsDigit(c)))
            FailExpecting("the label of a blank node");
        Position += length;
        SkipNameCharacters();
        Text = _data[start..Position];
    }

    /// <summary>Behind <c>@</c>: a language tag, as it was written.</summary>
    public void ReadLanguage()
    {
        var start = Position;
        while ((uint)((Peek | 0x20) - 'a') < 26)
            Position++;
        if (Position == start)
            FailExpecting("a language tag");
        while (Peek == '-')
        {
            Position++;
            var part = Position;
            while ((uint)((Peek | 0x20) - 'a') < 26 || Characters.IsDigit(Peek))
                Position++;
            if (Position == part)
                FailExpecting("the rest of a language tag");
        }
        Text = _data[start..Position];
    }

    /// <summary>At a sign, digit or point: a number. Its datatype's index in every dictionary; 0, and nothing read: it is none.</summary>
    public int TryReadNumber()
    {
        var start = Position;
        var at = start;
        var data = _data;
        if (at < data.Length && data[at] is (byte)'+' or (byte)'-')
            at++;
        var whole = at;
        while (at < data.Length && Characters.IsDigit(data[at]))
            at++;
        var digits = at - whole;
        var datatype = Known.Integer;
        var end = at;
        if (at < data.Length && data[at] == '.')
        {
            var fraction = at + 1;
            var f = fraction;
            while (f < data.Length && Characters.IsDigit(data[f]))
                f++;
            if (f > fraction)
                (datatype, end, digits, at) = (Known.Decimal, f, digits + f - fraction, f);
            else if (digits > 0)
                at = f; // "1." ends a statement unless an exponent follows.
        }
        if (digits > 0 && at < data.Length && data[at] is (byte)'e' or (byte)'E')
        {
            var e = at + 1;
            if (e < data.Length && data[e] is (byte)'+' or (byte)'-')
                e++;
            var exponent = e;
            while (e < data.Length && Characters.IsDigit(data[e]))
                e++;
            if (e > exponent)
                (datatype, end) = (Known.Double, e);
        }
        if (digits == 0)
            return 0;
        Text = data[start..end];
        Position = end;
        return datatype;
    }

    /// <summary>At a quotation mark: a string, escapes replaced.</summary>
    public void ReadString()
    {
        var quote = _data[Position];
        if (PeekAt(1) == quote && PeekAt(2) == quote)
        {
            ReadLongString(quote);
            return;
        }
        var start = Position++;
        var rest = _data[Position..];
        var length = rest.IndexOfAny(quote == '"' ? InQuotes : InApostrophes);
        if (length >= 0 && rest[length] == quote)
        {
            Text = rest[..length];
            Position += length + 1;
            return;
        }
        _buffered = 0;
        while (true)
        {
            rest = _data[Position..];
            length = rest.IndexOfAny(quote == '"' ? InQuotes : InApostrophes);
            if (length < 0)
                throw new SyntaxException(start, "the string that starts here has no end");
            Append(rest[..length]);
            Position += length;
            if (rest[length] == quote)
                break;
            if (rest[length] != '\\')
                Fail("a string in simple quotation marks ends on its line; \"\"\" takes several");
            ReadEscape();
        }
        Position++;
        Text = _buffer.AsSpan(0, _buffered);
    }

    private void ReadLongString(byte quote)
    {
        var start = Position;
        Position += 3;
        _buffered = 0;
        while (true)
        {
            var rest = _data[Position..];
            var length = rest.IndexOfAny(quote, (byte)'\\');
            if (length < 0)
                throw new SyntaxException(start, "the string that starts here has no end");
            Append(rest[..length]);
            Position += length;
            if (rest[length] == '\\')
                ReadEscape();
            else if (PeekAt(1) == quote && PeekAt(2) == quote)
                break;
            else
            {
                Append(rest.Slice(length, 1));
                Position++;
            }
        }
        Position += 3;
        Text = _buffer.AsSpan(0, _buffered);
    }

    private void ReadEscape()
    {
        switch (PeekAt(1))
        {
            case 't': Append("\t"u8); break;
            case 'b': Append("\b"u8); break;
            case 'n': Append("\n"u8); break;
            case 'r': Append("\r"u8); break;
            case 'f': Append("\f"u8); break;
            case '"': Append("\""u8); break;
            case '\'': Append("'"u8); break;
            case '\\': Append("\\"u8); break;
            case 'u' or 'U':
                AppendRune(ReadCodePoint());
                return;
            default: Fail("an escape is one of \\t \\b \\n \\r \\f \\\" \\' \\\\ \\uXXXX \\UXXXXXXXX"); break;
        }
        Position += 2;
    }

    private Rune ReadCodePoint()
    {
        var digits = PeekAt(1) == 'u' ? 4 : 8;
        for (var i = 0; i < digits; i++)
        {
            if (!Characters.IsHex(PeekAt(2 + i)))
                Fail($"\\{(char)PeekAt(1)} takes {digits} hexadecimal digits");
        }
        var value = uint.Parse(_data.Slice(Position + 2, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        if (!Rune.IsValid(value))
            Fail($"there is no character U+{value:X4}");
        Position += 2 + digits;
        return new Rune(value);
    }

    private void ReadEscapedIri()
    {
        _buffered = 0;
        while (true)
        {
            var rest = _data[Position..];
            var length = rest.IndexOfAny(Characters.IriStop);
            if (length < 0)
                FailExpecting("an IRI that ends with \">\"");
            Append(rest[..length]);
            Position += length;
            if (rest[length] == '>')
                break;
            if (rest[length] != '\\')
                Fail(rest[length] < 0x20 ? "an IRI holds no control characters and ends on its line" : $"an IRI can't hold '{(char)rest[length]}'");
            if (PeekAt(1) is not ('u' or 'U'))
                Fail("in an IRI only \\uXXXX and \\UXXXXXXXX are escapes");
            var rune = ReadCodePoint();
            if (rune.Value < 0x80 && Characters.IriStop.Contains((byte)rune.Value))
                Fail($"an IRI can't hold U+{rune.Value:X4}, not even escaped");
            AppendRune(rune);
        }
        Position++;
        Text = _buffer.AsSpan(0, _buffered);
    }

    private void Resolve(int start)
    {
        if (_base.Length == 0)
            throw new SyntaxException(start, "a relative IRI needs a base: declare one with @base");
        var resolved = Encoding.UTF8.GetBytes(IriReference.Resolve(_base, Encoding.UTF8.GetString(Text)));
        _buffered = 0;
        Append(resolved);
        Text = _buffer.AsSpan(0, _buffered);
    }

    // PN_PREFIX, if there is one.
    private ReadOnlySpan<byte> ReadPrefix()
    {
        var start = Position;
        var rest = _data[start..];
        var length = rest.IndexOfAnyExcept(Characters.Name);
        // The usual: ASCII letters and digits, then the colon.
        if (length >= 0 && rest[length] == ':' && (length == 0 || Characters.IsBase(rest[0])))
        {
            Position += length;
            return rest[..length];
        }
        var c = PeekCharacter(out var width);
        if (!Characters.IsBase(c))
            return [];
        Position += width;
        SkipNameCharacters();
        return _data[start..Position];
    }

    // (PN_CHARS | '.')* that ends with a PN_CHARS.
    private void SkipNameCharacters()
    {
        var end = Position;
        while (true)
        {
            var c = PeekCharacter(out var length);
            if (Characters.IsName(c))
                end = Position + length;
            else if (c != '.')
                break;
            Position += length;
        }
        Position = end;
    }

    private void ReadLocal()
    {
        var rest = _data[Position..];
        var length = rest.IndexOfAnyExcept(Characters.Name);
        if (length < 0)
            length = rest.Length;
        if (length > 0 && rest[0] == '-')
            return;
        if (length == rest.Length || (rest[length] < 0x80 && rest[length] is not ((byte)'.' or (byte)':' or (byte)'%' or (byte)'\\')))
        {
            Append(rest[..length]);
            Position += length;
            return;
        }
        // What comes behind a point counts only if something follows the points.
        var (end, kept) = (Position, _buffered);
        for (var isFirst = true; ; isFirst = false)
        {
            var c = PeekCharacter(out var width);
            if (c is ':' || (isFirst ? Characters.IsStart(c) || Characters.IsDigit(c) : Characters.IsName(c)))
            {
                Append(_data.Slice(Position, width));
                Position += width;
            }
            else if (c == '.' && !isFirst)
            {
                Append("."u8);
                Position++;
                continue;
            }
            else if (c == '%')
            {
                if (!Characters.IsHex(PeekAt(1)) || !Characters.IsHex(PeekAt(2)))
                    Fail("% takes two hexadecimal digits");
                Append(_data.Slice(Position, 3));
                Position += 3;
            }
            else if (c == '\\')
            {
                if (PeekAt(1) is var escaped && (escaped < 0 || !Characters.LocalEscape.Contains((byte)escaped)))
                    Fail("in a name a backslash stands before one of _~.-!$&'()*+,;=/?#@%");
                Append(_data.Slice(Position + 1, 1));
                Position += 2;
            }
            else
                break;
            (end, kept) = (Position, _buffered);
        }
        (Position, _buffered) = (end, kept);
    }

    private readonly byte[]? FindNamespace(ReadOnlySpan<byte> prefix)
    {
        var id = _prefixes.Find(prefix);
        return id < _namespaces.Count ? _namespaces[id] : null;
    }

    /// <summary>The character that comes next and how many bytes it has; -1 at the end.</summary>
    public readonly int PeekCharacter(out int length)
    {
        if (Position >= _data.Length)
        {
            length = 0;
            return -1;
        }
        if (_data[Position] < 0x80)
        {
            length = 1;
            return _data[Position];
        }
        Rune.DecodeFromUtf8(_data[Position..], out var rune, out length);
        return rune.Value;
    }

    private void AppendRune(Rune rune)
    {
        Span<byte> bytes = stackalloc byte[4];
        Append(bytes[..rune.EncodeToUtf8(bytes)]);
    }

    private void Append(scoped ReadOnlySpan<byte> bytes)
    {
        if (_buffered + bytes.Length > _buffer.Length)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _buffered + bytes.Length));
        bytes.CopyTo(_buffer.AsSpan(_buffered));
        _buffered += bytes.Length;
    }
}
