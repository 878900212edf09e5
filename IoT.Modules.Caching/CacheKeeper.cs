using IoT.Modules.Caching.Contracts;
using IoT.Modules.Caching.Database;
using IoT.Modules.Caching.Memory;
using IoT.Modules.Caching.Redis;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Caching;

/// <summary>
/// Runs the loops of the lower levels, and sees to it that what an earlier run of this host left there is not trusted when that run did not
/// end properly: readings may have been stored whose invalidations never went out.
/// </summary>
internal sealed partial class CacheKeeper(TieredCache cache, IEnumerable<ICacheDatabase> databases, ILogger<CacheKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan LongestFlush = TimeSpan.FromSeconds(2);

    private readonly ICacheDatabase? _database = databases.FirstOrDefault();

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_database?.TryOpen() == false)
        {
            LogImproperEnd();
            cache.Invalidate(CacheTag.Everything);
        }
        await base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(RunAsync(cache.Redis, stoppingToken), RunAsync(cache.Database, stoppingToken));

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(LongestFlush);
        try
        {
            if (cache.Redis is { } redis)
                await redis.FlushAsync(enough.Token);
            if (cache.Database is { IsReady: true } database)
                await database.FlushAsync(enough.Token);
        }
        catch (Exception exception)
        {
            LogNotFlushed(exception.Message);
        }
        if (cache.Redis is null or { IsDelivered: true } && cache.Database is null or { IsDelivered: true })
            _database?.Close();
    }

    private static Task RunAsync(RedisLevel? redis, CancellationToken stop) => redis?.RunAsync(stop) ?? Task.CompletedTask;

    private static Task RunAsync(DatabaseLevel? database, CancellationToken stop) => database?.RunAsync(stop) ?? Task.CompletedTask;

    [LoggerMessage(5020, LogLevel.Information, "The host did not end properly the last time: what it left in the lower levels of the cache is void")]
    private partial void LogImproperEnd();

    [LoggerMessage(5021, LogLevel.Warning, "The last invalidations of the cache could not be delivered; the next start makes its lower levels void. {Reason}")]
    private partial void LogNotFlushed(string reason);
}
