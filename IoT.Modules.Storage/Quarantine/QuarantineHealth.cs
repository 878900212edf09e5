using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Storage.Quarantine;

/// <summary>Degraded while the quarantine grows, or has lately dropped entries for want of room.</summary>
internal sealed class QuarantineHealth(QuarantineKeeper keeper) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var minutes = (int)QuarantineKeeper.Lately.TotalMinutes;
        var (came, dropped) = keeper.LatelyChanged;
        List<Alarm> alarms = [];
        if (dropped > 0)
            alarms.Add(new Alarm("quarantine_drops", AlarmLevel.Critical, $"{dropped} entries were dropped because there are more than Storage__QuarantineEntries", "Mend what sends them there, retry or delete entries, or give it more room."));
        if (came > 0)
            alarms.Add(new Alarm("quarantine_grows", AlarmLevel.Warning, $"{came} entries came in the last {minutes} min", "GET /api/v1/quarantine says why each could not be stored; retry them once the cause is mended."));
        return Task.FromResult(AlarmHealth.Of(came > 0 ? "growing" : $"nothing came in the last {minutes} min", alarms));
    }
}
