using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;
using IoT.Tests.Support;

namespace IoT.Tests.Semantics.Turtle;

/// <summary>The cases beside this file, and what our parser makes of a document.</summary>
internal static partial class TurtleCases
{
    public const string Base = "http://e/dir/doc";

    /// <summary>Cases of a file: the line after <c>===</c>, and what follows it.</summary>
    public static IEnumerable<(string Title, string Text)> Read(string file, string folder = "Turtle")
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "IoT.Tests", "Semantics", folder, file));
        foreach (var part in text.Split("\n=== ")[1..])
        {
            var end = part.IndexOf('\n', StringComparison.Ordinal);
            yield return (part[..end], part[(end + 1)..]);
        }
    }

    /// <summary>N-Triples as the parser gives them, blank nodes numbered as they appear; or what is wrong.</summary>
    public static (List<string>? Triples, SyntaxError? Error) Parse(ReadOnlyMemory<byte> document, string? baseIri)
    {
        var sink = new Collector();
        try
        {
            TurtleParser.Parse(sink.Terms, "test", document, baseIri, sink, CancellationToken.None);
        }
        catch (SyntaxException exception)
        {
            return (null, exception.Error);
        }
        return (Numbered(sink.Lines), null);
    }

    public static (List<string>? Triples, SyntaxError? Error) Parse(Stream document, string? baseIri)
    {
        var sink = new Collector();
        try
        {
            TurtleParser.Parse(sink.Terms, "test", document, baseIri, sink, CancellationToken.None);
        }
        catch (SyntaxException exception)
        {
            return (null, exception.Error);
        }
        return (Numbered(sink.Lines), null);
    }

    /// <summary>The lines of a case as N-Triples: names spelled out, and escaped only what our writer escapes.</summary>
    public static List<string> Expected(string lines) =>
        [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Escape().Replace(Name().Replace(line, Spell), Unescape))];

    private static string Spell(Match match) => match.Groups[1].Value switch
    {
        "e" => $"<http://e/{match.Groups[2].Value}>",
        "r" => $"<{Rdf.Namespace}{match.Groups[2].Value}>",
        _ => $"<{Xsd.Namespace}{match.Groups[2].Value}>",
    };

    private static string Unescape(Match match) => match.Value[1] switch
    {
        't' => "\t",
        'b' => "\b",
        'f' => "\f",
        'u' => ((char)int.Parse(match.ValueSpan[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString(),
        _ => match.Value,
    };

    private static List<string> Numbered(List<string> lines)
    {
        var numbers = new Dictionary<string, string>(StringComparer.Ordinal);
        return [.. lines.Select(line => Label().Replace(line, match =>
        {
            if (!numbers.TryGetValue(match.Value, out var number))
                numbers.Add(match.Value, number = string.Create(CultureInfo.InvariantCulture, $"_:{numbers.Count + 1}"));
            return number;
        }))];
    }

    [GeneratedRegex("(?<=^| |\\^\\^)([erx]):([A-Za-z]*)(?= )")]
    private static partial Regex Name();

    [GeneratedRegex(@"\\(u[0-9A-F]{4}|.)")]
    private static partial Regex Escape();

    [GeneratedRegex("(?<=^| )_:[^ ]+(?= )")]
    private static partial Regex Label();

    private sealed class Collector : ITripleSink
    {
        public TermDictionary Terms { get; } = new();

        public List<string> Lines { get; } = [];

        public void Add(int subject, int predicate, int @object)
        {
            var line = new System.Buffers.ArrayBufferWriter<byte>();
            NTriplesWriter.Write(line, Terms, new TripleId(subject, predicate, @object));
            Lines.Add(Encoding.UTF8.GetString(line.WrittenSpan).TrimEnd('\n'));
        }
    }
}
