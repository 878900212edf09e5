using System.Runtime.InteropServices;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;

namespace IoT.Modules.Semantics.Engine;

/// <summary>A triple of a document.</summary>
internal readonly record struct AssertedFact(int Subject, int Predicate, int Object) : IBulkFact<AssertedFact>
{
    public bool IsNews(in Row row) => true;

    public void Join(in AssertedFact again)
    {
        // A document asserts a fact once, however often it is written.
    }

    public Row AsRow(int stamp) => new() { S = Subject, P = Predicate, O = Object, Stamp = Row.Hidden, Info = (Row.Created | Row.Logged) + 1 };
}

/// <summary>The triples of a model that has been read. Keeps its terms in the dictionary until it is put or disposed of.</summary>
internal sealed class FactDocument : ITripleSink, IDisposable
{
    private readonly List<AssertedFact> _facts = [];
    private readonly IDisposable _lease;

    private FactDocument(string name, TermDictionary terms) => (Name, _lease) = (name, terms.Lease());

    public string Name { get; }

    /// <summary>Triples, as often as they are written.</summary>
    public int Count => _facts.Count;

    public ReadOnlySpan<int> Terms => MemoryMarshal.Cast<AssertedFact, int>(CollectionsMarshal.AsSpan(_facts));

    public List<AssertedFact> Facts => _facts;

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

    public void Add(int subject, int predicate, int @object) => _facts.Add(new AssertedFact(subject, predicate, @object));

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
