using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Semantics;

/// <summary>Degraded while the engine, its documents or its tables are in trouble; ingest goes on all the same.</summary>
internal sealed class SemanticsHealth(SemanticEngine engine, LatestValues latest, LiveFaults faults) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var alarms = new List<Alarm>();
        foreach (var (part, reason) in faults.Standing)
        {
            alarms.Add(part == "engine"
                ? new Alarm("semantics_stopped", AlarmLevel.Critical, $"Nothing is inferred: {reason}", "Take out or mend the rules or the model that it names (DELETE works meanwhile); it starts again by itself. Readings are stored all the same.")
                : new Alarm($"semantics_{part}", AlarmLevel.Warning, reason, "It is tried again by itself; if it stays, see the host's log."));
        }
        if (latest.LeftOut > 0)
            alarms.Add(new Alarm("latest_values_full", AlarmLevel.Warning, $"{latest.LeftOut} values of devices' members found no room and are no facts", "Raise Semantics__MaxLatestValues and restart, or find the devices that make up names of members."));
        var state = engine.Knowledge is { } knowledge
            ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{knowledge.Asserted} facts, {knowledge.Derived} derived by {knowledge.Rules} rules")
            : "loading";
        return Task.FromResult(AlarmHealth.Of(state, alarms));
    }
}
