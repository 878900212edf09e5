using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>Degraded while writes fail: readings are held, not lost, and not acknowledged.</summary>
internal sealed class IngestHealth(IngestQueue queue) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(queue.Trouble is { } trouble
            ? HealthCheckResult.Degraded($"Readings wait for PostgreSQL ({queue.QueuedBytes / 1024} KiB): {trouble}")
            : HealthCheckResult.Healthy($"{queue.QueuedBytes / 1024} KiB wait for their commit"));
}
