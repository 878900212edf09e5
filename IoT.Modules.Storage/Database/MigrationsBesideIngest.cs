using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Database;

/// <summary>Runs, once the host is ready, the migrations that readings don't wait for; what fails is tried again.</summary>
internal sealed partial class MigrationsBesideIngest(Migrator migrator, StorageReadiness readiness, TimeProvider time, ILogger<MigrationsBesideIngest> logger)
    : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMinutes(1);

    private volatile string? _trouble;
    private volatile bool _isDone;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_trouble is { } trouble ? HealthCheckResult.Degraded($"a change of the schema beside ingest is tried again every minute: {trouble}")
            : HealthCheckResult.Healthy(_isDone ? "up to date" : "a change of the schema goes on beside ingest"));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        while (true)
        {
            try
            {
                _isDone = await migrator.ApplyBesideIngestAsync(stoppingToken);
                _trouble = null;
                if (_isDone)
                    return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                if (_trouble is null)
                    LogFailed(exception);
                _trouble = exception.Message;
            }
            await Task.Delay(BetweenTries, time, stoppingToken);
        }
    }

    [LoggerMessage(1101, LogLevel.Warning, "A migration beside ingest has failed and is tried again every minute, from where it stands; everything works without it")]
    private partial void LogFailed(Exception exception);
}
