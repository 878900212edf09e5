using System.Buffers;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

/// <summary>Canonical N-Triples, UTF-8.</summary>
internal static class NTriplesWriter
{
    private static readonly SearchValues<byte> Escaped = SearchValues.Create("\"\\\n\r"u8);

    public static void Write(IBufferWriter<byte> output, TermDictionary terms, TripleId triple)
    {
        Write(output, terms, triple.Subject);
        output.Write(" "u8);
        Write(output, terms, triple.Predicate);
        output.Write(" "u8);
        Write(output, terms, triple.Object);
        output.Write(" .\n"u8);
    }

    public static void Write(IBufferWriter<byte> output, in Triple triple)
    {
        Write(output, triple.Subject);
        output.Write(" "u8);
        Write(output, triple.Predicate);
        output.Write(" "u8);
        Write(output, triple.Object);
        output.Write(" .\n"u8);
    }

    public static void Write(IBufferWriter<byte> output, TermDictionary terms, TermId id)
    {
        var key = terms.Key(id.Value);
        switch (terms.Kind(id.Value))
        {
            case TermKind.Iri:
                WriteIri(output, key);
                break;
            case TermKind.Blank:
                output.Write("_:"u8);
                output.Write(key);
                break;
            case TermKind.Literal:
                var datatype = terms.Datatype(id.Value);
                WriteLiteral(output, key, datatype is Known.String or < 0 ? default : terms.Key(datatype), datatype < 0 ? terms.Key(~datatype) : default);
                break;
            default:
                output.Write("("u8);
                foreach (var item in terms.Items(id.Value))
                {
                    output.Write(" "u8);
                    Write(output, terms, new TermId(item));
                }
                output.Write(" )"u8);
                break;
        }
    }

    public static void Write(IBufferWriter<byte> output, Term term)
    {
        var key = Encoding.UTF8.GetBytes(term.Value);
        switch (term.Kind)
        {
            case TermKind.Iri:
                WriteIri(output, key);
                break;
            case TermKind.Literal:
                WriteLiteral(output, key, term.Language is not null || term.Datatype is null or Xsd.String ? default : Encoding.UTF8.GetBytes(term.Datatype), Encoding.UTF8.GetBytes(term.Language ?? ""));
                break;
            default:
                output.Write("_:"u8);
                output.Write(key);
                break;
        }
    }

    private static void WriteIri(IBufferWriter<byte> output, ReadOnlySpan<byte> iri)
    {
        output.Write("<"u8);
        output.Write(iri);
        output.Write(">"u8);
    }

    private static void WriteLiteral(IBufferWriter<byte> output, ReadOnlySpan<byte> lexical, ReadOnlySpan<byte> datatype, ReadOnlySpan<byte> language)
    {
        output.Write("\""u8);
        while (lexical.IndexOfAny(Escaped) is var at and >= 0)
        {
            output.Write(lexical[..at]);
            output.Write(lexical[at] switch
            {
                (byte)'"' => "\\\""u8,
                (byte)'\\' => "\\\\"u8,
                (byte)'\n' => "\\n"u8,
                _ => "\\r"u8,
            });
            lexical = lexical[(at + 1)..];
        }
        output.Write(lexical);
        output.Write("\""u8);
        if (!language.IsEmpty)
        {
            output.Write("@"u8);
            output.Write(language);
        }
        else if (!datatype.IsEmpty)
        {
            output.Write("^^"u8);
            WriteIri(output, datatype);
        }
    }
}
