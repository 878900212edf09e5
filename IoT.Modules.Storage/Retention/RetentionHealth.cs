using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Storage.Retention;

/// <summary>Degraded while readings take more disk than they may and nothing is left to drop.</summary>
internal sealed class RetentionHealth(RetentionKeeper keeper, StorageOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(keeper.Trouble is { } trouble
            ? HealthCheckResult.Degraded(trouble)
            : HealthCheckResult.Healthy(options.ReadingsMiB == 0
                ? FormattableString.Invariant($"readings are kept for {options.RetentionDays} days")
                : FormattableString.Invariant($"readings are kept for {options.RetentionDays} days and up to {options.ReadingsMiB} MiB")));
}
