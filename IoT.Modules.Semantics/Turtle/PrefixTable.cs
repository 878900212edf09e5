using System.Text;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>Prefixes and base of a document, and IRIs made with them.</summary>
internal sealed class PrefixTable(string? baseIri)
{
    private const int CacheSize = 1 << 12;

    private readonly List<(byte[] Name, byte[] Iri)> _prefixes = [];
    private readonly (byte[] Token, int Id)[] _cache = new (byte[], int)[CacheSize];
    private IriReference? _base = baseIri is null ? null : new IriReference(baseIri);
    private byte[] _scratch = new byte[256];

    /// <summary>The prefixes with their namespaces.</summary>
    public IEnumerable<(string Name, string Iri)> All => _prefixes.Select(p => (Encoding.UTF8.GetString(p.Name), Encoding.UTF8.GetString(p.Iri)));

    /// <summary>Reads <c>p: &lt;iri&gt;</c> after the keyword.</summary>
    public void ReadPrefix(Lexer lexer)
    {
        if (lexer.Kind != Token.PrefixedName || lexer.Local.Length > 0)
            throw lexer.Unexpected("a prefix that ends in ':'");
        var name = lexer.Prefix.ToArray();
        if (lexer.Next() != Token.Iri)
            throw lexer.Unexpected("an IRI in '<' and '>'");
        var iri = Resolved(lexer).ToArray();
        lexer.Next();
        _prefixes.RemoveAll(p => p.Name.AsSpan().SequenceEqual(name));
        _prefixes.Add((name, iri));
        Array.Clear(_cache);
    }

    /// <summary>Reads <c>&lt;iri&gt;</c> after the keyword.</summary>
    public void ReadBase(Lexer lexer)
    {
        if (lexer.Kind != Token.Iri)
            throw lexer.Unexpected("an IRI in '<' and '>'");
        _base = new IriReference(Encoding.UTF8.GetString(Resolved(lexer)));
        lexer.Next();
    }

    /// <summary>The IRI that the current token, an IRI or a prefixed name, stands for.</summary>
    public int Iri(Lexer lexer, TermDictionary terms)
    {
        if (lexer.Kind == Token.Iri)
            return terms.Intern(TermKind.Iri, Resolved(lexer), 0);
        var token = lexer.Value;
        // Most names come again soon; the same bytes mean the same as long as no prefix changes.
        ref var cached = ref _cache[Slot(token)];
        if (cached.Token is not null && token.SequenceEqual(cached.Token))
            return cached.Id;
        var id = terms.Intern(TermKind.Iri, Expanded(lexer), 0);
        if (cached.Token is { } kept && kept.Length == token.Length)
            token.CopyTo(kept);
        else
            cached.Token = token.ToArray();
        cached.Id = id;
        return id;
    }

    /// <summary>The same as text.</summary>
    public string Iri(Lexer lexer) => Encoding.UTF8.GetString(lexer.Kind == Token.Iri ? Resolved(lexer) : Expanded(lexer));

    private ReadOnlySpan<byte> Resolved(Lexer lexer)
    {
        var reference = lexer.Value;
        if (IriReference.SchemeLength(reference) > 0)
            return reference;
        return Encoding.UTF8.GetBytes((_base ?? throw lexer.Wrong("a relative IRI, and no base is declared")).Resolve(Encoding.UTF8.GetString(reference)));
    }

    private ReadOnlySpan<byte> Expanded(Lexer lexer)
    {
        var prefix = lexer.Prefix;
        foreach (var (name, iri) in _prefixes)
        {
            if (!prefix.SequenceEqual(name))
                continue;
            var local = lexer.Local.Length;
            if (iri.Length + local > _scratch.Length)
                _scratch = new byte[(iri.Length + local) * 2];
            iri.CopyTo(_scratch, 0);
            lexer.Local.CopyTo(_scratch.AsSpan(iri.Length));
            return _scratch.AsSpan(0, iri.Length + local);
        }
        throw lexer.Wrong($"the prefix '{Encoding.UTF8.GetString(prefix)}:' is not declared");
    }

    private static int Slot(ReadOnlySpan<byte> token)
    {
        var hash = (uint)token.Length;
        foreach (var c in token.Length > 12 ? token[^12..] : token)
            hash = (hash * 31) + c;
        return (int)((hash ^ (hash >> 12)) & (CacheSize - 1));
    }
}
