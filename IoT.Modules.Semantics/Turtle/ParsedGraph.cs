using System.Buffers;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>The triples of a document, with terms of its own.</summary>
internal sealed class ParsedGraph
{
    private int[] _triples = new int[96];
    private int _length;

    public TermDictionary Terms { get; } = new(withNumbers: false);

    /// <summary>As written: the same one may stand there twice.</summary>
    public int Count => _length / 3;

    /// <summary>Subject, predicate, object, and so on.</summary>
    public ReadOnlySpan<int> Ids => _triples.AsSpan(0, _length);

    public IEnumerable<Triple> Triples
    {
        get
        {
            for (var i = 0; i < _length; i += 3)
                yield return new Triple(Terms[_triples[i]], Terms[_triples[i + 1]], Terms[_triples[i + 2]]);
        }
    }

    public void Add(int subject, int predicate, int @object)
    {
        if (_length + 3 > _triples.Length)
            Array.Resize(ref _triples, _triples.Length * 2);
        _triples[_length] = subject;
        _triples[_length + 1] = predicate;
        _triples[_length + 2] = @object;
        _length += 3;
    }

    public void WriteNTriples(IBufferWriter<byte> target)
    {
        for (var i = 0; i < _length; i += 3)
            NTriplesWriter.Write(target, Terms, new TripleId(_triples[i], _triples[i + 1], _triples[i + 2]));
    }
}

/// <summary>A document's triples, or what is wrong with it.</summary>
internal readonly record struct TurtleResult(ParsedGraph? Graph, SyntaxError? Error);
