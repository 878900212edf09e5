using System.Globalization;
using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Cache;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>
/// The rule that matters: whoever asks after an invalidation gets nothing computed before it. Writers change values and invalidate them,
/// readers ask, memory is emptied under them so that the lower levels answer, hosts come and go.
/// </summary>
public sealed class NeverAfterTests(SharedPlatform platform)
{
    private const int Keys = 4;
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task In_memory()
    {
        await using var host = await CacheUnderTest.StartAsync();
        await RunAsync(host.Cache, Kinds.Memory);
    }

    [Fact]
    public async Task Through_Redis()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var host = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        // Another host that fills Redis with what it computed from values that it looked at long ago.
        await using var other = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        await RunAsync(host.Cache, Kinds.Redis, other.Cache);
        Assert.True(host.Cache.Status().Levels[1].Hits > 0, "Redis never answered.");
    }

    [Fact]
    public async Task Through_a_Redis_that_comes_and_goes()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var host = await CacheUnderTest.StartAsync(new CachingOptions { RedisTimeoutMs = 100 }, redis.ConnectionString);
        using var stop = new CancellationTokenSource();
        var trouble = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                redis.Pause();
                await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, CancellationToken.None);
                redis.Resume();
                await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, CancellationToken.None);
                await redis.AskAsync("flushall");
            }
        }, CancellationToken.None);
        await RunAsync(host.Cache, Kinds.Redis);
        await stop.CancelAsync();
        await trouble;
    }

    [Fact]
    public async Task Through_the_database()
    {
        await using var pools = Pools();
        using var database = Database(pools);
        await using var host = await CacheUnderTest.StartAsync(database: database);
        await using var other = await CacheUnderTest.StartAsync(database: Database(pools));
        await RunAsync(host.Cache, Kinds.Database, other.Cache);
        Assert.True(host.Cache.Status().Levels[2].Hits > 0, "The database never answered.");
    }

    /// <summary>The database that the platform keeps.</summary>
    internal PostgresPools Pools() => Pools(platform.ConnectionString);

    internal static PostgresPools Pools(string connectionString)
    {
        var pools = new PostgresPools(new Modules.Storage.StorageOptions());
        pools.Open(connectionString + ";Pooling=true", connectionString + ";Pooling=true");
        pools.MarkReady();
        return pools;
    }

    internal static CacheDatabase Database(PostgresPools pools, string? folder = null) =>
        new(pools, new DataOptions { Directory = folder ?? Path.GetTempPath() }, NullLogger<CacheDatabase>.Instance);

    private static async Task RunAsync(TieredCache cache, CacheKind<string> kind, TieredCache? other = null)
    {
        using var stop = new CancellationTokenSource(Length);
        var run = Platform.NewId("run");
        var truth = new long[Keys];
        var invalidated = new long[Keys];
        var failure = (string?)null;
        var reads = 0L;

        var writer = Task.Run(async () =>
        {
            var random = new Random(1);
            while (!stop.IsCancellationRequested)
            {
                var key = random.Next(Keys);
                var value = Interlocked.Increment(ref truth[key]);
                cache.Invalidate(TagOf(key));
                Volatile.Write(ref invalidated[key], value);
                if (random.Next(4) == 0)
                    await Task.Delay(TimeSpan.FromMilliseconds(random.Next(20)), TimeProvider.System, CancellationToken.None);
            }
        }, CancellationToken.None);
        var readers = Enumerable.Range(0, 4).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            while (!stop.IsCancellationRequested)
            {
                var key = random.Next(Keys);
                var before = Volatile.Read(ref invalidated[key]);
                var value = long.Parse(await AskAsync(cache, key, random.Next(3)), CultureInfo.InvariantCulture);
                Interlocked.Increment(ref reads);
                if (value < before)
                    failure ??= $"key {key}: {value} after {before} was invalidated";
                if (random.Next(20) == 0)
                    cache.Memory.Clear();
            }
        }, CancellationToken.None)).ToArray();
        var filler = other is null ? Task.CompletedTask : Task.Run(async () =>
        {
            var random = new Random(9);
            while (!stop.IsCancellationRequested)
            {
                await AskAsync(other, random.Next(Keys), random.Next(30));
                other.Memory.Clear();
            }
        }, CancellationToken.None);

        await Task.WhenAll([writer, filler, .. readers]);
        Assert.Null(failure);
        Assert.True(reads > 100, $"Only {reads} reads.");

        CacheTag TagOf(int key) => CacheTag.Of(run, key.ToString(CultureInfo.InvariantCulture), kind.Reach);

        ValueTask<string> AskAsync(TieredCache from, int key, int delayMs) =>
            from.GetAsync(kind, $"{run}-{key}", [TagOf(key)], (truth, key, delayMs), static async (s, _) =>
            {
                var value = Volatile.Read(ref s.truth[s.key]);
                if (s.delayMs > 0)
                    await Task.Delay(TimeSpan.FromMilliseconds(s.delayMs), TimeProvider.System, CancellationToken.None);
                return value.ToString(CultureInfo.InvariantCulture);
            }, CancellationToken.None);
    }
}
