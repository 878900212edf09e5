using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Quarantine;
using IoT.Modules.Storage.Readings;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Partitions;

/// <summary>Every hour: makes partitions ahead of time (the first ones are made at start), drops those of old message ids, keeps the quarantine within its bounds.</summary>
internal sealed partial class PartitionMaintenance(MonthlyPartitions partitions, MessageIds messageIds, QuarantineKeeper quarantine, StorageReadiness readiness, TimeProvider time, ILogger<PartitionMaintenance> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        do
        {
            try
            {
                await partitions.EnsureAheadAsync(stoppingToken);
                await messageIds.KeepAsync(stoppingToken);
                await quarantine.KeepAsync(stoppingToken);
            }
            catch (System.Data.Common.DbException exception)
            {
                // Months are made ahead, so an hour's delay costs nothing.
                LogFailed(exception);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(1111, LogLevel.Warning, "Partitions could not be looked after; the next try is in an hour")]
    private partial void LogFailed(Exception exception);
}
