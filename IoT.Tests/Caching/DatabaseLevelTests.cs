using IoT.Modules.Caching.Contracts;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>The cache's table in a real PostgreSQL.</summary>
public sealed class DatabaseLevelTests(SharedPlatform platform)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_computed_before_a_restart_is_found_after_it_unless_the_host_did_not_end_properly()
    {
        var folder = Directory.CreateTempSubdirectory("iot-cache-").FullName;
        await using var pools = NeverAfterTests.Pools(platform.ConnectionString);
        var source = new Source { Value = 1 };
        var key = Platform.NewId("key");
        var tag = Kinds.Tag(key);

        var first = await CacheUnderTest.StartAsync(database: NeverAfterTests.Database(pools, folder));
        await ReadUntilKeptAsync(first, pools, key, source, tag);
        await first.StopAsync();

        await using (var second = await CacheUnderTest.StartAsync(database: NeverAfterTests.Database(pools, folder)))
        {
            await second.Cache.ReadAsync(Kinds.Database, key, source, null, tag);
            Assert.Equal(1, source.Computed);
        }

        // A host that is killed leaves its mark behind.
        Assert.True(NeverAfterTests.Database(pools, folder).TryOpen());
        await using var third = await CacheUnderTest.StartAsync(database: NeverAfterTests.Database(pools, folder));
        await third.Cache.ReadAsync(Kinds.Database, key, source, null, tag);
        Assert.Equal(2, source.Computed);
        await third.StopAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task An_invalidation_is_there_for_the_next_run()
    {
        var folder = Directory.CreateTempSubdirectory("iot-cache-").FullName;
        await using var pools = NeverAfterTests.Pools(platform.ConnectionString);
        var source = new Source { Value = 1 };
        var key = Platform.NewId("key");
        var tag = Kinds.Tag(key);
        var first = await CacheUnderTest.StartAsync(database: NeverAfterTests.Database(pools, folder));
        await ReadUntilKeptAsync(first, pools, key, source, tag);
        source.Value = 2;
        first.Cache.Invalidate(tag);
        await first.StopAsync();

        await using var second = await CacheUnderTest.StartAsync(database: NeverAfterTests.Database(pools, folder));
        Assert.Equal("2", await second.Cache.ReadAsync(Kinds.Database, key, source, null, tag));
    }

    [Fact]
    public async Task The_table_is_cleaned_of_what_has_expired_and_of_what_is_too_much()
    {
        await using var pools = NeverAfterTests.Pools(platform.ConnectionString);
        using var database = NeverAfterTests.Database(pools);
        var run = Platform.NewId("clean");
        var stamp = (await StampAsync(database)).GetValueOrDefault();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await database.WriteAsync([new CacheRow($"{run}-old", stamp, new byte[10], now.AddSeconds(-1)), new CacheRow($"{run}-new", stamp, new byte[10], now.AddDays(2))], Stop);
        Assert.NotNull((await database.ReadAsync($"{run}-new", [0], Stop)).Value);
        Assert.Null((await database.ReadAsync($"{run}-old", [0], Stop)).Value);

        await database.CleanAsync(long.MaxValue, Stop);
        Assert.Equal([$"{run}-new"], await database.KeysAsync(run, 10, Stop));

        // What expires last stays.
        await database.WriteAsync([.. Enumerable.Range(0, 20).Select(i => new CacheRow($"{run}-{i}", stamp, new byte[1_000], now.AddDays(3 + i)))], Stop);
        await database.CleanAsync(5_000, Stop);
        var kept = await database.KeysAsync(run, 100, Stop);
        Assert.InRange(kept.Count, 1, 4);
        Assert.Contains($"{run}-19", kept);
        Assert.Equal(kept.Count, await database.RemoveAsync(kept, Stop));
    }

    [Fact]
    public async Task After_a_crash_of_the_database_no_sum_of_before_comes_again()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await Database.RunAsync(postgres.ConnectionString, await File.ReadAllTextAsync(Path.Combine(Repository.Root, "IoT.Modules.Storage/Database/Migrations/0016_cache.sql"), Stop));
        await using var pools = NeverAfterTests.Pools(postgres.ConnectionString);
        using var database = NeverAfterTests.Database(pools);
        // As it is after one: both tables empty.
        Assert.Null(await StampAsync(database, clean: false));
        var before = (await StampAsync(database)).GetValueOrDefault();
        await Database.RunAsync(postgres.ConnectionString, "truncate cache_entries, cache_generations");
        await database.WriteAsync([new CacheRow("late", before, [1], TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(1))], Stop);
        Assert.True(await StampAsync(database) > before);
        Assert.Null((await database.ReadAsync("late", [0], Stop)).Value);
    }

    private static async Task<long?> StampAsync(Modules.Storage.Cache.CacheDatabase database, bool clean = true)
    {
        if (clean)
            await database.CleanAsync(long.MaxValue, Stop);
        return (await database.ReadAsync("nothing", [0], Stop)).Stamp;
    }

    private static async Task ReadUntilKeptAsync(CacheUnderTest host, Modules.Storage.Database.PostgresPools pools, string key, Source source, CacheTag tag)
    {
        await StampAsync(NeverAfterTests.Database(pools));
        await host.DeliveredAsync();
        await host.Cache.ReadAsync(Kinds.Database, key, source, null, tag);
        await Eventually.TrueAsync(async () => (await NeverAfterTests.Database(pools).KeysAsync($"tests:database:1:{key}", 10, Stop)).Count == 1, "the value in the table");
    }
}
