using System.Diagnostics;
using System.Globalization;
using System.Text;
using IoT.Benchmarks.Runner;
using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace IoT.Benchmarks.Cache;

/// <summary>What the cache costs and brings, each beside the bare thing below it.</summary>
internal sealed class CacheBenchmark : IDisposable
{
    public const string Name = "cache";

    private const string Key = "device-0123456789";
    private const int Rounds = 7;

    private static readonly CacheKind<byte[]> Memory = new("bench", "memory", bytes => bytes.Length);
    private static readonly CacheKind<byte[]> Redis = new("bench", "redis", 1, CacheReach.Redis, new BytesCodec(), bytes => bytes.Length);

    private readonly BenchOptions _options;
    private readonly List<Figure> _figures;
    private readonly CancellationToken _stop;
    private readonly WorkFolder _folder;

    private CacheBenchmark(BenchOptions options, List<Figure> figures, CancellationToken stop) =>
        (_options, _figures, _stop, _folder) = (options, figures, stop, new WorkFolder(options.Keep));

    public static async Task RunAsync(BenchOptions options, List<Figure> figures, CancellationToken cancellationToken)
    {
        using var benchmark = new CacheBenchmark(options, figures, cancellationToken);
        if (options.Wants("l1_hit", "stampede"))
            await benchmark.MemoryAsync();
        if (options.Wants("l2_hit", "redis_down"))
            await benchmark.RedisAsync();
        if (options.Wants("prefetch"))
            await benchmark.PrefetchAsync();
        if (options.Wants("latest"))
            await benchmark.LatestAsync();
    }

    public void Dispose() => _folder.Dispose();

    private async Task MemoryAsync()
    {
        await using var services = Build(null);
        var cache = services.GetRequiredService<TieredCache>();
        var value = new byte[300];
        await cache.GetAsync(Memory, Key, [CacheTag.Of("bench", "a", CacheReach.Memory)], value, static (v, _) => Task.FromResult(v), _stop);
        using var bare = new MemoryCache(new MemoryCacheOptions { SizeLimit = 1 << 20 });
        bare.Set(Memory.Prefix + Key, value, new MemoryCacheEntryOptions { Size = 300, AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) });
        object full = Memory.Prefix + Key;

        if (_options.Wants("l1_hit"))
        {
            var count = _options.IsQuick ? 1_000_000 : 5_000_000;
            var (ours, reference) = Best(() => Time(count, n => Hits(cache, n)), () => Time(count, n => Hits(bare, full, n)));
            Add(Figure.AtMost(Name, "l1_hit", ours, "ns", "IMemoryCache.TryGetValue", reference, 2));
            var before = GC.GetAllocatedBytesForCurrentThread();
            Hits(cache, 1_000_000);
            Add(Figure.Below(Name, "l1_hit: allocated", (GC.GetAllocatedBytesForCurrentThread() - before) / 1e6, "B", 0.001));
        }
        if (!_options.Wants("stampede"))
            return;
        var worst = new List<double>();
        var loads = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"stampede-{round}");
            var started = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ => cache.GetAsync(Memory, key, [], value, async (v, stop) =>
            {
                Interlocked.Increment(ref loads);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, stop);
                return v;
            }, _stop).AsTask()));
            worst.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        worst.Sort();
        Add(Figure.Below(Name, "stampede: 1,000 on a load of 50 ms, all answered after (median of 7)", worst[Rounds / 2], "ms", 60));
        Add(Figure.Below(Name, "stampede: loads beyond the first", (double)loads / Rounds - 1, "loads", 0.001));
    }

    private async Task RedisAsync()
    {
        var port = HostUnderTest.FreePort();
        var server = Process.Start(new ProcessStartInfo("redis-server", ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder.Path]) { RedirectStandardOutput = true })!;
        var address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        try
        {
            await using var services = Build(address);
            var cache = services.GetRequiredService<TieredCache>();
            var keeper = services.GetRequiredService<IHostedService>();
            await keeper.StartAsync(_stop);
            while (!cache.Redis!.IsUsable)
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, _stop);
            await using var bare = await ConnectionMultiplexer.ConnectAsync(address);
            var value = new byte[300];
            await bare.GetDatabase().StringSetAsync("bare", value);
            await GetAsync(cache, value);
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, _stop);
            if (_options.Wants("l2_hit"))
            {
                var count = _options.IsQuick ? 3_000 : 15_000;
                var ours = new List<double>();
                var reference = new List<double>();
                for (var round = 0; round < Rounds; round++)
                {
                    reference.Add(await TimeAsync(count, async () => await bare.GetDatabase().StringGetAsync("bare")));
                    ours.Add(await TimeAsync(count, async () =>
                    {
                        cache.Memory.Remove(Redis.Prefix + Key);
                        await GetAsync(cache, null);
                    }));
                }
                Add(Figure.AtMost(Name, "l2_hit", ours.Min(), "µs", "StringGetAsync", reference.Min(), 1.3));
            }
            if (_options.Wants("redis_down"))
            {
                server.Kill();
                await server.WaitForExitAsync(_stop);
                while (cache.Redis.IsUsable)
                    await GetAsync(cache, value);
                await using var without = Build(null);
                var plain = without.GetRequiredService<TieredCache>();
                // A load as short as the quickest query.
                var (down, none) = (new List<double>(), new List<double>());
                for (var round = 0; round < Rounds; round++)
                {
                    none.Add(await TimeAsync(300, () => LoadAsync(plain)));
                    down.Add(await TimeAsync(300, () => LoadAsync(cache)));
                }
                Add(Figure.AtMost(Name, "redis_down: a miss with a load of 1 ms, circuit open", down.Min(), "µs", "without Redis", none.Min(), 1.1));
            }
            await keeper.StopAsync(_stop);
        }
        finally
        {
            if (!server.HasExited)
                server.Kill();
            server.Dispose();
        }
    }

    private async Task PrefetchAsync()
    {
        foreach (var (name, events) in new[] { ("recorded", DashboardTrace.Read()), ("synthetic", DashboardTrace.Make()) })
        {
            var without = await PrefetchReplay.RunAsync(events, new CachingOptions(), _stop);
            var with = await PrefetchReplay.RunAsync(events, new CachingOptions { PrefetchEnabled = true }, _stop);
            Add(Figure.Told(Name, $"prefetch: {name} trace, found in memory", 100 * with.Hits, "%", "without", 100 * without.Hits));
            Add(Figure.Told(Name, $"prefetch: {name} trace, still being loaded", 100 * with.Joined, "%"));
            Add(Figure.Told(Name, $"prefetch: {name} trace, loads", with.Loads, "loads", "without", without.Loads));
            Add(Figure.Told(Name, $"prefetch: {name} trace, of those ahead of time wasted", 100d * with.Wasted / Math.Max(1, with.Ahead), "%"));
        }
    }

    private async Task LatestAsync()
    {
        await using var host = await HostUnderTest.StartAsync(_folder, "cache", new Dictionary<string, string>(), _stop);
        using var reading = new StringContent("""{"device_id":"device-1","data_type":"machine","payload":{"temperature":21.5,"vibration":1.25,"state":"on"}}""", Encoding.UTF8, "application/json");
        (await host.Client.PostAsync(new Uri("/api/v1/data", UriKind.Relative), reading, _stop)).EnsureSuccessStatusCode();
        const string Path = "/api/v1/devices/device-1/latest";
        var answer = await host.Client.GetByteArrayAsync(new Uri(Path, UriKind.Relative), _stop);
        var port = HostUnderTest.FreePort();
        await using var reference = await LatestServer.StartAsync(port, answer, _stop);
        var length = TimeSpan.FromSeconds(_options.Seconds ?? (_options.IsQuick ? 2 : 5));
        var (ours, bare) = (new List<double>(), new List<double>());
        for (var round = 0; round < (_options.IsQuick ? 2 : 5); round++)
        {
            bare.Add(await RawReader.RateAsync(port, Path, null, length, _stop));
            ours.Add(await RawReader.RateAsync(host.HttpPort, Path, HostUnderTest.AdminKey, length, _stop));
        }
        Add(Figure.AtLeast(Name, "latest: GET /devices/{id}/latest", ours.Max(), "requests/s", "Kestrel with the same bytes", bare.Max(), 0.6));
        await host.StopAsync();
    }

    private static ServiceProvider Build(string? redis)
    {
        var options = new CachingOptions { RedisTimeoutMs = 1_000 };
        return new ServiceCollection().AddLogging().AddMetrics().AddSingleton(TimeProvider.System).AddSingleton(options).AddSingleton<CacheMetrics>()
            .AddSingleton(provider => CachingModule.Build(options, redis, provider)).AddHostedService<CacheKeeper>().BuildServiceProvider();
    }

    private static ValueTask<byte[]> GetAsync(TieredCache cache, byte[]? value) => cache.GetAsync(
        Redis, Key, [], value, static (v, _) => Task.FromResult(v ?? throw new InvalidOperationException("Redis did not have it.")), CancellationToken.None);

    private static async Task LoadAsync(TieredCache cache)
    {
        cache.Memory.Remove(Redis.Prefix + "load");
        await cache.GetAsync(Redis, "load", [], 0, static async (_, stop) =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, stop);
            return new byte[300];
        }, CancellationToken.None);
    }

    private static void Hits(TieredCache cache, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (!cache.TryGet(Memory, Key, out _))
                throw new InvalidOperationException("It is gone.");
        }
    }

    private static void Hits(MemoryCache cache, object key, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (!cache.TryGetValue(key, out _))
                throw new InvalidOperationException("It is gone.");
        }
    }

    /// <summary>The best of some rounds of each, one after the other.</summary>
    private static (double First, double Second) Best(Func<double> first, Func<double> second)
    {
        var (a, b) = (double.MaxValue, double.MaxValue);
        for (var round = 0; round < Rounds; round++)
            (a, b) = (Math.Min(a, first()), Math.Min(b, second()));
        return (a, b);
    }

    private static double Time(int count, Action<int> run)
    {
        var started = Stopwatch.GetTimestamp();
        run(count);
        return Stopwatch.GetElapsedTime(started).TotalNanoseconds / count;
    }

    private static async Task<double> TimeAsync(int count, Func<Task> run)
    {
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
            await run();
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / count;
    }

    private void Add(Figure figure) => _figures.Add(figure);

    private sealed class BytesCodec : ICacheCodec<byte[]>
    {
        public void Write(BinaryWriter writer, byte[] value)
        {
            writer.Write7BitEncodedInt(value.Length);
            writer.Write(value);
        }

        public byte[] Read(BinaryReader reader) => reader.ReadBytes(reader.Read7BitEncodedInt());
    }
}
