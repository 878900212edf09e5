using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>What is kept of MQTT sessions; degraded when some of it was lost or can't be written.</summary>
internal sealed class MqttStateHealth(BrokerStateWriter writer) : IHealthCheck
{
    private const long MiB = 1024 * 1024;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var alarms = new List<Alarm>();
        if (writer.State.Loss is { } loss)
            alarms.Add(new Alarm("sessions_lost", AlarmLevel.Critical, $"MQTT sessions, their queues or retained messages are lost: {loss}", "Clients that count on a session subscribe again when they find none. Readings are not concerned. Look after the disk; the next start without a loss ends this alarm."));
        if (writer.Fault is { } fault)
            alarms.Add(new Alarm("sessions_wait", AlarmLevel.Critical, $"the MQTT state can't be written: {fault.Reason}", "It stays in the ingest log, up to half of Gateway__IngestLogMiB, and it tries on by itself: make room on the disk, or raise Gateway__MqttStateMiB."));
        return Task.FromResult(AlarmHealth.Of($"MQTT state {writer.State.SizeBytes / MiB} MiB", alarms));
    }
}
