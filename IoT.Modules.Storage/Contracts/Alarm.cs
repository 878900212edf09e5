using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Storage.Contracts;

/// <summary>How bad it is.</summary>
public enum AlarmLevel
{
    /// <summary>Nothing is lost or refused yet; somebody should look before it is.</summary>
    Warning,

    /// <summary>The platform does not do now what it is there for.</summary>
    Critical,
}

/// <summary>Something that a person has to know of, for as long as it stands.</summary>
/// <param name="Name">Stable, in snake_case: what a metric and a rule for alerts call it.</param>
/// <param name="What">One sentence: what is the matter.</param>
/// <param name="Remedy">What to do.</param>
public sealed record Alarm(string Name, AlarmLevel Level, string What, string Remedy);

/// <summary>Alarms travel with the health of the component that raises them: one place that says how it is.</summary>
public static class AlarmHealth
{
    private const string Key = "alarms";

    /// <summary>Healthy without alarms, else degraded; unhealthy only where the caller says that the host is of no use.</summary>
    public static HealthCheckResult Of(string state, IReadOnlyList<Alarm> alarms, bool isUseless = false) => new(
        isUseless ? HealthStatus.Unhealthy : alarms.Count > 0 ? HealthStatus.Degraded : HealthStatus.Healthy,
        alarms.Count > 0 ? $"{state}; {string.Join("; ", alarms.Select(alarm => alarm.What))}" : state,
        data: new Dictionary<string, object> { [Key] = alarms });

    /// <summary>What a component raises; empty when it says nothing of alarms.</summary>
    public static IReadOnlyList<Alarm> AlarmsOf(HealthReportEntry entry) =>
        entry.Data.TryGetValue(Key, out var alarms) ? (IReadOnlyList<Alarm>)alarms : [];
}
