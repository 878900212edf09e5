using IoT.Modules.Gateway.IngestLog;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>How full the ingest log is and how far behind PostgreSQL; degraded while readings can't be stored, unhealthy when none can be taken.</summary>
internal sealed class IngestHealth(IngestLogService service, Drain drain) : IHealthCheck
{
    private const long MiB = 1024 * 1024;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (service.Trouble is { } trouble)
            return Task.FromResult(HealthCheckResult.Unhealthy($"No readings can be taken: {trouble}"));
        var log = service.Log;
        var state = $"ingest log {log.SizeBytes / MiB} of {log.BudgetBytes / MiB} MiB, {drain.Backlog} readings on their way to PostgreSQL";
        // What a crash left of its last group was never acknowledged; everything else was.
        var damaged = log.Damages.Where(d => d.Kind != DamageKind.Torn).Sum(d => d.Records);
        if (damaged > 0)
            return Task.FromResult(HealthCheckResult.Degraded($"{state}; {damaged} records were damaged on disk and skipped at start: see the log"));
        if (log.IsFull)
            return Task.FromResult(HealthCheckResult.Degraded($"FULL: {state}; no readings are taken until there is room. {drain.Trouble}"));
        return Task.FromResult(drain.Trouble is { } reason
            ? HealthCheckResult.Degraded($"{state}; they wait: {reason}")
            : HealthCheckResult.Healthy(state));
    }
}
