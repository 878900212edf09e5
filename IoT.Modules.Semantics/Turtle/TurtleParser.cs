using System.Runtime.InteropServices;
using System.Text;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>Takes triples as they are read.</summary>
internal interface ITripleSink
{
    void Add(int subject, int predicate, int @object);
}

/// <summary>Turtle 1.1, all of it. Terms go to the dictionary, triples to the sink, one by one.</summary>
internal sealed class TurtleParser
{
    /// <summary>Collections and blank nodes within one another.</summary>
    public const int DeepestNesting = 1_000;

    private readonly TermDictionary _terms;
    private readonly ITripleSink _sink;
    private readonly Lexer _lexer;
    private readonly PrefixTable _prefixes;
    private readonly byte[] _scope;
    private readonly CancellationToken _cancellationToken;
    private byte[] _scratch = new byte[256];
    private int _anonymous;
    private int _depth;
    private int _statements;

    private TurtleParser(TermDictionary terms, string scope, Lexer lexer, string? baseIri, ITripleSink sink, CancellationToken cancellationToken)
    {
        (_terms, _lexer, _sink, _cancellationToken) = (terms, lexer, sink, cancellationToken);
        _prefixes = new PrefixTable(baseIri);
        _scope = BlankScope.Of(scope);
    }

    /// <summary>Reads a document.</summary>
    /// <param name="scope">Blank nodes of one label in one scope are one node.</param>
    /// <param name="baseIri">What relative IRIs are relative to; null: the document must say so itself.</param>
    /// <exception cref="SyntaxException">It isn't Turtle; the sink has what came before.</exception>
    public static void Parse(TermDictionary terms, string scope, ReadOnlyMemory<byte> text, string? baseIri, ITripleSink sink, CancellationToken cancellationToken) =>
        new TurtleParser(terms, scope, new Lexer(text), baseIri, sink, cancellationToken).Run();

    /// <summary>The same from a stream, a block at a time.</summary>
    public static void Parse(TermDictionary terms, string scope, Stream text, string? baseIri, ITripleSink sink, CancellationToken cancellationToken) =>
        new TurtleParser(terms, scope, new Lexer(text), baseIri, sink, cancellationToken).Run();

    private void Run()
    {
        _lexer.Next();
        while (_lexer.Kind != Token.End)
        {
            Statement();
            if ((++_statements & 0xFFF) == 0)
                _cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private void Statement()
    {
        switch (_lexer.Kind)
        {
            case Token.At when _lexer.Value.SequenceEqual("prefix"u8):
                _lexer.Next();
                _prefixes.ReadPrefix(_lexer);
                Expect(Token.Dot, "'.' after @prefix");
                return;
            case Token.At when _lexer.Value.SequenceEqual("base"u8):
                _lexer.Next();
                _prefixes.ReadBase(_lexer);
                Expect(Token.Dot, "'.' after @base");
                return;
            case Token.Word when Ascii.EqualsIgnoreCase(_lexer.Value, "prefix"u8):
                _lexer.Next();
                _prefixes.ReadPrefix(_lexer);
                return;
            case Token.Word when Ascii.EqualsIgnoreCase(_lexer.Value, "base"u8):
                _lexer.Next();
                _prefixes.ReadBase(_lexer);
                return;
        }
        int subject;
        if (_lexer.Kind == Token.OpenBracket)
        {
            subject = Bracket(out var hasProperties);
            if (hasProperties && _lexer.Kind == Token.Dot)
            {
                _lexer.Next();
                return;
            }
        }
        else
            subject = Subject();
        Properties(subject);
        Expect(Token.Dot, "';' and a predicate, ',' and an object, or '.'");
    }

    private int Subject() => _lexer.Kind switch
    {
        Token.Iri or Token.PrefixedName => Iri(),
        Token.BlankLabel => Blank(),
        Token.OpenParenthesis => Collection(),
        _ => throw _lexer.Unexpected("a subject (an IRI, a prefixed name, a blank node or a collection) or a directive"),
    };

    private void Properties(int subject)
    {
        while (true)
        {
            var predicate = Verb();
            do
            {
                _sink.Add(subject, predicate, Object());
            }
            while (Take(Token.Comma));
            if (_lexer.Kind != Token.Semicolon)
                return;
            while (Take(Token.Semicolon))
            {
                // Several in a row, and one at the end, are allowed.
            }
            if (_lexer.Kind is not (Token.Iri or Token.PrefixedName or Token.Word))
                return;
        }
    }

    private int Verb()
    {
        switch (_lexer.Kind)
        {
            case Token.Iri or Token.PrefixedName:
                return Iri();
            case Token.Word when _lexer.Value is [(byte)'a']:
                _lexer.Next();
                return Known.Type;
            default:
                throw _lexer.Unexpected("a predicate (an IRI, a prefixed name or 'a')");
        }
    }

    private int Object()
    {
        switch (_lexer.Kind)
        {
            case Token.Iri or Token.PrefixedName:
                return Iri();
            case Token.BlankLabel:
                return Blank();
            case Token.OpenBracket:
                return Bracket(out _);
            case Token.OpenParenthesis:
                return Collection();
            case Token.String:
                return StringLiteral();
            case Token.Integer:
                return Literal(Known.Integer);
            case Token.Decimal:
                return Literal(Known.Decimal);
            case Token.Double:
                return Literal(Known.Double);
            case Token.Word when _lexer.Value.SequenceEqual("true"u8) || _lexer.Value.SequenceEqual("false"u8):
                return Literal(Known.Boolean);
            default:
                throw _lexer.Unexpected("an object (an IRI, a prefixed name, a blank node, a collection or a literal)");
        }
    }

    private int Iri()
    {
        var id = _prefixes.Iri(_lexer, _terms);
        _lexer.Next();
        return id;
    }

    private int Blank()
    {
        var label = _lexer.Value;
        var key = Scratch(_scope.Length + 1 + label.Length);
        _scope.CopyTo(key);
        key[_scope.Length] = (byte)'l';
        label.CopyTo(key[(_scope.Length + 1)..]);
        var id = _terms.Intern(TermKind.Blank, key, 0);
        _lexer.Next();
        return id;
    }

    private int NewBlank()
    {
        var key = Scratch(_scope.Length + 12);
        _scope.CopyTo(key);
        key[_scope.Length] = (byte)'a';
        (++_anonymous).TryFormat(key[(_scope.Length + 1)..], out var length, default, System.Globalization.CultureInfo.InvariantCulture);
        return _terms.Intern(TermKind.Blank, key[..(_scope.Length + 1 + length)], 0);
    }

    private int Bracket(out bool hasProperties)
    {
        Deeper();
        _lexer.Next();
        var node = NewBlank();
        hasProperties = _lexer.Kind != Token.CloseBracket;
        if (hasProperties)
            Properties(node);
        Expect(Token.CloseBracket, "';' and a predicate, ',' and an object, or ']'");
        _depth--;
        return node;
    }

    private int Collection()
    {
        Deeper();
        _lexer.Next();
        int first = Known.Nil, last = 0;
        while (_lexer.Kind != Token.CloseParenthesis)
        {
            if (_lexer.Kind == Token.End)
                throw _lexer.Unexpected("')'");
            var node = NewBlank();
            if (last == 0)
                first = node;
            else
                _sink.Add(last, Known.Rest, node);
            _sink.Add(node, Known.First, Object());
            last = node;
        }
        if (last != 0)
            _sink.Add(last, Known.Rest, Known.Nil);
        _lexer.Next();
        _depth--;
        return first;
    }

    private int Literal(int datatype)
    {
        var id = _terms.Intern(TermKind.Literal, _lexer.Value, datatype);
        _lexer.Next();
        return id;
    }

    private int StringLiteral()
    {
        // The lexer's value goes with the next token.
        var length = _lexer.Value.Length;
        _lexer.Value.CopyTo(Scratch(length));
        switch (_lexer.Next())
        {
            case Token.At:
                var id = _terms.InternLanguage(_scratch.AsSpan(0, length), _lexer.Value);
                _lexer.Next();
                return id;
            case Token.Datatype:
                if (_lexer.Next() is not (Token.Iri or Token.PrefixedName))
                    throw _lexer.Unexpected("the IRI of a datatype after '^^'");
                var datatype = _prefixes.Iri(_lexer, _terms);
                _lexer.Next();
                return _terms.Intern(TermKind.Literal, _scratch.AsSpan(0, length), datatype);
            default:
                return _terms.Intern(TermKind.Literal, _scratch.AsSpan(0, length), Known.String);
        }
    }

    private void Deeper()
    {
        if (++_depth > DeepestNesting)
            throw _lexer.Wrong($"collections and blank nodes are nested more than {DeepestNesting} deep");
    }

    private bool Take(Token token)
    {
        if (_lexer.Kind != token)
            return false;
        _lexer.Next();
        return true;
    }

    private void Expect(Token token, string expected)
    {
        if (_lexer.Kind != token)
            throw _lexer.Unexpected(expected);
        _lexer.Next();
    }

    private Span<byte> Scratch(int length)
    {
        if (length > _scratch.Length)
            _scratch = new byte[Math.Max(length, _scratch.Length * 2)];
        return _scratch.AsSpan(0, length);
    }
}

internal static class BlankScope
{
    /// <summary>The beginning of every label of a scope's blank nodes: letters and digits.</summary>
    public static byte[] Of(string scope)
    {
        var hash = System.Security.Cryptography.SHA256.HashData(MemoryMarshal.AsBytes(scope.AsSpan()));
        return Encoding.ASCII.GetBytes("d" + Convert.ToHexStringLower(hash.AsSpan(0, 5)));
    }
}
