using System.Text;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>RFC 3986, section 5.2: a reference and its base become an IRI. No normalisation beyond that.</summary>
internal static class IriReference
{
    private sealed record Parts(string Scheme, string? Authority, string Path, string? Query, string? Fragment);

    /// <summary>Whether it starts with a scheme.</summary>
    public static bool IsAbsolute(ReadOnlySpan<byte> iri)
    {
        for (var i = 0; i < iri.Length; i++)
        {
            var c = iri[i];
            if (c == ':')
                return i > 0;
            if (!((uint)((c | 0x20) - 'a') < 26 || (i > 0 && (Characters.IsDigit(c) || c is (byte)'+' or (byte)'-' or (byte)'.'))))
                return false;
        }
        return false;
    }

    public static string Resolve(string @base, string reference)
    {
        var (b, r) = (Split(@base), Split(reference));
        if (r.Scheme.Length > 0)
            return reference;
        if (r.Authority is not null)
            return Join(r with { Scheme = b.Scheme, Path = RemoveDots(r.Path) });
        if (r.Path.Length == 0)
            return Join(b with { Query = r.Query ?? b.Query, Fragment = r.Fragment });
        var path = r.Path[0] == '/' ? r.Path
            : b.Authority is not null && b.Path.Length == 0 ? $"/{r.Path}"
            : string.Concat(b.Path.AsSpan(0, b.Path.LastIndexOf('/') + 1), r.Path);
        return Join(new Parts(b.Scheme, b.Authority, RemoveDots(path), r.Query, r.Fragment));
    }

    private static string Join(Parts parts)
    {
        var text = new StringBuilder(parts.Scheme).Append(':');
        if (parts.Authority is not null)
            text.Append("//").Append(parts.Authority);
        text.Append(parts.Path);
        if (parts.Query is not null)
            text.Append('?').Append(parts.Query);
        if (parts.Fragment is not null)
            text.Append('#').Append(parts.Fragment);
        return text.ToString();
    }

    private static Parts Split(string iri)
    {
        var scheme = "";
        string? authority = null, query = null, fragment = null;
        if (IsAbsolute(Encoding.UTF8.GetBytes(iri)))
        {
            scheme = iri[..iri.IndexOf(':', StringComparison.Ordinal)];
            iri = iri[(scheme.Length + 1)..];
        }
        if (iri.IndexOf('#', StringComparison.Ordinal) is var hash and >= 0)
            (fragment, iri) = (iri[(hash + 1)..], iri[..hash]);
        if (iri.IndexOf('?', StringComparison.Ordinal) is var mark and >= 0)
            (query, iri) = (iri[(mark + 1)..], iri[..mark]);
        if (iri.StartsWith("//", StringComparison.Ordinal))
        {
            var slash = iri.IndexOf('/', 2);
            (authority, iri) = slash < 0 ? (iri[2..], "") : (iri[2..slash], iri[slash..]);
        }
        return new Parts(scheme, authority, iri, query, fragment);
    }

    private static string RemoveDots(ReadOnlySpan<char> path)
    {
        if (path.IndexOf('.') < 0)
            return path.ToString();
        var output = new StringBuilder(path.Length);
        while (path.Length > 0)
        {
            if (path.StartsWith("../"))
                path = path[3..];
            else if (path.StartsWith("./") || path.StartsWith("/./"))
                path = path[2..];
            else if (path is "/.")
                path = "/";
            else if (path.StartsWith("/../") || path is "/..")
            {
                path = path.Length == 3 ? "/" : path[3..];
                var last = output.Length - 1;
                while (last > 0 && output[last] != '/')
                    last--;
                output.Length = Math.Max(0, last);
            }
            else if (path is "." or "..")
                path = [];
            else
            {
                var next = path[1..].IndexOf('/');
                var segment = next < 0 ? path : path[..(next + 1)];
                output.Append(segment);
                path = path[segment.Length..];
            }
        }
        return output.ToString();
    }
}
