using System.Globalization;

namespace IoT.Benchmarks.Runner;

/// <summary>What the command line asks for.</summary>
internal sealed class BenchOptions
{
    public const string Usage =
        """
        usage: ./bench [name…] [options]
          --quick             small counts, about a minute: ratios, not figures to quote
          --case=NAME         only this case (several: give it again)
          --messages=N        readings of each throughput case
          --backlog=N         readings of the backlog that is drained
          --memory=N          readings of the memory case
          --rows=N            readings in the large table of the storage cases
          --seconds=N         length of the timed cases
          --keep              keep the hosts' logs and data, and say where
        """;

    private readonly List<string> _cases = [];

    public IReadOnlyList<string> Names { get; private set; } = [];

    public bool CheckOnly { get; private set; }

    public bool IsHelp { get; private set; }

    public bool IsQuick { get; private set; }

    public bool Keep { get; private set; }

    public int? Messages { get; private set; }

    public int? Backlog { get; private set; }

    public int? Memory { get; private set; }

    public int? Rows { get; private set; }

    public int? Seconds { get; private set; }

    /// <summary>Whether a case is to run; all when none is named.</summary>
    public bool Wants(params IEnumerable<string> cases) => _cases.Count == 0 || cases.Any(_cases.Contains);

    /// <summary>What is wrong with the arguments; null when nothing is.</summary>
    public static string? Parse(string[] arguments, IReadOnlyCollection<string> known, out BenchOptions options)
    {
        options = new BenchOptions();
        var names = new List<string>();
        foreach (var argument in arguments)
        {
            if (!argument.StartsWith('-'))
            {
                if (!known.Contains(argument))
                    return $"there is no benchmark {argument}; there are: {string.Join(", ", known)}";
                names.Add(argument);
            }
            else if (!options.Take(argument))
                return $"{argument} is not understood{Environment.NewLine}{Usage}";
        }
        options.Names = names.Count == 0 ? [.. known] : names;
        return null;
    }

    private bool Take(string argument)
    {
        var parts = argument.Split('=', 2);
        var number = 0;
        if (parts.Length == 2 && parts[0] != "--case" && (!int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out number) || number < 1))
            return false;
        switch (parts[0], parts.Length)
        {
            case ("--check", 1): CheckOnly = true; return true;
            case ("--help", 1): IsHelp = true; return true;
            case ("--quick", 1): IsQuick = true; return true;
            case ("--keep", 1): Keep = true; return true;
            case ("--case", 2): _cases.Add(parts[1]); return true;
            case ("--messages", 2): Messages = number; return true;
            case ("--backlog", 2): Backlog = number; return true;
            case ("--memory", 2): Memory = number; return true;
            case ("--rows", 2): Rows = number; return true;
            case ("--seconds", 2): Seconds = number; return true;
            default: return false;
        }
    }
}
