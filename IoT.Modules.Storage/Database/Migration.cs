using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace IoT.Modules.Storage.Database;

/// <summary>What a migration does to a table that may be large: says how long it takes.</summary>
/// <param name="Verb"><c>reads</c>, <c>rewrites</c> or <c>indexes</c>.</param>
internal sealed record MigrationCost(string Verb, string Table);

/// <summary>One statement of a migration beside ingest.</summary>
/// <param name="Table">Run for each partition of this table, with its name for <c>{partition}</c>; null: once.</param>
/// <param name="Without">Only for partitions without a part of this index.</param>
internal sealed record MigrationStep(string Sql, string? Table, string? Without);

/// <summary>
/// A numbered, embedded SQL file. It is applied in one transaction, before the host is ready. One that begins with
/// <c>-- beside ingest</c> is not: its steps (<c>-- step</c>, <c>-- step for each partition of TABLE [without INDEX]</c>) run one after
/// the other outside of transactions while readings come in, and may be run again. <c>-- reads|rewrites|indexes TABLE</c> tells preflight.
/// </summary>
internal sealed partial record Migration(int Version, string Name, string Sql)
{
    private const string Prefix = "IoT.Modules.Storage.Database.Migrations.";

    public static IReadOnlyList<Migration> Known { get; } = Load();

    /// <summary>SHA-256 of what it does: comments and blank space don't count.</summary>
    public string Checksum { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Blank().Replace(Comment().Replace(Sql, ""), " ").Trim())));

    public bool IsBesideIngest { get; } = Sql.StartsWith("-- beside ingest", StringComparison.Ordinal);

    public IReadOnlyList<MigrationCost> Costs { get; } =
        [.. Cost().Matches(Sql).Select(match => new MigrationCost(match.Groups["verb"].Value, match.Groups["table"].Value))];

    /// <summary>Its steps; of one in a transaction, none.</summary>
    public IReadOnlyList<MigrationStep> Steps { get; } =
        [.. Step().Matches(Sql).Select(match => new MigrationStep(match.Groups["sql"].Value.Trim(), ValueOf(match, "table"), ValueOf(match, "without")))];

    private static string? ValueOf(Match match, string group) => match.Groups[group].Success ? match.Groups[group].Value : null;

    private static List<Migration> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                var file = name[Prefix.Length..^".sql".Length];
                return new Migration(int.Parse(file.AsSpan(0, 4), CultureInfo.InvariantCulture), file, reader.ReadToEnd());
            })];
    }

    [GeneratedRegex(@"--[^\n]*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();

    [GeneratedRegex(@"^-- (?<verb>reads|rewrites|indexes) (?<table>\w+)\r?$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Cost();

    [GeneratedRegex(@"^-- step( for each partition of (?<table>\w+)( without (?<without>\w+))?)?\r?\n(?<sql>(.|\n)*?)(?=^-- step|\z)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Step();
}
