using System.Globalization;
using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>A real Redis, in every state that one can be in; two hosts on it.</summary>
public sealed class RedisTests
{
    private static readonly CacheTag Tag = Kinds.Tag("a");

    [Fact]
    public async Task What_one_host_computed_another_finds()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        await using var b = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };

        await ReadAsync(a, source);
        await Eventually.TrueAsync(async () => await redis.AskAsync("exists", "iot:value:tests:redis:1:key") == "1", "the value in Redis");

        Assert.Equal("1", await ReadAsync(b, source));
        Assert.Equal(1, source.Computed);
        Assert.Equal(1, b.Cache.Status().Levels[1].Hits);
    }

    [Fact]
    public async Task What_one_host_invalidates_is_gone_from_the_other_within_a_second()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        await using var b = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };
        await ReadAsync(a, source);
        await ReadAsync(b, source);
        var alone = new Source { Value = 1 };
        await b.Cache.ReadAsync(Kinds.Memory, "key", alone, null, Kinds.Tag("m", CacheReach.Memory));

        source.Value = 2;
        alone.Value = 2;
        a.Cache.Invalidate(Tag);
        a.Cache.Invalidate(Kinds.Tag("m", CacheReach.Memory));

        Assert.Equal("2", await ReadAsync(a, source));
        await Eventually.TrueAsync(async () => await ReadAsync(b, source) == "2", "the other host's news", TimeSpan.FromSeconds(1));
        // Of what only memory holds, too.
        await Eventually.TrueAsync(async () => await b.Cache.ReadAsync(Kinds.Memory, "key", alone, null, Kinds.Tag("m", CacheReach.Memory)) == "2", "the other host's news", TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task What_was_missed_while_away_is_caught_up_with()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        await using var b = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };
        await ReadAsync(a, source);
        await ReadAsync(b, source);

        // Both lose their connections, as over a network that is gone; one comes back with news.
        source.Value = 2;
        await redis.AskAsync("client", "kill", "type", "pubsub");
        a.Cache.Invalidate(Tag);
        await Eventually.TrueAsync(async () => await ReadAsync(b, source) == "2", "the news that b did not hear", TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task While_it_is_down_requests_go_on_and_memory_is_not_trusted_for_long()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };
        await ReadAsync(a, source);

        await redis.StopAsync();
        await a.OpenAsync();
        Assert.Equal("open", a.Cache.Status().Redis!.State);
        Assert.NotNull(a.Cache.Status().Redis!.Trouble);
        source.Value = 2;
        // Another host may have said so; it can't be heard.
        await Eventually.TrueAsync(async () => await ReadAsync(a, source) == "2", "a look at the source", TimeSpan.FromSeconds(5));
        source.Value = 3;
        a.Cache.Invalidate(Tag);
        Assert.Equal("3", await ReadAsync(a, source));

        await redis.StartAsync();
        await a.ConnectedAsync();
        await a.DeliveredAsync();
        Assert.Equal("3", await ReadAsync(a, source));
    }

    [Fact]
    public async Task A_host_starts_while_it_is_down_and_uses_it_once_it_is_there()
    {
        await using var redis = new RedisServer();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString, awaitRedis: false);
        Assert.Equal("1", await ReadAsync(a, new Source { Value = 1 }));
        await redis.StartAsync();
        await a.ConnectedAsync();
    }

    [Fact]
    public async Task One_that_answers_nothing_costs_each_of_a_few_requests_the_timeout_and_then_nobody_anything()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(new CachingOptions { RedisTimeoutMs = 200 }, redis.ConnectionString);
        redis.Pause();
        var source = new Source { Value = 1 };
        for (var i = 0; a.Cache.Redis!.IsUsable; i++)
        {
            Assert.True(i < 10, "The circuit stays closed.");
            Assert.Equal("1", await a.Cache.ReadAsync(Kinds.Redis, string.Create(CultureInfo.InvariantCulture, $"{i}"), source));
        }

        var looks = a.Cache.Status().Levels[1];
        for (var i = 0; i < 1_000; i++)
            await a.Cache.ReadAsync(Kinds.Redis, string.Create(CultureInfo.InvariantCulture, $"after-{i}"), source);
        Assert.Equal(looks.Misses + looks.Hits, a.Cache.Status().Levels[1].Misses + a.Cache.Status().Levels[1].Hits);

        redis.Resume();
        await a.ConnectedAsync();
    }

    [Fact]
    public async Task Flushed_it_is_filled_again_and_nothing_of_before_comes_back()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        await using var b = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };
        await ReadAsync(a, source);
        a.Cache.Invalidate(Tag);
        await a.DeliveredAsync();

        await redis.AskAsync("flushall");
        source.Value = 2;
        a.Cache.Invalidate(Tag);
        Assert.Equal("2", await ReadAsync(a, source));
        await Eventually.TrueAsync(async () => await ReadAsync(b, source) == "2", "the news", TimeSpan.FromSeconds(5));
        await a.DeliveredAsync();
        // The two agree on an epoch again: what one computes the other finds.
        await Eventually.TrueAsync(async () =>
        {
            var fresh = new Source { Value = 9 };
            var key = Platform.NewId("key");
            await a.Cache.ReadAsync(Kinds.Redis, key, fresh);
            await b.Cache.ReadAsync(Kinds.Redis, key, fresh);
            return fresh.Computed == 1;
        }, "values shared again");
    }

    [Fact]
    public async Task Restarted_from_an_older_snapshot_it_does_not_bring_back_what_was_invalidated()
    {
        await using var redis = new RedisServer();
        await redis.StartAsync(keeping: true);
        var source = new Source { Value = 1 };
        await using (var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString))
        {
            await ReadAsync(a, source);
            await Eventually.TrueAsync(async () => await redis.AskAsync("exists", "iot:value:tests:redis:1:key") == "1", "the value in Redis");
            await redis.AskAsync("save");
            // From here on nothing is written to disk: a crash goes back to the snapshot.
            await redis.AskAsync("config", "set", "save", "");
            source.Value = 2;
            a.Cache.Invalidate(Tag);
            await a.DeliveredAsync();
        }
        await redis.StopAsync();
        await redis.StartAsync(keeping: true);
        Assert.Equal("1", await redis.AskAsync("exists", "iot:value:tests:redis:1:key"));

        await using var other = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        Assert.Equal("2", await ReadAsync(other, source));
    }

    [Fact]
    public async Task A_wrong_password_is_said_and_requests_go_on()
    {
        await using var redis = await RedisServer.StartedAsync("right");
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString.Replace("right", "wrong", StringComparison.Ordinal), awaitRedis: false);
        Assert.Equal("1", await ReadAsync(a, new Source { Value = 1 }));
        await Eventually.TrueAsync(() => Task.FromResult(a.Cache.Status().Redis!.Trouble?.Contains("password", StringComparison.Ordinal) == true), "the reason");
        await using var b = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
    }

    [Fact]
    public async Task A_release_with_another_form_of_a_value_misses_and_does_not_disturb_the_older_one()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };
        await ReadAsync(a, source);
        Assert.Equal("1", await a.Cache.ReadAsync(Kinds.RedisNext, "key", source));
        Assert.Equal(2, source.Computed);
        // Bytes that nobody of ours has written.
        await redis.AskAsync("set", "iot:value:tests:redis:1:foreign", "what is this");
        Assert.Equal("1", await a.Cache.ReadAsync(Kinds.Redis, "foreign", source));
    }

    [Fact]
    public async Task Dropping_a_prefix_drops_it_there_and_on_the_other_host()
    {
        await using var redis = await RedisServer.StartedAsync();
        await using var a = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        await using var b = await CacheUnderTest.StartAsync(redis: redis.ConnectionString);
        var source = new Source { Value = 1 };
        await a.Cache.ReadAsync(Kinds.Redis, "a*1", source);
        await a.Cache.ReadAsync(Kinds.Redis, "ab1", source);
        await b.Cache.ReadAsync(Kinds.Memory, "a*1", source);
        await Eventually.TrueAsync(async () => await redis.AskAsync("exists", "iot:value:tests:redis:1:a*1", "iot:value:tests:redis:1:ab1") == "2", "the values in Redis");

        Assert.Equal(1, (await a.Cache.DropAsync("tests:redis:1:a*", TestContext.Current.CancellationToken)).Redis);
        Assert.Equal("1", await redis.AskAsync("exists", "iot:value:tests:redis:1:a*1", "iot:value:tests:redis:1:ab1"));
        await a.Cache.DropAsync("tests:", TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => Task.FromResult(!b.Cache.TryGet(Kinds.Memory, "a*1", out _)), "the other host's memory");
    }

    private static ValueTask<string> ReadAsync(CacheUnderTest host, Source source) => host.Cache.ReadAsync(Kinds.Redis, "key", source, null, Tag);
}
