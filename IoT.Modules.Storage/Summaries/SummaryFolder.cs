using System.Data;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Summaries;

/// <summary>
/// Now and then folds what batches have added into the tables of summaries: many batches touch the same rows, which are brought up to
/// date once. Taking and adding are one transaction, so whoever reads both sees each reading once.
/// </summary>
internal sealed partial class SummaryFolder(
    PostgresPools database, StorageOptions options, PendingSummaries pending, SummaryTables tables, SummaryRebuild rebuild, StorageReadiness readiness, TimeProvider time, ILogger<SummaryFolder> logger)
    : BackgroundService
{
    // The longer, the more batches touch a row for one write of it; and the more a query has to unpack, some 0.2 µs a value of its slot.
    private static readonly TimeSpan LongestPending = TimeSpan.FromMinutes(1);
    private const long MostPending = 2_500_000;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // Packed rows are taken so many at a time (some 2 MB, up to about a hundred thousand values), and go on being taken in one transaction
    // until they come to so many rows of summaries (some 130 B each in memory, twice while they are written): each of those is then written
    // once for all the batches that touch it, and its write is what folding costs.
    private const int RowsAtOnce = 100;
    public const int MostStats = 200_000;

    // After so many packed rows their room is given back; autovacuum would come by once a minute.
    private const int VacuumAfterRows = 1_000;

    private int _sinceVacuum;

    /// <summary>Why the last turn failed; null when it did not.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Folds everything that is there.</summary>
    public async Task FoldAsync(CancellationToken cancellationToken)
    {
        pending.Forget();
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        bool areMore;
        do
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            (var rows, areMore) = await FoldOnceAsync(connection, transaction, tables, MostStats, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            _sinceVacuum += rows;
        }
        while (areMore);
        if (_sinceVacuum < VacuumAfterRows)
            return;
        await connection.ExecuteAsync(new CommandDefinition("vacuum (truncate false) summary_pending", commandTimeout: 0, cancellationToken: cancellationToken));
        _sinceVacuum = 0;
    }

    /// <summary>
    /// A part of it, within the transaction: until it comes to <paramref name="most"/> rows of summaries. Answers how many packed rows it
    /// has taken, and whether there may be more.
    /// </summary>
    public static async Task<(int Rows, bool AreMore)> FoldOnceAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, SummaryTables tables, int most, CancellationToken cancellationToken)
    {
        // A transaction that sees one moment must see it after whoever was at it before.
        if (transaction.IsolationLevel == IsolationLevel.ReadCommitted)
            await connection.ExecuteAsync(new CommandDefinition("select pg_advisory_xact_lock(@AdvisoryLock)", new { SummaryTables.AdvisoryLock }, transaction, cancellationToken: cancellationToken));
        var table = new StatTable();
        var (rows, taken) = (0, RowsAtOnce);
        while (taken == RowsAtOnce && table.Stats.Count < most)
        {
            taken = await PendingReader.TakeAsync(connection, transaction, RowsAtOnce, table, cancellationToken);
            rows += taken;
        }
        if (rows == 0)
            return (0, false);
        await tables.PrepareAsync(table, cancellationToken);
        await tables.AddAsync(connection, transaction, table, cancellationToken);
        return (rows, taken == RowsAtOnce);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        await TryAsync(token => rebuild.PrepareAsync(options.Summaries, token), stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        long? folded = null;
        do
        {
            // At the start what an earlier run has left.
            if (folded is null || pending.Values >= MostPending || time.GetElapsedTime(folded.Value) >= LongestPending)
            {
                folded = time.GetTimestamp();
                await TryAsync(FoldAsync, stoppingToken);
            }
            await TryAsync(rebuild.RunIfAskedAsync, stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task TryAsync(Func<CancellationToken, Task> act, CancellationToken stoppingToken)
    {
        try
        {
            await act(stoppingToken);
            if (act == FoldAsync)
                Trouble = null;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            // Nothing is lost by it: what is not folded is read as it is, and the next turn tries again.
            if (Trouble is null)
                LogFailed(exception);
            Trouble = exception.Message;
        }
    }

    [LoggerMessage(1170, LogLevel.Warning, "Summaries could not be folded; what has come in meanwhile is kept apart and the next turn tries again")]
    private partial void LogFailed(Exception exception);
}
