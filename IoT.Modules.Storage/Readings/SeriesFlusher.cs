using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>
/// Writes <c>device_series.newest_at</c> every ten seconds, for series of which enough has come meanwhile. Nothing but the speed of
/// "latest" hangs on it: what is written is true of a stored reading, and the newest is looked for from there on.
/// </summary>
internal sealed partial class SeriesFlusher(PostgresPools database, StorageReadiness readiness, DeviceSeries known, TimeProvider time, ILogger<SeriesFlusher> logger) : BackgroundService
{
    private const int SeriesAtOnce = 5_000;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // Those that a batch of readings is at are left out: neither waits for the other.
    private const string Sql =
        """
        with free as (
            select s.device_id, s.data_type, k.at from unnest(@Devices, @Types, @Ats) as k (device_id, data_type, at)
            join device_series s on s.device_id = k.device_id and s.data_type = k.data_type
            where s.newest_at is null or s.newest_at < k.at
            for no key update of s skip locked
        )
        update device_series s set newest_at = free.at from free where s.device_id = free.device_id and s.data_type = free.data_type
        """;

    /// <summary>Writes all that is worth it.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        // What comes meanwhile has its turn the next time.
        for (var left = known.UnwrittenCount; left > 0; left -= SeriesAtOnce)
        {
            var taken = known.TakeUnwritten(Math.Min(left, SeriesAtOnce));
            await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
            await connection.ExecuteAsync(new CommandDefinition(
                Sql,
                new
                {
                    Devices = new ArrayParameter<Guid>([.. taken.Select(t => t.Series.Device)], NpgsqlDbType.Uuid),
                    Types = new ArrayParameter<string>([.. taken.Select(t => t.Series.DataType)], NpgsqlDbType.Varchar),
                    Ats = new ArrayParameter<long>([.. taken.Select(t => PostgresTime.Of(t.NewestTicks))], NpgsqlDbType.TimestampTz),
                },
                cancellationToken: cancellationToken));
            foreach (var (series, newest) in taken)
                DeviceSeries.Write(series, newest);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await FlushAsync(stoppingToken);
            }
            catch (System.Data.Common.DbException exception)
            {
                // What was taken comes again with a series' next readings.
                LogFailed(exception);
            }
        }
    }

    [LoggerMessage(1142, LogLevel.Warning, "The places of the newest readings could not be written; \"latest\" reads a little more until the next try in ten seconds")]
    private partial void LogFailed(Exception exception);
}
