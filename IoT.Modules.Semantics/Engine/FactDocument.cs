using System.Runtime.InteropServices;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;

namespace IoT.Modules.Semantics.Engine;

/// <summary>The triples of a model that has been read. Keeps its terms in the dictionary until it is put or disposed of.</summary>
internal sealed class FactDocument : ITripleSink, IDisposable
{
    private readonly List<int> _terms = [];
    private readonly IDisposable _lease;

    private FactDocument(string name, TermDictionary terms) => (Name, _lease) = (name, terms.Lease());

    public string Name { get; }

    /// <summary>Triples, as often as they are written.</summary>
    public int Count => _terms.Count / 3;

    public ReadOnlySpan<int> Terms => CollectionsMarshal.AsSpan(_terms);

    /// <summary>Reads Turtle; null and what is wrong when it isn't.</summary>
    public static FactDocument? Parse(TermDictionary terms, string name, ReadOnlyMemory<byte> text, string? baseIri, out SyntaxError? error, CancellationToken cancellationToken) =>
        Parse(terms, name, document => TurtleParser.Parse(terms, name, text, baseIri, document, cancellationToken), out error);

    public static FactDocument? Parse(TermDictionary terms, string name, Stream text, string? baseIri, out SyntaxError? error, CancellationToken cancellationToken) =>
        Parse(terms, name, document => TurtleParser.Parse(terms, name, text, baseIri, document, cancellationToken), out error);

    /// <summary>From triples at hand.</summary>
    public static FactDocument Of(TermDictionary terms, string name, IEnumerable<Triple> triples)
    {
        var document = new FactDocument(name, terms);
        foreach (var triple in triples)
            document.Add(terms.Add(triple.Subject), terms.Add(triple.Predicate), terms.Add(triple.Object));
        return document;
    }

    public void Add(int subject, int predicate, int @object)
    {
        _terms.Add(subject);
        _terms.Add(predicate);
        _terms.Add(@object);
    }

    public void Dispose() => _lease.Dispose();

    private static FactDocument? Parse(TermDictionary terms, string name, Action<FactDocument> parse, out SyntaxError? error)
    {
        var document = new FactDocument(name, terms);
        try
        {
            error = null;
            parse(document);
            return document;
        }
        catch (SyntaxException exception)
        {
            document.Dispose();
            error = exception.Error;
            return null;
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }
}
