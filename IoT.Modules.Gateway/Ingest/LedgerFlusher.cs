using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Writes what is only counted in memory, rejected readings and duplicates that were answered from there: every two seconds, and at the
/// end. A kill loses that much of these counts, and no reading.
/// </summary>
internal sealed partial class LedgerFlusher(Ledger ledger, IMediator mediator, StorageReadiness readiness, TimeProvider time, ILogger<LedgerFlusher> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (readiness.Ready.IsCompletedSuccessfully)
            await FlushAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await FlushAsync(stoppingToken);
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
}
