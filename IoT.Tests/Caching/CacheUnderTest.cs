using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using IoT.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>One host's cache, with the loops of its levels.</summary>
internal sealed class CacheUnderTest : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly IHostedService _keeper;

    private CacheUnderTest(CachingOptions options, string? redis, ICacheDatabase? database)
    {
        var services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton(TimeProvider.System).AddSingleton(options).AddSingleton<CacheMetrics>()
            .AddSingleton(provider => CachingModule.Build(options, redis, provider)).AddHostedService<CacheKeeper>();
        if (database is not null)
            services.AddSingleton(database);
        _services = services.BuildServiceProvider();
        Cache = _services.GetRequiredService<TieredCache>();
        _keeper = _services.GetRequiredService<IHostedService>();
    }

    public TieredCache Cache { get; }

    public static async Task<CacheUnderTest> StartAsync(CachingOptions? options = null, string? redis = null, ICacheDatabase? database = null, bool awaitRedis = true)
    {
        var cache = new CacheUnderTest(options ?? Options(), redis, database);
        await cache._keeper.StartAsync(TestContext.Current.CancellationToken);
        if (redis is not null && awaitRedis)
            await cache.ConnectedAsync();
        return cache;
    }

    /// <summary>With the patience that a busy machine needs.</summary>
    public static CachingOptions Options() => new() { RedisTimeoutMs = 1_000 };

    public Task ConnectedAsync() => Eventually.TrueAsync(
        () => Cache.Redis!.IsUsable ? Task.FromResult(true) : throw new InvalidOperationException(Cache.Redis.Status.Trouble), "Redis in use");

    public Task OpenAsync() => Eventually.TrueAsync(() => Task.FromResult(!Cache.Redis!.IsUsable), "the circuit open");

    public Task DeliveredAsync() => Eventually.TrueAsync(() => Task.FromResult(Cache.Redis is null or { IsDelivered: true } && Cache.Database is null or { IsDelivered: true }), "invalidations delivered");

    /// <summary>The proper end of a host.</summary>
    public async Task StopAsync() => await _keeper.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _keeper.StopAsync(CancellationToken.None);
        await _services.DisposeAsync();
    }
}

/// <summary>A value that a test keeps, and where it comes from: how often it was computed.</summary>
internal sealed class Source
{
    private int _computed;

    public long Value;

    public int Computed => Volatile.Read(ref _computed);

    /// <summary>What a computation waits for after it has looked at the value.</summary>
    public Func<CancellationToken, Task> Delay { get; set; } = _ => Task.CompletedTask;

    public async Task<string> ComputeAsync(CancellationToken cancellationToken)
    {
        var value = Volatile.Read(ref Value);
        Interlocked.Increment(ref _computed);
        await Delay(cancellationToken);
        return value.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>Kinds for tests, one for each reach.</summary>
internal static class Kinds
{
    public static readonly CacheKind<string> Memory = new("tests", "memory", text => 2L * text.Length)
    {
        Judge = text => text switch { "0" => CacheVerdict.KeepBriefly, "-1" => CacheVerdict.Discard, _ => CacheVerdict.Keep },
    };

    public static readonly CacheKind<string> Redis = new("tests", "redis", 1, CacheReach.Redis, new TextCodec(), text => 2L * text.Length);

    public static readonly CacheKind<string> RedisNext = new("tests", "redis", 2, CacheReach.Redis, new TextCodec(), text => 2L * text.Length);

    public static readonly CacheKind<string> Database = new("tests", "database", 1, CacheReach.Database, new TextCodec(), text => 2L * text.Length);

    public static CacheTag Tag(string name, CacheReach reach = CacheReach.Database) => CacheTag.Of("tests", name, reach);

    public static ValueTask<string> ReadAsync(this TieredCache cache, CacheKind<string> kind, string key, Source source, CancellationToken? cancellation = null, params CacheTag[] tags) =>
        cache.GetAsync(kind, key, tags, source, static (source, stop) => source.ComputeAsync(stop), cancellation ?? TestContext.Current.CancellationToken);

    private sealed class TextCodec : ICacheCodec<string>
    {
        public void Write(BinaryWriter writer, string value) => writer.Write(value);

        public string Read(BinaryReader reader) => reader.ReadString();
    }
}
