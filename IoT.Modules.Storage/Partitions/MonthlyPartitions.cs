using System.Collections.Concurrent;
using Dapper;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Partitions;

/// <summary>The monthly partitions of <c>device_data</c>, named as in <c>device_data_y2026m11</c>; bounds in UTC.</summary>
internal sealed partial class MonthlyPartitions(PostgresPools database, StorageOptions options, TimeProvider time, ILogger<MonthlyPartitions> logger)
{
    private readonly ConcurrentDictionary<DateOnly, bool> _known = [];

    /// <summary>The months that have a partition, as far as this host has seen.</summary>
    public IReadOnlyCollection<DateOnly> Known => [.. _known.Keys];

    public static DateOnly MonthOf(DateTime timestamp) => new(timestamp.Year, timestamp.Month, 1);

    public static string NameOf(DateOnly month) => FormattableString.Invariant($"device_data_y{month.Year:0000}m{month.Month:00}");

    /// <summary>Makes what is missing from this month to as many ahead as the settings say.</summary>
    public async Task EnsureAheadAsync(CancellationToken cancellationToken)
    {
        var month = MonthOf(time.GetUtcNow().UtcDateTime);
        for (var ahead = 0; ahead <= options.PartitionsAhead; ahead++)
            await EnsureAsync(month.AddMonths(ahead), cancellationToken);
    }

    /// <summary>Makes the partition of a month unless it is there. Whoever calls this has checked that the month is one to keep.</summary>
    public async Task EnsureAsync(DateOnly month, CancellationToken cancellationToken)
    {
        if (_known.ContainsKey(month))
            return;
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var name = NameOf(month);
        await connection.ExecuteAsync("select pg_advisory_xact_lock(@AdvisoryLock)", new { Migrator.AdvisoryLock }, transaction);
        var exists = await connection.ExecuteScalarAsync<bool>("select to_regclass('public.' || @name) is not null", new { name }, transaction);
        if (!exists)
        {
            // CREATE and ATTACH: CREATE TABLE … PARTITION OF would lock the parent against ingest.
            await connection.ExecuteAsync(FormattableString.Invariant(
                $"""
                create table {name} (like device_data including defaults);
                alter table device_data attach partition {name}
                    for values from ('{month:yyyy-MM-dd} 00:00:00+00') to ('{month.AddMonths(1):yyyy-MM-dd} 00:00:00+00');
                """), transaction: transaction);
            LogMade(name);
        }
        await transaction.CommitAsync(cancellationToken);
        _known[month] = true;
    }

    [LoggerMessage(1110, LogLevel.Information, "Made partition {Name}")]
    private partial void LogMade(string name);
}
