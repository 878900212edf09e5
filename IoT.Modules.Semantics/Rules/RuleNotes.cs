using System.Globalization;
using IoT.Modules.Semantics.Turtle;

namespace IoT.Modules.Semantics.Rules;

/// <summary>What the comments above a rule say: <c># @name</c>, <c># @confidence</c>, <c># @for</c>, <c># @clear-after</c>.</summary>
internal sealed class RuleNotes
{
    private const int LongestName = 200;

    private static readonly TimeSpan LongestTime = TimeSpan.FromDays(365);

    public string? Name { get; private set; }

    public double Confidence { get; private set; } = 1;

    public TimeSpan For { get; private set; }

    public TimeSpan ClearAfter { get; private set; }

    /// <summary>Where the first one stands; null when there is none.</summary>
    public int? Line { get; private set; }

    /// <exception cref="SyntaxException">A note is not known, stands twice, or has a value that makes no sense.</exception>
    public static RuleNotes Of(IEnumerable<(int Line, string Text)> comments)
    {
        var notes = new RuleNotes();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (line, comment) in comments)
        {
            var text = comment.Trim();
            if (!text.StartsWith('@'))
                continue;
            var parts = text.Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            // A directive that someone has commented out.
            if (parts[0] is "@prefix" or "@base")
                continue;
            notes.Take(parts[0], parts.Length > 1 ? parts[1] : "", line);
            if (!seen.Add(parts[0]))
                throw Wrong(line, $"{parts[0]} stands twice above one rule");
            notes.Line ??= line;
        }
        return notes;
    }

    private void Take(string note, string value, int line)
    {
        switch (note)
        {
            case "@name":
                Name = value.Length is > 0 and <= LongestName ? value : throw Wrong(line, $"expected a name of 1 to {LongestName} characters after @name");
                break;
            case "@confidence":
                Confidence = double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var degree) && degree is > 0 and <= 1
                    ? degree
                    : throw Wrong(line, $"expected a number above 0 and at most 1 after @confidence, found '{value}'");
                break;
            case "@for":
                For = Time(note, value, line);
                break;
            case "@clear-after":
                ClearAfter = Time(note, value, line);
                break;
            default:
                throw Wrong(line, $"{note} in a comment is not supported; there are @name, @confidence, @for and @clear-after");
        }
    }

    private static TimeSpan Time(string note, string value, int line)
    {
        var digits = value.TakeWhile(char.IsAsciiDigit).Count();
        double? unit = value[digits..] switch { "ms" => 0.001, "s" => 1, "m" => 60, "h" => 3_600, "d" => 86_400, _ => null };
        return unit is not null && digits is > 0 and <= 9 && int.Parse(value[..digits], CultureInfo.InvariantCulture) * unit.Value is var seconds && seconds <= LongestTime.TotalSeconds
            ? TimeSpan.FromSeconds(seconds)
            : throw Wrong(line, $"expected a time of at most {LongestTime.TotalDays:0} days such as 500ms, 30s, 5m, 2h or 1d after {note}, found '{value}'");
    }

    private static SyntaxException Wrong(int line, string message) => new(new SyntaxError(line, 1, message));
}
