using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Unicode;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>Turtle 1.1, all of it, straight from UTF-8.</summary>
internal ref struct TurtleParser
{
    private const int CheckEvery = 4_096;

    private readonly ParsedGraph _graph = new();
    private readonly TermDictionary _terms;
    private readonly Dictionary<string, int> _labels = [];
    private readonly CancellationToken _cancellation;
    private Scanner _scanner;
    private int _blanks;
    private byte[] _lower = new byte[16];

    private TurtleParser(ReadOnlySpan<byte> utf8, string baseIri, CancellationToken cancellationToken)
    {
        _scanner = new Scanner(utf8, baseIri);
        _terms = _graph.Terms;
        _cancellation = cancellationToken;
    }

    /// <param name="utf8">The document.</param>
    /// <param name="baseIri">What relative IRIs are resolved against until the document declares a base; empty: they are errors until then.</param>
    /// <param name="cancellationToken">Looked at now and then.</param>
    public static TurtleResult Parse(ReadOnlySpan<byte> utf8, string baseIri = "", CancellationToken cancellationToken = default)
    {
        try
        {
            if (FirstInvalid(utf8) is var invalid and >= 0)
                throw new SyntaxException(invalid, "the text is not valid UTF-8 here");
            var parser = new TurtleParser(utf8, baseIri, cancellationToken);
            parser.ParseDocument();
            return new TurtleResult(parser._graph, null);
        }
        catch (SyntaxException exception)
        {
            return new TurtleResult(null, SyntaxError.At(utf8, exception.Offset, exception.Message));
        }
    }

    /// <summary>Where bytes stand that are no UTF-8; -1: nowhere.</summary>
    public static int FirstInvalid(ReadOnlySpan<byte> utf8)
    {
        if (Utf8.IsValid(utf8))
            return -1;
        var at = 0;
        while (Rune.DecodeFromUtf8(utf8[at..], out _, out var length) == System.Buffers.OperationStatus.Done)
            at += length;
        return at;
    }

    private void ParseDocument()
    {
        for (var statements = 0; ; statements++)
        {
            if (statements % CheckEvery == 0)
                _cancellation.ThrowIfCancellationRequested();
            _scanner.SkipBlanks();
            switch (_scanner.Peek)
            {
                case -1:
                    return;
                case '@':
                    ParseDirective();
                    break;
                case 'P' or 'p' when _scanner.TakeWord("prefix"u8, ignoreCase: true):
                    _scanner.ReadPrefixDeclaration();
                    break;
                case 'B' or 'b' when _scanner.TakeWord("base"u8, ignoreCase: true):
                    _scanner.ReadBaseDeclaration();
                    break;
                default:
                    ParseTriples();
                    _scanner.Expect((byte)'.', "\".\" at the end of the statement");
                    break;
            }
        }
    }

    private void ParseDirective()
    {
        var start = _scanner.Position++;
        if (_scanner.TakeWord("prefix"u8))
            _scanner.ReadPrefixDeclaration();
        else if (_scanner.TakeWord("base"u8))
            _scanner.ReadBaseDeclaration();
        else
        {
            _scanner.Position = start;
            _scanner.FailExpecting("@prefix, @base or a subject");
        }
        _scanner.Expect((byte)'.', "\".\" at the end of the declaration");
    }

    private void ParseTriples()
    {
        if (_scanner.Peek == '[')
        {
            var subject = ParseBlankOrProperties(out var hasProperties);
            _scanner.SkipBlanks();
            if (!hasProperties || _scanner.Peek != '.')
                ParsePredicates(subject);
            return;
        }
        var id = _scanner.Peek == '(' ? ParseCollection() : TryParseResource();
        if (id == 0)
            _scanner.FailExpecting("a subject (an IRI, a prefixed name, a blank node or a collection)");
        _scanner.SkipBlanks();
        ParsePredicates(id);
    }

    private void ParsePredicates(int subject)
    {
        while (true)
        {
            var predicate = ParseVerb();
            while (true)
            {
                _scanner.SkipBlanks();
                _graph.Add(subject, predicate, ParseObject());
                _scanner.SkipBlanks();
                if (!_scanner.Take((byte)','))
                    break;
            }
            if (_scanner.Peek != ';')
                return;
            while (_scanner.Take((byte)';'))
                _scanner.SkipBlanks();
            if (_scanner.Peek is '.' or ']' or -1)
                return;
        }
    }

    private int ParseVerb()
    {
        if (_scanner.Peek == 'a' && _scanner.TakeWord("a"u8))
            return Known.Type;
        if (_scanner.Peek is '_' or '[' or '(' or '"' or '\'')
            _scanner.FailExpecting("a predicate (an IRI or a prefixed name)");
        var id = TryParseResource();
        if (id == 0)
            _scanner.FailExpecting("a predicate (an IRI, a prefixed name or \"a\")");
        return id;
    }

    private int ParseObject()
    {
        var next = _scanner.Peek;
        switch (next)
        {
            case '"' or '\'':
                return ParseLiteral();
            case '[':
                return ParseBlankOrProperties(out _);
            case '(':
                return ParseCollection();
            case '+' or '-' or '.' or (>= '0' and <= '9'):
                if (_scanner.TryReadNumber() is var datatype and not 0)
                    return _terms.Intern(TermKind.Literal, _scanner.Text, datatype);
                break;
            case 't' when _scanner.TakeWord("true"u8):
                return Known.True;
            case 'f' when _scanner.TakeWord("false"u8):
                return Known.False;
            default:
                if (TryParseResource() is var id and not 0)
                    return id;
                break;
        }
        if (next is 't' or 'f' && TryParseResource() is var named and not 0)
            return named;
        _scanner.FailExpecting("an object (an IRI, a prefixed name, a blank node, a literal or a collection)");
        return 0;
    }

    // An IRI, a prefixed name or a labelled blank node; 0: none of them.
    private int TryParseResource()
    {
        switch (_scanner.Peek)
        {
            case '<':
                _scanner.ReadIri();
                return _terms.Intern(TermKind.Iri, _scanner.Text, 0);
            case '_':
                if (_scanner.PeekAt(1) != ':')
                    return 0;
                _scanner.ReadBlankLabel();
                return Labelled();
            default:
                return _scanner.TryReadPrefixedName() ? _terms.Intern(TermKind.Iri, _scanner.Text, 0) : 0;
        }
    }

    // Labels of the document have an "l" in front and those of nodes without one a "b", so that they don't meet.
    private readonly int Labelled()
    {
        var label = Encoding.UTF8.GetString(_scanner.Text);
        if (!_labels.TryGetValue(label, out var id))
            _labels.Add(label, id = _terms.Intern(TermKind.Blank, Encoding.UTF8.GetBytes("l" + label), 0));
        return id;
    }

    private int Fresh()
    {
        Span<byte> label = stackalloc byte[12];
        label[0] = (byte)'b';
        (++_blanks).TryFormat(label[1..], out var length, default, System.Globalization.CultureInfo.InvariantCulture);
        return _terms.Intern(TermKind.Blank, label[..(length + 1)], 0);
    }

    private int ParseBlankOrProperties(out bool hasProperties)
    {
        CheckDepth();
        _scanner.Position++;
        _scanner.SkipBlanks();
        var id = Fresh();
        hasProperties = _scanner.Peek != ']';
        if (hasProperties)
            ParsePredicates(id);
        _scanner.Expect((byte)']', "\"]\" or \";\"");
        return id;
    }

    private int ParseCollection()
    {
        CheckDepth();
        var start = _scanner.Position++;
        var (first, last) = (Known.Nil, 0);
        while (true)
        {
            _scanner.SkipBlanks();
            if (_scanner.Take((byte)')'))
                break;
            if (_scanner.Peek < 0)
                throw new SyntaxException(start, "the collection that starts here has no \")\"");
            var item = ParseObject();
            var node = Fresh();
            if (last == 0)
                first = node;
            else
                _graph.Add(last, Known.Rest, node);
            _graph.Add(node, Known.First, item);
            last = node;
        }
        if (last != 0)
            _graph.Add(last, Known.Rest, Known.Nil);
        return first;
    }

    private int ParseLiteral()
    {
        _scanner.ReadString();
        var text = _scanner.Text;
        if (_scanner.Peek == '@')
        {
            // The text may be the scanner's buffer; a language is read out of the document.
            _scanner.Position++;
            _scanner.ReadLanguage();
            return _terms.Intern(TermKind.Literal, text, -_terms.Intern(TermKind.Language, Lower(_scanner.Text), 0));
        }
        if (_scanner.Peek != '^')
            return _terms.Intern(TermKind.Literal, text, Known.String);
        if (_scanner.PeekAt(1) != '^')
            _scanner.FailExpecting("\"^^\" and a datatype");
        _scanner.Position += 2;
        var lexical = text.ToArray();
        _scanner.SkipBlanks();
        var datatype = _scanner.Peek == '_' ? 0 : TryParseResource();
        if (datatype == 0)
            _scanner.FailExpecting("a datatype (an IRI or a prefixed name)");
        return _terms.Intern(TermKind.Literal, lexical, datatype);
    }

    private ReadOnlySpan<byte> Lower(ReadOnlySpan<byte> tag)
    {
        if (_lower.Length < tag.Length)
            _lower = new byte[tag.Length];
        Ascii.ToLower(tag, _lower, out var length);
        return _lower.AsSpan(0, length);
    }

    private readonly void CheckDepth()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            _scanner.Fail("this is nested too deeply");
    }
}
