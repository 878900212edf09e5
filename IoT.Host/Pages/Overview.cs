using IoT.Host.Operations;
using IoT.Host.Pages.Charts;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Host.Pages;

/// <summary>What the overview shows, of one moment.</summary>
/// <param name="PerSecond">Readings stored per second, averaged over the last <see cref="OverviewSource.RateSeconds"/> whole seconds.</param>
/// <param name="Online">Devices of <paramref name="Registered"/> that are online: <see cref="Presence.Window"/>.</param>
/// <param name="Stored">Readings stored since the start.</param>
internal sealed record Overview(
    DateTime Now, double PerSecond, LineChart Rate, int Online, int Registered, long Stored, IReadOnlyList<StoredReading> Newest,
    IReadOnlyList<HealthEndpoints.ComponentState> Components, TimeSpan Uptime, DiskSpace? Disk);

/// <summary>Gathers the <see cref="Overview"/>: all from memory but the components' states.</summary>
internal sealed class OverviewSource(IngestActivity activity, DeviceDirectory devices, HealthCheckService health, DataOptions data, TimeProvider time)
{
    /// <summary>What a rate is averaged over: devices that send every second or two would draw a comb.</summary>
    public const int RateSeconds = 10;

    public static readonly TimeSpan ChartWindow = TimeSpan.FromMinutes(5);

    private readonly long _started = time.GetTimestamp();
    private readonly DateTime _startedAt = time.GetUtcNow().UtcDateTime;

    public async Task<Overview> GatherAsync(CancellationToken stop)
    {
        var components = HealthEndpoints.StatesOf(await health.CheckHealthAsync(stop));
        var now = time.GetUtcNow().UtcDateTime;
        var (online, registered) = (0, 0);
        foreach (var device in devices.All.Where(d => d.IsRegistered))
        {
            registered++;
            if (Presence.IsOnline(device.LastSeen, now))
                online++;
        }
        var rate = RateSince(now - ChartWindow);
        var chart = new LineChart("rate", "Readings per second", now - ChartWindow, now, rate, plotHeight: 150, fromZero: true);
        return new Overview(
            now, rate.Count > 0 ? rate[^1].Value : 0, chart, online, registered, activity.Total, activity.Newest,
            components, time.GetElapsedTime(_started), DiskSpace.Of(data.Directory));
    }

    // At each second the average of the ones before it. Before the start nothing is known, which is not zero.
    private List<ChartPoint> RateSince(DateTime from)
    {
        var seconds = activity.PerSecond(ChartWindow + TimeSpan.FromSeconds(RateSeconds)).SkipWhile(p => p.Second < _startedAt).ToList();
        var points = new List<ChartPoint>();
        for (var (i, sum) = (0, 0); i < seconds.Count; i++)
        {
            sum += seconds[i].Readings - (i >= RateSeconds ? seconds[i - RateSeconds].Readings : 0);
            var end = seconds[i].Second.AddSeconds(1);
            if (end >= from)
                points.Add(new ChartPoint(end, (double)sum / Math.Min(i + 1, RateSeconds)));
        }
        return points;
    }
}
