using System.Buffers;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

/// <summary>Terms and triples in canonical N-Triples.</summary>
internal static class NTriplesWriter
{
    private static readonly SearchValues<byte> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\', 0x7F]);

    // IRIs can't hold these unescaped; they come out of \u escapes only.
    private static readonly SearchValues<byte> EscapedInIri = SearchValues.Create([.. Enumerable.Range(0, 0x21).Select(i => (byte)i), .. "<>\"{}|^`\\"u8]);

    public static void Write(IBufferWriter<byte> target, Term term)
    {
        var text = Encoding.UTF8.GetBytes(term.Value);
        switch (term.Kind)
        {
            case TermKind.Iri:
                Iri(target, text);
                break;
            case TermKind.Blank:
                target.Write("_:"u8);
                target.Write(text);
                break;
            case TermKind.Literal:
                Quoted(target, text);
                if (term.Language is not null)
                {
                    target.Write("@"u8);
                    target.Write(Encoding.UTF8.GetBytes(term.Language));
                }
                else if (term.Datatype is not null and not Xsd.String)
                {
                    target.Write("^^"u8);
                    Iri(target, Encoding.UTF8.GetBytes(term.Datatype));
                }
                break;
            default:
                throw new ArgumentException($"{term.Kind} has no N-Triples form", nameof(term));
        }
    }

    public static void Write(IBufferWriter<byte> target, TermDictionary terms, int id)
    {
        switch (terms.KindOf(id))
        {
            case TermKind.Iri:
                Iri(target, terms.Text(id));
                break;
            case TermKind.Blank:
                target.Write("_:"u8);
                target.Write(terms.Text(id));
                break;
            case TermKind.Literal:
                Quoted(target, terms.Text(id));
                var datatype = terms.DatatypeOf(id);
                if (datatype < 0)
                {
                    target.Write("@"u8);
                    target.Write(terms.Text(-datatype));
                }
                else if (datatype != Known.String)
                {
                    target.Write("^^"u8);
                    Iri(target, terms.Text(datatype));
                }
                break;
            default:
                throw new ArgumentException($"Term {id} has no N-Triples form", nameof(id));
        }
    }

    /// <summary>A line.</summary>
    public static void Write(IBufferWriter<byte> target, TermDictionary terms, TripleId triple)
    {
        Write(target, terms, triple.Subject.Value);
        target.Write(" "u8);
        Write(target, terms, triple.Predicate.Value);
        target.Write(" "u8);
        Write(target, terms, triple.Object.Value);
        target.Write(" .\n"u8);
    }

    private static void Iri(IBufferWriter<byte> target, ReadOnlySpan<byte> text)
    {
        target.Write("<"u8);
        while (text.IndexOfAny(EscapedInIri) is var at and >= 0)
        {
            target.Write(text[..at]);
            Hex(target, text[at]);
            text = text[(at + 1)..];
        }
        target.Write(text);
        target.Write(">"u8);
    }

    private static void Quoted(IBufferWriter<byte> target, ReadOnlySpan<byte> text)
    {
        target.Write("\""u8);
        while (text.IndexOfAny(Escaped) is var at and >= 0)
        {
            target.Write(text[..at]);
            switch (text[at])
            {
                case (byte)'"': target.Write("\\\""u8); break;
                case (byte)'\\': target.Write("\\\\"u8); break;
                case (byte)'\n': target.Write("\\n"u8); break;
                case (byte)'\r': target.Write("\\r"u8); break;
                case (byte)'\t': target.Write("\\t"u8); break;
                case (byte)'\b': target.Write("\\b"u8); break;
                case (byte)'\f': target.Write("\\f"u8); break;
                default: Hex(target, text[at]); break;
            }
            text = text[(at + 1)..];
        }
        target.Write(text);
        target.Write("\""u8);
    }

    private static void Hex(IBufferWriter<byte> target, byte value) => target.Write(Encoding.ASCII.GetBytes($"\\u{(int)value:X4}"));
}
