using System.Text;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;

namespace IoT.Modules.Semantics.Rules;

/// <summary>Rules in the subset of Notation3 that docs/rules.md describes. What it doesn't know it names, with its place.</summary>
internal sealed partial class RuleParser
{
    private const int DeepestNesting = 100;

    private readonly string _document;
    private readonly Lexer _lexer;
    private readonly PrefixTable _prefixes;
    private readonly string _scope;
    private readonly List<Rule> _rules = [];
    private readonly List<Triple> _facts = [];
    private int _fresh;
    private int _depth;
    private int _lastLine;

    private RuleParser(string document, ReadOnlyMemory<byte> text, string? baseIri)
    {
        _document = document;
        _lexer = new Lexer(text, isN3: true) { KeepsComments = true };
        _prefixes = new PrefixTable(baseIri);
        _scope = Encoding.ASCII.GetString(BlankScope.Of("rules " + document));
    }

    /// <summary>Reads a document; null and what is wrong when it can't be read or a rule can't be used.</summary>
    public static RuleSet? Parse(string name, ReadOnlyMemory<byte> text, string? baseIri, out SyntaxError? error)
    {
        try
        {
            error = null;
            return new RuleParser(name, text, baseIri).Run();
        }
        catch (SyntaxException exception)
        {
            error = exception.Error;
            return null;
        }
    }

    private RuleSet Run()
    {
        _lexer.Next();
        while (_lexer.Kind != Token.End)
            Statement();
        Unused(TakeNotes());
        return new RuleSet(_document, _rules, _facts);
    }

    private void Statement()
    {
        var (line, column) = (_lexer.Line, _lexer.Column);
        var notes = TakeNotes();
        if (ReadDirective())
        {
            Unused(notes);
            return;
        }
        var triples = new List<Statement3>();
        // A rule may begin with `true`: its head holds whatever else does.
        var subject = ReadTerm(triples);
        if (_lexer.Kind is Token.Implies or Token.ImpliedBy || (IsWord(subject, "true") && _lexer.Kind != Token.Dot) || (subject is N3Formula && _lexer.Kind is Token.Iri or Token.PrefixedName))
            ReadRule(subject, triples, line, column, notes);
        else
        {
            Unused(notes);
            if (!(triples.Count > 0 && _lexer.Kind == Token.Dot))
                ReadProperties(subject, triples);
            AddFacts(triples);
        }
        End("'.'");
    }

    private void ReadRule(N3Term subject, List<Statement3> triples, int line, int column, RuleNotes notes)
    {
        var isForward = _lexer.Kind != Token.ImpliedBy;
        if (_lexer.Kind is Token.Iri or Token.PrefixedName)
        {
            if (_prefixes.Iri(_lexer) != Builtin.Log + "implies")
                throw _lexer.Wrong("a formula can only be the subject of a rule here (=>, <= or log:implies)");
        }
        else if (_lexer.Kind is not (Token.Implies or Token.ImpliedBy))
            throw _lexer.Unexpected("=>");
        _lexer.Next();
        var place = (_lexer.Line, _lexer.Column);
        var other = ReadTerm(triples);
        if (triples.Count > 0)
            throw Wrong(line, column, "[ ] and lists are not supported as a side of a rule");
        var (body, head) = isForward ? (subject, other) : (other, subject);
        AddRule(body, head, line, column, isForward ? place : (line, column), notes);
    }

    // Comments since the end of the statement before.
    private RuleNotes TakeNotes()
    {
        var notes = RuleNotes.Of(_lexer.Comments.Where(comment => comment.Line > _lastLine));
        _lexer.Comments.Clear();
        return notes;
    }

    private static void Unused(RuleNotes notes)
    {
        if (notes.Line is { } line)
            throw Wrong(line, 1, "the comment says something about a rule, and stands above none");
    }

    private bool ReadDirective()
    {
        switch (_lexer.Kind)
        {
            case Token.At when _lexer.Value.SequenceEqual("prefix"u8):
                _lexer.Next();
                _prefixes.ReadPrefix(_lexer);
                End("'.' after @prefix");
                return true;
            case Token.At when _lexer.Value.SequenceEqual("base"u8):
                _lexer.Next();
                _prefixes.ReadBase(_lexer);
                End("'.' after @base");
                return true;
            case Token.At:
                throw _lexer.Wrong($"@{Text()} is not supported; variables are written ?name");
            case Token.Word when Ascii.EqualsIgnoreCase(_lexer.Value, "prefix"u8):
                _lexer.Next();
                _prefixes.ReadPrefix(_lexer);
                return true;
            case Token.Word when Ascii.EqualsIgnoreCase(_lexer.Value, "base"u8):
                _lexer.Next();
                _prefixes.ReadBase(_lexer);
                return true;
            default:
                return false;
        }
    }

    private void End(string expected)
    {
        if (_lexer.Kind != Token.Dot)
            throw _lexer.Unexpected(expected);
        // Comments that come later on this line still belong to what stands before them.
        _lastLine = _lexer.Line;
        _lexer.Next();
    }

    private void ReadProperties(N3Term subject, List<Statement3> triples)
    {
        while (true)
        {
            var (line, column) = (_lexer.Line, _lexer.Column);
            var predicate = ReadVerb();
            do
            {
                var value = ReadTerm(triples);
                if (_lexer.Kind == Token.Path)
                    throw _lexer.Wrong($"paths ({_lexer.Describe()}) are not supported");
                triples.Add(new(subject, predicate, value, line, column));
            }
            while (Take(Token.Comma));
            if (_lexer.Kind != Token.Semicolon)
                return;
            while (Take(Token.Semicolon))
            {
                // Several in a row, and one at the end, are allowed.
            }
            if (_lexer.Kind is Token.Dot or Token.CloseBrace or Token.CloseBracket)
                return;
        }
    }

    private N3Term ReadVerb()
    {
        switch (_lexer.Kind)
        {
            case Token.Word when _lexer.Value is [(byte)'a']:
                _lexer.Next();
                return new N3Constant(Term.Iri(Rdf.Type));
            case Token.Word when _lexer.Value.SequenceEqual("is"u8) || _lexer.Value.SequenceEqual("has"u8):
                throw _lexer.Wrong($"'{Text()}' is not supported; write subject, predicate, object");
            case Token.Equals:
                _lexer.Next();
                return new N3Constant(Term.Iri("http://www.w3.org/2002/07/owl#sameAs"));
            case Token.Implies or Token.ImpliedBy:
                throw _lexer.Wrong("a rule within a formula is not supported");
            case Token.Iri or Token.PrefixedName or Token.Variable:
                return ReadTerm([]);
            case Token.BlankLabel or Token.OpenBracket or Token.OpenBrace or Token.OpenParenthesis:
                throw _lexer.Unexpected("a predicate (an IRI, a prefixed name, 'a' or a variable); others are not supported");
            default:
                throw _lexer.Unexpected("a predicate (an IRI, a prefixed name, 'a' or a variable)");
        }
    }

    private N3Term ReadTerm(List<Statement3> triples)
    {
        var term = ReadPlainTerm(triples);
        if (_lexer.Kind == Token.Path)
            throw _lexer.Wrong($"paths ({_lexer.Describe()}) are not supported");
        return term;
    }

    private N3Term ReadPlainTerm(List<Statement3> triples)
    {
        var text = Text();
        switch (_lexer.Kind)
        {
            case Token.Iri or Token.PrefixedName:
                return Next(new N3Constant(Term.Iri(_prefixes.Iri(_lexer))));
            case Token.Variable:
                return Next(new N3Variable(text));
            case Token.BlankLabel:
                return Next(new N3Blank(text));
            case Token.Integer:
                return Next(new N3Constant(Term.Literal(text, Xsd.Integer)));
            case Token.Decimal:
                return Next(new N3Constant(Term.Literal(text, Xsd.Decimal)));
            case Token.Double:
                return Next(new N3Constant(Term.Literal(text, Xsd.Double)));
            case Token.Word when text is "true" or "false":
                return Next(new N3Constant(Term.Literal(text, Xsd.Boolean)));
            case Token.String:
                return ReadString(text);
            case Token.OpenBracket:
                return ReadBracket(triples);
            case Token.OpenParenthesis:
                return ReadList(triples);
            case Token.OpenBrace:
                return ReadFormula();
            default:
                throw _lexer.Unexpected("a term (an IRI, a prefixed name, a variable, a blank node, a list, a literal or a formula)");
        }
    }

    private N3Constant ReadString(string text)
    {
        switch (_lexer.Next())
        {
            case Token.At:
                return Next(new N3Constant(Term.LanguageLiteral(text, Text())));
            case Token.Datatype:
                if (_lexer.Next() is not (Token.Iri or Token.PrefixedName))
                    throw _lexer.Unexpected("the IRI of a datatype after '^^'");
                return Next(new N3Constant(Term.Literal(text, _prefixes.Iri(_lexer))));
            default:
                return new N3Constant(Term.Literal(text));
        }
    }

    private N3Blank ReadBracket(List<Statement3> triples)
    {
        Deeper();
        _lexer.Next();
        var node = new N3Blank($"[{++_fresh}");
        if (_lexer.Kind != Token.CloseBracket)
            ReadProperties(node, triples);
        if (_lexer.Kind != Token.CloseBracket)
            throw _lexer.Unexpected("']'");
        _depth--;
        return Next(node);
    }

    private N3List ReadList(List<Statement3> triples)
    {
        Deeper();
        _lexer.Next();
        var items = new List<N3Term>();
        while (_lexer.Kind != Token.CloseParenthesis)
            items.Add(ReadTerm(triples));
        _depth--;
        return Next(new N3List(items));
    }

    private N3Formula ReadFormula()
    {
        Deeper();
        var (line, column) = (_lexer.Line, _lexer.Column);
        _lexer.Next();
        var triples = new List<Statement3>();
        while (_lexer.Kind != Token.CloseBrace)
        {
            if (_lexer.Kind is Token.At)
                throw _lexer.Wrong($"@{Text()} within a formula is not supported");
            var before = triples.Count;
            var subject = ReadTerm(triples);
            if (!(triples.Count > before && _lexer.Kind is Token.Dot or Token.CloseBrace))
                ReadProperties(subject, triples);
            if (_lexer.Kind == Token.CloseBrace)
                break;
            if (_lexer.Kind != Token.Dot)
                throw _lexer.Unexpected("'.' or '}'");
            _lexer.Next();
        }
        _depth--;
        return Next(new N3Formula(triples, line, column));
    }

    private void AddFacts(List<Statement3> triples)
    {
        foreach (var triple in triples)
        {
            if (triple.Subject is N3Constant { Value.Kind: TermKind.Literal })
                throw Wrong(triple.Line, triple.Column, "a literal can't be the subject of a fact");
            _facts.Add(new Triple(Ground(triple.Subject, triple), Ground(triple.Predicate, triple), Ground(triple.Object, triple)));
        }
    }

    private Term Ground(N3Term term, Statement3 at) => term switch
    {
        N3Constant constant => constant.Value,
        N3Blank blank => Term.Blank($"{_scope}{(blank.Label[0] == '[' ? "a" + blank.Label[1..] : "l" + blank.Label)}"),
        N3Variable variable => throw Wrong(at.Line, at.Column, $"the variable ?{variable.Name} stands outside of a rule"),
        N3List { Items.Count: 0 } => Term.Iri(Rdf.Nil),
        N3List list => GroundList(list, at),
        _ => throw Wrong(at.Line, at.Column, "a formula in a fact is not supported"),
    };

    private Term GroundList(N3List list, Statement3 at)
    {
        var rest = Term.Iri(Rdf.Nil);
        foreach (var item in list.Items.Reverse())
        {
            var node = Term.Blank($"{_scope}p{++_fresh}");
            _facts.Add(new Triple(node, Term.Iri(Rdf.First), Ground(item, at)));
            _facts.Add(new Triple(node, Term.Iri(Rdf.Rest), rest));
            rest = node;
        }
        return rest;
    }

    private static bool IsWord(N3Term term, string word) => term is N3Constant { Value: { Kind: TermKind.Literal, Datatype: Xsd.Boolean } value } && value.Value == word;

    private T Next<T>(T term)
    {
        _lexer.Next();
        return term;
    }

    private bool Take(Token token)
    {
        if (_lexer.Kind != token)
            return false;
        _lexer.Next();
        return true;
    }

    private void Deeper()
    {
        if (++_depth > DeepestNesting)
            throw _lexer.Wrong($"formulas, lists and blank nodes are nested more than {DeepestNesting} deep");
    }

    private string Text() => Encoding.UTF8.GetString(_lexer.Value);

    private static SyntaxException Wrong(int line, int column, string message) => new(new SyntaxError(line, column, message));

    private abstract record N3Term;

    private sealed record N3Constant(Term Value) : N3Term;

    private sealed record N3Variable(string Name) : N3Term;

    private sealed record N3Blank(string Label) : N3Term;

    private sealed record N3List(IReadOnlyList<N3Term> Items) : N3Term;

    private sealed record N3Formula(IReadOnlyList<Statement3> Triples, int Line, int Column) : N3Term;

    private sealed record Statement3(N3Term Subject, N3Term Predicate, N3Term Object, int Line, int Column);
}
