using System.Text.RegularExpressions;
using Dapper;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>
/// Statements that PostgreSQL runs in several transactions and may leave half done: a concurrent index build leaves an index that is not
/// valid, a concurrent DETACH one that is pending.
/// </summary>
internal static partial class ResumableStatement
{
    /// <summary>What is to be run from where things stand; null when nothing is left to do.</summary>
    public static async Task<string?> FromHereAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        if (Index().Match(sql) is { Success: true } index)
        {
            var name = index.Groups["name"].Value;
            var isValid = await connection.ExecuteScalarAsync<bool?>(new CommandDefinition(
                "select indisvalid from pg_index where indexrelid = to_regclass('public.' || @name)", new { name }, cancellationToken: cancellationToken));
            if (isValid == false)
                await connection.ExecuteAsync(new CommandDefinition($"drop index concurrently {name}", commandTimeout: 0, cancellationToken: cancellationToken));
        }
        else if (Detach().Match(sql) is { Success: true } detach)
        {
            var isPending = await connection.ExecuteScalarAsync<bool?>(new CommandDefinition(
                "select inhdetachpending from pg_inherits where inhrelid = to_regclass('public.' || @partition) and inhparent = to_regclass('public.' || @table)",
                new { partition = detach.Groups["partition"].Value, table = detach.Groups["table"].Value }, cancellationToken: cancellationToken));
            return isPending switch { null => null, true => $"alter table {detach.Groups["table"].Value} detach partition {detach.Groups["partition"].Value} finalize", false => sql };
        }
        return sql;
    }

    [GeneratedRegex(@"create\s+(unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+(?<name>\w+)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Index();

    [GeneratedRegex(@"alter\s+table\s+(?<table>\w+)\s+detach\s+partition\s+(?<partition>\w+)\s+concurrently", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Detach();
}
