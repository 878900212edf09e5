using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Writes what is only counted in memory, rejected readings and duplicates that were answered from there: every two seconds, and at the
/// end. A kill loses that much of these counts, and no reading. And folds what writes have added, every ten seconds.
/// </summary>
internal sealed partial class LedgerFlusher(Ledger ledger, IMediator mediator, StorageReadiness readiness, TimeProvider time, ILogger<LedgerFlusher> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private const int PeriodsBetweenFolds = 5;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (readiness.Ready.IsCompletedSuccessfully)
        {
            await FlushAsync(cancellationToken);
            await FoldAsync(cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        for (var period = 0; await timer.WaitForNextTickAsync(stoppingToken); period = (period + 1) % PeriodsBetweenFolds)
        {
            await FlushAsync(stoppingToken);
            if (period == 0)
                await FoldAsync(stoppingToken);
        }
    }

    private async Task FoldAsync(CancellationToken cancellationToken)
    {
        try
        {
            await mediator.Send(new FoldLedger(), cancellationToken);
        }
        catch (Exception exception) when (exception is System.Data.Common.DbException or OperationCanceledException)
        {
            LogFoldFailed(exception);
        }
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        var deltas = ledger.TakeUnflushed();
        if (deltas.Count == 0)
            return;
        try
        {
            await mediator.Send(new AddToLedger(deltas), cancellationToken);
        }
        catch (Exception exception) when (exception is System.Data.Common.DbException or OperationCanceledException)
        {
            ledger.PutBack(deltas);
            LogFailed(exception);
        }
    }

    [LoggerMessage(2020, LogLevel.Warning, "Counts of the ledger could not be written; the next try is in two seconds")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(2021, LogLevel.Warning, "What writes have added to the ledger could not be folded; it is counted all the same, and the next try is in ten seconds")]
    private partial void LogFoldFailed(Exception exception);
}
