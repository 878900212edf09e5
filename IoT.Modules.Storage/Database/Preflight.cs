using System.Globalization;
using System.Text;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.PrivatePostgres;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>
/// What a start of this host would do to the schema of the database that the settings name, and how long that may hold it up. Changes
/// nothing. Runs beside the host that is to be replaced, too.
/// </summary>
internal static class Preflight
{
    // As disks of small machines do it; twice as quick or half is all the same to whoever plans an upgrade.
    private const double ReadBytesPerSecond = 200e6;
    private const double RewriteBytesPerSecond = 30e6;
    private const double IndexBytesPerSecond = 50e6;

    private sealed record Size(string Name, long Bytes, long Rows, int Partitions);

    /// <summary>Answers the exit code: 0 when the host would start, 1 when it would refuse the database.</summary>
    public static async Task<int> RunAsync(IConfiguration configuration, DataOptions data, StorageOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var given = configuration.GetConnectionString("Postgres");
        if (!string.IsNullOrWhiteSpace(given))
            return await LookAsync(given, output, cancellationToken);
        var layout = new ClusterLayout(Path.GetFullPath(data.Directory));
        if (layout.ClusterVersion is null)
        {
            await output.WriteLineAsync($"There is no database under {data.Directory} yet: the first start makes it.");
            return 0;
        }
        if (await RunningAsync(layout, cancellationToken) is { } running)
            return await LookAsync(running, output, cancellationToken);

        using var directory = DataDirectoryLock.Take(data.Directory);
        await using var server = new PrivateServer(options, directory, NullLogger<PrivateServer>.Instance, TimeProvider.System);
        await server.StartAsync(cancellationToken);
        try
        {
            return await LookAsync(server.ConnectionString, output, cancellationToken);
        }
        finally
        {
            await server.StopAsync();
        }
    }

    /// <summary>The private cluster of a host that runs; null when none answers.</summary>
    internal static async Task<string?> RunningAsync(ClusterLayout layout, CancellationToken cancellationToken)
    {
        if (!File.Exists(layout.Connection))
            return null;
        var uri = new Uri((await File.ReadAllTextAsync(layout.Connection, cancellationToken)).Trim());
        var user = uri.UserInfo.Split(':');
        var target = new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host, Port = uri.Port, Database = uri.AbsolutePath.Trim('/'),
            Username = Uri.UnescapeDataString(user[0]), Password = Uri.UnescapeDataString(user[^1]), Timeout = 5,
        }.ConnectionString;
        try
        {
            await using var connection = new NpgsqlConnection(target + ";Pooling=false");
            await connection.OpenAsync(cancellationToken);
            return target;
        }
        catch (NpgsqlException)
        {
            return null;
        }
    }

    internal static async Task<int> LookAsync(string connectionString, TextWriter output, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, ApplicationName = "iot-preflight" }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is NpgsqlException or ArgumentException)
        {
            throw new StartupException($"PostgreSQL can't be reached: {exception.Message}", exception);
        }
        var state = await SchemaState.ReadAsync(connection, Migration.Known, cancellationToken);
        if ((ServerVersion.Objection(connection.PostgreSqlVersion) ?? state.Objection) is { } objection)
        {
            await output.WriteLineAsync(objection);
            return 1;
        }
        var version = await connection.ExecuteScalarAsync<string>(new CommandDefinition("show server_version", cancellationToken: cancellationToken));
        await output.WriteLineAsync(FormattableString.Invariant($"PostgreSQL {version} at {connection.Host}:{connection.Port}: {state.Count} migrations applied, {state.ToDo.Count} to do."));
        var beforeReady = 0.0;
        foreach (var migration in state.ToDo)
        {
            var work = new StringBuilder();
            var seconds = 0.0;
            foreach (var cost in state.IsNew ? [] : migration.Costs)
            {
                var size = await SizeAsync(connection, cost.Table, cancellationToken);
                seconds += size.Bytes / (cost.Verb switch { "reads" => ReadBytesPerSecond, "rewrites" => RewriteBytesPerSecond, _ => IndexBytesPerSecond });
                work.Append(CultureInfo.InvariantCulture, $"; {cost.Verb} {cost.Table} ({size.Bytes / 1024 / 1024} MiB, about {size.Rows} rows{(size.Partitions > 0 ? $", {size.Partitions} partitions" : "")})");
            }
            var isBeside = migration.IsBesideIngest && !state.IsNew;
            if (!isBeside)
                beforeReady += seconds;
            var unfinished = state.UnfinishedStepOf(migration) is { } step ? FormattableString.Invariant($"; goes on at step {step + 1} of {migration.Steps.Count}") : "";
            await output.WriteLineAsync($"  {migration.Name}: {(isBeside ? "beside ingest, after the start; locks others out for at most 2 s at a time" : "before the host is ready, in one transaction")}{work}, {Duration(seconds)}{unfinished}");
        }
        if (state.ToDo.Count > 0)
            await output.WriteLineAsync($"Until the host is ready: {Duration(beforeReady)}. Devices wait that long, and readings on their way into PostgreSQL from other hosts as well. Make a backup first: there is no way back but that.");
        return 0;
    }

    private static async Task<Size> SizeAsync(NpgsqlConnection connection, string table, CancellationToken cancellationToken) =>
        await connection.QuerySingleAsync<Size>(new CommandDefinition(
            """
            select @table as name, coalesce(sum(pg_table_size(c.oid)), 0)::bigint as bytes, coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint as rows,
                (count(*) filter (where c.oid <> to_regclass('public.' || @table)))::int as partitions
            from pg_class c
            where c.oid = to_regclass('public.' || @table) or c.oid in (select inhrelid from pg_inherits where inhparent = to_regclass('public.' || @table))
            """, new { table }, cancellationToken: cancellationToken));

    private static string Duration(double seconds) => seconds switch
    {
        < 2 => "a moment",
        < 120 => string.Create(CultureInfo.InvariantCulture, $"about {seconds:0} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"about {seconds / 60:0} min"),
    };
}
