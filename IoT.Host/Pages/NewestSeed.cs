using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pages;

/// <summary>After a start, shows the newest readings of the devices seen last, until new ones arrive.</summary>
internal sealed partial class NewestSeed(
    IMediator mediator, StorageReadiness readiness, DeviceDirectory devices, IngestActivity activity, ILogger<NewestSeed> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        var seenLast = devices.All
            .Where(d => d is { IsRegistered: true, LastSeen: not null })
            .Select(d => (d.Id, d.LastSeen))
            .OrderByDescending(d => d.LastSeen)
            .Take(IngestActivity.NewestCount)
            .ToList();
        var newest = new List<StoredReading>();
        foreach (var (id, _) in seenLast)
        {
            var page = await mediator.Send(new GetHistory(id, null, null, null, null, 1), stoppingToken);
            if (page.Failure is { } failure)
                LogLeftOut(id, failure.Detail);
            else
                newest.AddRange(page.Value.Items);
        }
        activity.Seed(newest.OrderBy(r => r.Timestamp));
    }

    [LoggerMessage(3100, LogLevel.Information, "The overview starts without the newest reading of {DeviceId}: {Reason}")]
    private partial void LogLeftOut(string deviceId, string reason);
}
