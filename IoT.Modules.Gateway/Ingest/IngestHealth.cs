using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>How full the ingest log is and how far behind PostgreSQL; degraded while readings can't be stored, unhealthy when none can be taken.</summary>
internal sealed class IngestHealth(IngestLogService service, Drain drain) : IHealthCheck
{
    private const long MiB = 1024 * 1024;

    /// <summary>Of its budget: then there is still time to do something.</summary>
    private const int NearlyFullPercent = 80;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(Check());

    private HealthCheckResult Check()
    {
        if (service.Trouble is { } trouble)
            return AlarmHealth.Of("No readings can be taken", [new Alarm("ingest_log_failed", AlarmLevel.Critical, trouble, "The host stops. Look after the disk, then start it again; nothing that was acknowledged is missing.")], isUseless: true);

        var log = service.Log;
        var alarms = new List<Alarm>();
        // What a crash left of its last group was never acknowledged; everything else was.
        var damaged = log.Damages.Where(d => d.Kind != DamageKind.Torn).Sum(d => d.Records);
        if (damaged > 0)
            alarms.Add(new Alarm("ingest_log_damaged", AlarmLevel.Critical, $"{damaged} records were damaged on disk and skipped at start: see the log", "These readings are lost unless their devices send them again. Check the disk; the next start begins without this alarm once they are behind it."));
        if (log.IsFull)
            alarms.Add(new Alarm("ingest_log_full", AlarmLevel.Critical, "no readings are taken until there is room", "Bring PostgreSQL back, or make room on the disk. It goes on by itself."));
        else if (log.SizeBytes * 100 >= log.BudgetBytes * NearlyFullPercent)
            alarms.Add(new Alarm("ingest_log_nearly_full", AlarmLevel.Warning, $"the ingest log is over {NearlyFullPercent} % of Gateway__IngestLogMiB", "Readings come faster than PostgreSQL takes them: see why before it is full and none are taken any more."));
        if (drain.Fault is { Lasts: true } stopped)
            alarms.Add(new Alarm("lane_stopped", AlarmLevel.Critical, $"{drain.StoppedLanes} of {drain.Lanes} writers into PostgreSQL have stopped: {stopped.Reason}", "Mend the cause in the database. What is acknowledged stays in the ingest log, and it goes on by itself within Gateway__StoppedLaneProbeSeconds, or with a restart."));
        else if (drain.Fault is { } waits)
            alarms.Add(new Alarm("readings_wait", AlarmLevel.Warning, $"they wait: {waits.Reason}", "PostgreSQL does not take readings now. They are kept in the ingest log, and it tries on by itself."));
        return AlarmHealth.Of($"{(log.IsFull ? "FULL: " : "")}ingest log {log.SizeBytes / MiB} of {log.BudgetBytes / MiB} MiB, {drain.Backlog} readings on their way to PostgreSQL", alarms);
    }
}
