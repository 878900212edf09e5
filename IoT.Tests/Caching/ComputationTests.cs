using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>One cache, memory alone.</summary>
public sealed class ComputationTests
{
    [Fact]
    public async Task A_thousand_who_ask_at_once_get_one_computation()
    {
        await using var host = await CacheUnderTest.StartAsync();
        var gate = new TaskCompletionSource();
        var source = new Source { Value = 7, Delay = _ => gate.Task };

        var asked = Enumerable.Range(0, 1_000).Select(_ => Task.Run(() => host.Cache.ReadAsync(Kinds.Memory, "many", source).AsTask())).ToArray();
        await Support.Eventually.TrueAsync(() => Task.FromResult(host.Cache.Status().Kinds.Sum(k => k.Joined) == 999), "all of them waiting");
        gate.SetResult();

        Assert.All(await Task.WhenAll(asked), value => Assert.Equal("7", value));
        Assert.Equal(1, source.Computed);
    }

    [Fact]
    public async Task What_is_computed_before_an_invalidation_is_not_found_after_it()
    {
        await using var host = await CacheUnderTest.StartAsync();
        var gate = new TaskCompletionSource();
        var source = new Source { Value = 1, Delay = _ => gate.Task };
        var early = host.Cache.ReadAsync(Kinds.Memory, "key", source, null, Kinds.Tag("a"));

        source.Value = 2;
        host.Cache.Invalidate(Kinds.Tag("a"));
        // One who asks after the invalidation doesn't join the older computation either.
        var late = host.Cache.ReadAsync(Kinds.Memory, "key", source, null, Kinds.Tag("a"));
        gate.SetResult();

        Assert.Equal("1", await early);
        Assert.Equal("2", await late);
        Assert.Equal("2", await host.Cache.ReadAsync(Kinds.Memory, "key", source, null, Kinds.Tag("a")));
        Assert.Equal(2, source.Computed);
    }

    [Fact]
    public async Task A_key_is_invalidated_by_itself()
    {
        await using var host = await CacheUnderTest.StartAsync();
        var source = new Source { Value = 1 };
        await host.Cache.ReadAsync(Kinds.Memory, "key", source);
        await host.Cache.ReadAsync(Kinds.Memory, "other", source);
        source.Value = 2;

        host.Cache.Invalidate(Kinds.Memory, "key");

        Assert.Equal("2", await host.Cache.ReadAsync(Kinds.Memory, "key", source));
        Assert.Equal("1", await host.Cache.ReadAsync(Kinds.Memory, "other", source));
    }

    [Fact]
    public async Task One_who_gives_up_leaves_the_computation_to_the_others_and_the_last_ends_it()
    {
        await using var host = await CacheUnderTest.StartAsync();
        var ended = new TaskCompletionSource();
        var source = new Source
        {
            Value = 1,
            Delay = async stop =>
            {
                await using var registration = stop.Register(() => ended.TrySetResult());
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
            },
        };
        using CancellationTokenSource first = new(), second = new();
        var one = host.Cache.ReadAsync(Kinds.Memory, "key", source, first.Token).AsTask();
        var other = host.Cache.ReadAsync(Kinds.Memory, "key", source, second.Token).AsTask();

        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        Assert.False(ended.Task.IsCompleted);
        await second.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);

        source.Delay = _ => Task.CompletedTask;
        Assert.Equal("1", await host.Cache.ReadAsync(Kinds.Memory, "key", source));
    }

    [Fact]
    public async Task A_computation_that_ends_with_the_one_who_began_it_is_begun_again_for_those_who_joined()
    {
        await using var host = await CacheUnderTest.StartAsync();
        using var first = new CancellationTokenSource();
        // As the pipeline does: what comes next has the first one's token in it.
        var source = new Source { Value = 1, Delay = _ => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, first.Token) };
        var one = host.Cache.ReadAsync(Kinds.Memory, "key", source, first.Token).AsTask();
        var other = host.Cache.ReadAsync(Kinds.Memory, "key", source).AsTask();

        source.Delay = _ => Task.CompletedTask;
        await first.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        Assert.Equal("1", await other);
    }

    [Fact]
    public async Task A_failure_reaches_all_who_wait_and_is_not_kept()
    {
        await using var host = await CacheUnderTest.StartAsync();
        var source = new Source { Delay = _ => throw new InvalidOperationException("no") };
        await Assert.ThrowsAsync<InvalidOperationException>(() => host.Cache.ReadAsync(Kinds.Memory, "key", source).AsTask());

        source.Delay = _ => Task.CompletedTask;
        source.Value = 3;
        Assert.Equal("3", await host.Cache.ReadAsync(Kinds.Memory, "key", source));
        Assert.Equal(0, host.Cache.Loading);
    }

    [Fact]
    public async Task That_there_is_nothing_is_kept_for_a_short_time_and_what_may_not_be_kept_is_not()
    {
        await using var host = await CacheUnderTest.StartAsync(new CachingOptions { NegativeTtlSeconds = 1 });
        var nothing = new Source { Value = 0 };
        await host.Cache.ReadAsync(Kinds.Memory, "nothing", nothing);
        await host.Cache.ReadAsync(Kinds.Memory, "nothing", nothing);
        Assert.Equal(1, nothing.Computed);
        nothing.Value = 5;
        await Support.Eventually.TrueAsync(async () => await host.Cache.ReadAsync(Kinds.Memory, "nothing", nothing) == "5", "another look");

        var failure = new Source { Value = -1 };
        await host.Cache.ReadAsync(Kinds.Memory, "failure", failure);
        await host.Cache.ReadAsync(Kinds.Memory, "failure", failure);
        Assert.Equal(2, failure.Computed);
    }

    [Fact]
    public async Task Memory_is_bounded_in_bytes()
    {
        await using var host = await CacheUnderTest.StartAsync(new CachingOptions { L1CacheSizeMiB = 1 });
        var source = new Source { Value = 1 };
        var large = new CacheKind<byte[]>("tests", "large", bytes => bytes.Length);
        for (var i = 0; i < 1_000; i++)
        {
            await host.Cache.GetAsync(large, $"{i}", [], i, static (_, _) => Task.FromResult(new byte[10_000]), TestContext.Current.CancellationToken);
            Assert.InRange(host.Cache.Status().Levels[0].Bytes!.Value, 0, 1024 * 1024);
        }
        await Support.Eventually.TrueAsync(() => Task.FromResult(host.Cache.Status().Levels[0].Evictions > 0), "evictions counted");
        // And it still takes new ones.
        await Support.Eventually.TrueAsync(async () =>
        {
            await host.Cache.ReadAsync(Kinds.Memory, "new", source);
            return host.Cache.TryGet(Kinds.Memory, "new", out _);
        }, "room for a new value");
    }

    [Fact]
    public async Task A_hit_in_memory_allocates_nothing()
    {
        await using var host = await CacheUnderTest.StartAsync();
        await host.Cache.ReadAsync(Kinds.Memory, "key", new Source { Value = 1 });
        for (var round = 0; ; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 10_000; i++)
                Assert.True(host.Cache.TryGet(Kinds.Memory, "key", out _));
            if (GC.GetAllocatedBytesForCurrentThread() == before)
                return;
            Assert.True(round < 100, "hits allocate");
        }
    }

    [Fact]
    public async Task A_value_goes_no_further_than_what_invalidates_it()
    {
        await using var host = await CacheUnderTest.StartAsync();
        await Assert.ThrowsAsync<ArgumentException>(() => host.Cache.ReadAsync(Kinds.Redis, "key", new Source(), null, Kinds.Tag("a", CacheReach.Memory)).AsTask());
    }

    [Fact]
    public async Task Dropping_a_prefix_takes_what_is_there_and_what_is_on_its_way()
    {
        await using var host = await CacheUnderTest.StartAsync();
        var source = new Source { Value = 1 };
        await host.Cache.ReadAsync(Kinds.Memory, "a-1", source);
        await host.Cache.ReadAsync(Kinds.Memory, "b-1", source);
        var gate = new TaskCompletionSource();
        var slow = new Source { Value = 1, Delay = _ => gate.Task };
        var running = host.Cache.ReadAsync(Kinds.Memory, "a-2", slow).AsTask();

        var dropped = await host.Cache.DropAsync("tests:memory:1:a-", TestContext.Current.CancellationToken);
        gate.SetResult();
        await running;

        Assert.Equal(1, dropped.Memory);
        Assert.False(host.Cache.TryGet(Kinds.Memory, "a-1", out _));
        Assert.False(host.Cache.TryGet(Kinds.Memory, "a-2", out _));
        Assert.True(host.Cache.TryGet(Kinds.Memory, "b-1", out _));
        Assert.Equal(0, host.Cache.DropTag("nobody:has"));
    }
}
