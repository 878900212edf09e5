using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Devices;

/// <summary>
/// Writes <c>devices.last_seen_at</c> for the devices that were seen since the last time, every ten seconds and once at stop. In
/// between, answers take it from the directory; a kill loses ten seconds of it and no reading.
/// </summary>
internal sealed partial class LastSeenFlusher(
    PostgresPools database, StorageReadiness readiness, DeviceDirectory directory, TimeProvider time, ILogger<LastSeenFlusher> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (readiness.Ready.IsCompletedSuccessfully)
            await TryFlushAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await TryFlushAsync(stoppingToken);
    }

    private async Task TryFlushAsync(CancellationToken cancellationToken)
    {
        var seen = directory.All
            .Where(d => d.IsRegistered)
            .Select(device => (device, at: device.LastSeen))
            .Where(s => s.at != s.device.PersistedLastSeen)
            .ToArray();
        if (seen.Length == 0)
            return;
        try
        {
            await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
            await connection.ExecuteAsync(new CommandDefinition(
                """
                update devices set last_seen_at = s.at
                from unnest(@Ids, @Ats) as s (id, at)
                where devices.id = s.id and (last_seen_at is null or last_seen_at < s.at)
                """,
                new
                {
                    Ids = new ArrayParameter<Guid>([.. seen.Select(s => s.device.Uuid)], NpgsqlDbType.Uuid),
                    Ats = new ArrayParameter<DateTime>([.. seen.Select(s => s.at!.Value)], NpgsqlDbType.TimestampTz),
                },
                cancellationToken: cancellationToken));
            foreach (var (device, at) in seen)
                device.PersistedLastSeen = at;
        }
        catch (System.Data.Common.DbException exception)
        {
            LogFailed(exception);
        }
    }

    [LoggerMessage(1130, LogLevel.Warning, "When devices were last seen could not be written; the next try is in ten seconds")]
    private partial void LogFailed(Exception exception);
}
