using System.Diagnostics.Metrics;
using IoT.Host.Pipeline;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Host.Operations;

/// <summary>An alarm that stands.</summary>
/// <param name="Component">Who raises it.</param>
/// <param name="Since">UTC.</param>
internal sealed record StandingAlarm(string Name, AlarmLevel Level, string Component, string What, string Remedy, DateTime Since)
{
    public bool IsCritical => Level == AlarmLevel.Critical;
}

/// <summary>
/// What stands and since when: looks at every component's health every other second. For the page, <c>/health/ready</c>, the log and the
/// metric <c>iot_alarms</c>.
/// </summary>
internal sealed partial class AlarmBoard : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    private readonly HealthCheckService _health;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly HashSet<(string Name, AlarmLevel Level, string Component)> _known = [];
    private IReadOnlyList<StandingAlarm> _standing = [];

    public AlarmBoard(HealthCheckService health, TimeProvider time, IMeterFactory meters, ILogger<AlarmBoard> logger)
    {
        (_health, _time, _logger) = (health, time, logger);
        meters.Create(RequestTelemetry.Name).CreateObservableGauge("iot.alarms", Measure, null, "Alarms: 1 while one stands, 0 once it has ended");
    }

    /// <summary>What stands, the worst first, then the oldest.</summary>
    public IReadOnlyList<StandingAlarm> Standing => Volatile.Read(ref _standing);

    /// <summary>Takes a report in; answers what stands now.</summary>
    public IReadOnlyList<StandingAlarm> Update(HealthReport report)
    {
        lock (_lock)
        {
            var now = _time.GetUtcNow().UtcDateTime;
            var before = _standing.ToDictionary(alarm => alarm.Name, StringComparer.Ordinal);
            var standing = report.Entries
                .SelectMany(entry => AlarmsOf(entry.Key, entry.Value).Select(alarm => (Component: entry.Key, Alarm: alarm)))
                .DistinctBy(raised => raised.Alarm.Name)
                .Select(raised => new StandingAlarm(
                    raised.Alarm.Name, raised.Alarm.Level, raised.Component, raised.Alarm.What, raised.Alarm.Remedy, before.GetValueOrDefault(raised.Alarm.Name)?.Since ?? now))
                .OrderByDescending(alarm => alarm.Level).ThenBy(alarm => alarm.Since).ThenBy(alarm => alarm.Name, StringComparer.Ordinal)
                .ToList();
            foreach (var alarm in standing)
            {
                _known.Add((alarm.Name, alarm.Level, alarm.Component));
                if (!before.Remove(alarm.Name))
                    Say(alarm);
            }
            foreach (var ended in before.Values)
                LogEnded(ended.Name, (long)(now - ended.Since).TotalSeconds);
            Volatile.Write(ref _standing, standing);
            return standing;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, _time);
        do
        {
            Update(await _health.CheckHealthAsync(stoppingToken));
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>A component that is not well and names no alarm is one itself.</summary>
    private static IReadOnlyList<Alarm> AlarmsOf(string component, HealthReportEntry entry) =>
        AlarmHealth.AlarmsOf(entry) is { Count: > 0 } alarms ? alarms
        : entry.Status == HealthStatus.Healthy ? []
        : [new Alarm(component, entry.Status == HealthStatus.Unhealthy ? AlarmLevel.Critical : AlarmLevel.Warning, entry.Description ?? entry.Exception?.Message ?? "is not well", "See the host's log.")];

    private IEnumerable<Measurement<int>> Measure()
    {
        lock (_lock)
        {
            var standing = _standing.Select(alarm => (alarm.Name, alarm.Level)).ToHashSet();
            return [.. _known.Select(alarm => new Measurement<int>(
                standing.Contains((alarm.Name, alarm.Level)) ? 1 : 0,
                new("alarm", alarm.Name), new("level", alarm.Level == AlarmLevel.Critical ? "critical" : "warning"), new("component", alarm.Component)))];
        }
    }

    private void Say(StandingAlarm alarm)
    {
        if (alarm.IsCritical)
            LogCritical(alarm.Name, alarm.What, alarm.Remedy);
        else
            LogWarning(alarm.Name, alarm.What, alarm.Remedy);
    }

    [LoggerMessage(3040, LogLevel.Error, "ALARM {Name}: {What}. {Remedy}")]
    private partial void LogCritical(string name, string what, string remedy);

    [LoggerMessage(3041, LogLevel.Warning, "Alarm {Name}: {What}. {Remedy}")]
    private partial void LogWarning(string name, string what, string remedy);

    [LoggerMessage(3042, LogLevel.Information, "Alarm {Name} has ended after {Seconds} s")]
    private partial void LogEnded(string name, long seconds);
}

internal static class AlarmSetup
{
    public static void AddAlarms(this IServiceCollection services)
    {
        services.AddSingleton<AlarmBoard>();
        services.AddHostedService(provider => provider.GetRequiredService<AlarmBoard>());
        services.AddHealthChecks().AddCheck<DiskHealth>("disk").AddCheck<CacheHealth>("cache");
    }
}
