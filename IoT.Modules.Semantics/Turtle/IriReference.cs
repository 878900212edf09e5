using System.Text;

namespace IoT.Modules.Semantics.Turtle;

/// <summary>References against a base, RFC 3986 section 5.2. An IRI with a scheme is left as it is.</summary>
internal sealed class IriReference
{
    private readonly string _scheme;
    private readonly string? _authority;
    private readonly string _path;
    private readonly string? _query;

    public IriReference(string baseIri)
    {
        var colon = SchemeLength(Encoding.UTF8.GetBytes(baseIri));
        if (colon <= 0)
            throw new ArgumentException("a base needs a scheme", nameof(baseIri));
        _scheme = baseIri[..colon];
        (_authority, _path, _query, _) = Split(baseIri[(colon + 1)..]);
    }

    /// <summary>Length of the scheme before the colon; 0 when there is none.</summary>
    public static int SchemeLength(ReadOnlySpan<byte> reference)
    {
        if (reference.IsEmpty || !char.IsAsciiLetter((char)reference[0]))
            return 0;
        for (var i = 1; i < reference.Length; i++)
        {
            var c = (char)reference[i];
            if (c == ':')
                return i;
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('+' or '-' or '.'))
                return 0;
        }
        return 0;
    }

    public string Resolve(string reference)
    {
        var (authority, path, query, fragment) = Split(reference);
        if (authority is not null)
            path = WithoutDots(path);
        else
        {
            authority = _authority;
            if (path.Length == 0)
            {
                path = _path;
                query ??= _query;
            }
            else
                path = WithoutDots(path[0] == '/' ? path : Merged(path));
        }
        var text = new StringBuilder(_scheme).Append(':');
        if (authority is not null)
            text.Append("//").Append(authority);
        text.Append(path);
        if (query is not null)
            text.Append('?').Append(query);
        if (fragment is not null)
            text.Append('#').Append(fragment);
        return text.ToString();
    }

    private string Merged(string path)
    {
        if (_authority is not null && _path.Length == 0)
            return "/" + path;
        return _path[..(_path.LastIndexOf('/') + 1)] + path;
    }

    private static (string? Authority, string Path, string? Query, string? Fragment) Split(string rest)
    {
        string? authority = null, query = null, fragment = null;
        if (rest.IndexOf('#', StringComparison.Ordinal) is var hash and >= 0)
            (rest, fragment) = (rest[..hash], rest[(hash + 1)..]);
        if (rest.IndexOf('?', StringComparison.Ordinal) is var mark and >= 0)
            (rest, query) = (rest[..mark], rest[(mark + 1)..]);
        if (rest.StartsWith("//", StringComparison.Ordinal))
        {
            var slash = rest.IndexOf('/', 2);
            (authority, rest) = slash < 0 ? (rest[2..], "") : (rest[2..slash], rest[slash..]);
        }
        return (authority, rest, query, fragment);
    }

    private static string WithoutDots(string path)
    {
        if (!path.Contains("./", StringComparison.Ordinal) && !path.EndsWith('.'))
            return path;
        var kept = new List<string>();
        var segments = path.Split('/');
        for (var i = 0; i < segments.Length; i++)
        {
            var isLast = i == segments.Length - 1;
            switch (segments[i])
            {
                case ".":
                    if (isLast)
                        kept.Add("");
                    break;
                case "..":
                    if (kept.Count > 1 || (kept.Count == 1 && kept[0].Length > 0))
                        kept.RemoveAt(kept.Count - 1);
                    if (isLast)
                        kept.Add("");
                    break;
                default:
                    kept.Add(segments[i]);
                    break;
            }
        }
        return string.Join('/', kept);
    }
}
