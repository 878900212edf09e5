using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Quarantine;
using IoT.Modules.Storage.Readings;
using IoT.Modules.Storage.Retention;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Partitions;

/// <summary>
/// Every few minutes: makes partitions ahead of time (the first ones are made at start), drops what retention lets go, drops partitions
/// of old message ids, keeps the quarantine within its bounds.
/// </summary>
internal sealed partial class PartitionMaintenance(
    ReadingPartitions partitions, RetentionKeeper retention, MessageIds messageIds, QuarantineKeeper quarantine, StorageReadiness readiness, TimeProvider time,
    ILogger<PartitionMaintenance> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        do
        {
            // What fails keeps none of the others from its turn.
            await TryAsync(partitions.EnsureAheadAsync, stoppingToken);
            await TryAsync(retention.KeepAsync, stoppingToken);
            await TryAsync(messageIds.KeepAsync, stoppingToken);
            await TryAsync(quarantine.KeepAsync, stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task TryAsync(Func<CancellationToken, Task> act, CancellationToken stoppingToken)
    {
        try
        {
            await act(stoppingToken);
        }
        catch (System.Data.Common.DbException exception)
        {
            // Partitions are made ahead, so a delay costs nothing.
            LogFailed(exception);
        }
    }

    [LoggerMessage(1111, LogLevel.Warning, "Partitions could not be looked after; the next try is in a few minutes")]
    private partial void LogFailed(Exception exception);
}
