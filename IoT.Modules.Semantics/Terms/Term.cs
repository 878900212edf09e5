using System.Globalization;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

internal enum TermKind : byte
{
    Iri,
    Blank,
    Literal,

    /// <summary>What <c>log:collectAllIn</c> yields, and lists written in rules; never part of a fact.</summary>
    List,

    /// <summary>Only inside the dictionary: a language tag.</summary>
    Language,
}

/// <summary>A term by its index in the <see cref="TermDictionary"/>; 0 is no term. Of an IRI it stays the same as long as the process lives.</summary>
internal readonly record struct TermId(int Value)
{
    public bool IsNone => Value == 0;
}

/// <summary>A term spelled out.</summary>
/// <param name="Value">IRI, label of a blank node without <c>_:</c>, or lexical form.</param>
/// <param name="Datatype">IRI of a literal's datatype; null for other terms.</param>
/// <param name="Language">Language tag of a literal, as written; null without.</param>
internal sealed record Term(TermKind Kind, string Value, string? Datatype = null, string? Language = null)
{
    public static Term Iri(string iri) => new(TermKind.Iri, iri);

    public static Term Blank(string label) => new(TermKind.Blank, label);

    public static Term Literal(string lexical, string datatype = Xsd.String) => new(TermKind.Literal, lexical, datatype);

    public static Term LanguageLiteral(string lexical, string language) => new(TermKind.Literal, lexical, Rdf.LangString, language);

    public static Term Integer(long value) => new(TermKind.Literal, value.ToString(CultureInfo.InvariantCulture), Xsd.Integer);

    public static Term Boolean(bool value) => new(TermKind.Literal, value ? "true" : "false", Xsd.Boolean);

    /// <summary>The N-Triples form.</summary>
    public override string ToString()
    {
        var bytes = new System.Buffers.ArrayBufferWriter<byte>();
        NTriplesWriter.Write(bytes, this);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}

/// <summary>A triple spelled out.</summary>
internal readonly record struct Triple(Term Subject, Term Predicate, Term Object)
{
    public override string ToString() => $"{Subject} {Predicate} {Object} .";
}

/// <summary>A triple by its terms' indexes.</summary>
internal readonly record struct TripleId(TermId Subject, TermId Predicate, TermId Object)
{
    public TripleId(int subject, int predicate, int @object)
        : this(new TermId(subject), new TermId(predicate), new TermId(@object))
    {
    }
}
