using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Partitions;

/// <summary>Makes partitions ahead of time, every hour; the first ones are made at start.</summary>
internal sealed partial class PartitionMaintenance(MonthlyPartitions partitions, StorageReadiness readiness, TimeProvider time, ILogger<PartitionMaintenance> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await partitions.EnsureAheadAsync(stoppingToken);
            }
            catch (System.Data.Common.DbException exception)
            {
                // Months are made ahead, so an hour's delay costs nothing.
                LogFailed(exception);
            }
        }
    }

    [LoggerMessage(1111, LogLevel.Warning, "Partitions could not be made ahead; the next try is in an hour")]
    private partial void LogFailed(Exception exception);
}
