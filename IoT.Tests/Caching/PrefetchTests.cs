using System.Globalization;
using IoT.Host.Pipeline;
using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Caching.Prefetch;
using IoT.Tests.Support;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>What is asked for next is loaded before it is.</summary>
public sealed class PrefetchTests : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);

    private readonly ManualTime _time = new();
    private readonly Busy _load = new();
    private readonly ServiceProvider _services;
    private readonly TieredCache _cache;
    private readonly Source _source = new() { Value = 1 };
    private Prefetcher _prefetcher;

    public PrefetchTests()
    {
        var options = new CachingOptions();
        _services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton<TimeProvider>(_time).AddSingleton(options).AddSingleton<CacheMetrics>()
            .AddSingleton(provider => CachingModule.Build(options, null, provider)).BuildServiceProvider();
        _cache = _services.GetRequiredService<TieredCache>();
        _prefetcher = Make(new CachingOptions { PrefetchEnabled = true });
    }

    [Fact]
    public async Task What_came_next_each_time_is_there_before_it_is_asked_for()
    {
        await RoundsAsync(3, "a", "b");
        Assert.Equal(0, _prefetcher.Status.Started);
        _cache.Invalidate(Kinds.Tag("a"));
        Assert.False(_cache.TryGet(Kinds.Memory, "b", out _));

        await AskAsync("a");
        await SettledAsync();

        Assert.True(_cache.TryGet(Kinds.Memory, "b", out _));
        var computed = _source.Computed;
        await AskAsync("b");
        Assert.Equal(computed, _source.Computed);
        Assert.Equal((1, 1, 0), (_prefetcher.Status.Started, _prefetcher.Status.Used, _prefetcher.Status.Wasted));
    }

    [Fact]
    public async Task What_memory_holds_is_not_loaded_again()
    {
        await RoundsAsync(5, "a", "b");
        await AskAsync("a");
        Assert.Equal(0, _prefetcher.Status.Started);
    }

    [Fact]
    public async Task What_comes_next_as_often_as_not_is_left_alone()
    {
        for (var i = 0; i < 12; i++)
            await RoundsAsync(1, "a", i % 2 == 0 ? "b" : "c");
        _cache.Invalidate(Kinds.Tag("a"));
        await AskAsync("a");
        Assert.Equal(0, _prefetcher.Status.Started);
    }

    [Fact]
    public async Task What_others_ask_for_in_between_does_not_count()
    {
        for (var i = 0; i < 4; i++)
        {
            await AskAsync("a", client: 1);
            await AskAsync(Name(i), client: 2);
            await AskAsync("b", client: 1);
            _time.Pass(TimeSpan.FromSeconds(10));
        }
        _cache.Invalidate(Kinds.Tag("a"));
        await AskAsync("a", client: 3);
        await SettledAsync();
        Assert.True(_cache.TryGet(Kinds.Memory, "b", out _));
    }

    [Fact]
    public async Task What_came_long_after_did_not_follow()
    {
        for (var i = 0; i < 6; i++)
        {
            await AskAsync("a");
            _time.Pass(TimeSpan.FromSeconds(3));
            await AskAsync("b");
            _time.Pass(TimeSpan.FromSeconds(3));
        }
        _cache.Invalidate(Kinds.Tag("a"));
        await AskAsync("a");
        Assert.Equal(0, _prefetcher.Status.Started);
    }

    [Fact]
    public async Task While_queries_are_busy_nothing_is_loaded_ahead()
    {
        await RoundsAsync(4, "a", "b");
        _cache.Invalidate(Kinds.Tag("a"));
        _load.Load = 0.51;
        await AskAsync("a");
        Assert.Equal((0, 1), (_prefetcher.Status.Started, _prefetcher.Status.LeftForLoad));
        _load.Load = 0.5;
        _time.Pass(TimeSpan.FromSeconds(10));
        await AskAsync("a");
        Assert.Equal(1, _prefetcher.Status.Started);
    }

    [Fact]
    public async Task What_goes_again_before_it_is_asked_for_was_wasted()
    {
        await RoundsAsync(4, "a", "b");
        _cache.Invalidate(Kinds.Tag("a"));
        await AskAsync("a");
        await SettledAsync();
        _cache.Invalidate(Kinds.Tag("a"));
        await AskAsync("b");
        Assert.Equal((0, 1), (_prefetcher.Status.Used, _prefetcher.Status.Wasted));
    }

    [Fact]
    public async Task A_load_that_fails_is_counted_and_asked_for_again_by_whoever_wants_it()
    {
        await RoundsAsync(4, "a", "b");
        _cache.Invalidate(Kinds.Tag("a"));
        _source.Delay = _ => throw new InvalidOperationException("Not now.");
        await Assert.ThrowsAsync<InvalidOperationException>(() => AskAsync("a"));
        await SettledAsync();
        Assert.Equal(1, _prefetcher.Status.Failed);
        _source.Delay = _ => Task.CompletedTask;
        Assert.Equal("1", await _cache.ReadAsync(Kinds.Memory, "b", _source));
    }

    [Fact]
    public async Task A_request_is_asked_again_through_the_pipeline_and_that_is_not_taken_for_somebody_asking()
    {
        await using var services = new ServiceCollection()
            .AddSingleton<ServiceFactory>(provider => provider.GetRequiredService).AddSingleton<IMediator, Mediator>()
            .AddSingleton(typeof(IPipelineBehavior<,>), typeof(CacheBehaviour<,>)).AddSingleton<IRequestHandler<Ask, string>>(new AskHandler(_source))
            .AddSingleton(_cache).AddSingleton(_prefetcher).AddSingleton(new RequestClient(null)).AddSingleton<TimeProvider>(_time).BuildServiceProvider();
        var mediator = services.GetRequiredService<IMediator>();
        for (var i = 0; i < 4; i++)
        {
            await mediator.Send(new Ask("a"), TestContext.Current.CancellationToken);
            await mediator.Send(new Ask("b"), TestContext.Current.CancellationToken);
            _time.Pass(TimeSpan.FromSeconds(10));
        }
        _cache.Invalidate(Kinds.Tag("a"));
        _source.Value = 2;

        await mediator.Send(new Ask("a"), TestContext.Current.CancellationToken);
        await SettledAsync();

        Assert.True(_cache.TryGet(Kinds.Memory, "b", out var value));
        Assert.Equal("2", value);
        Assert.Equal((2, 1, 0), (_prefetcher.Status.Keys, _prefetcher.Status.Started, _prefetcher.Status.Used));
        await mediator.Send(new Ask("b"), TestContext.Current.CancellationToken);
        Assert.Equal(1, _prefetcher.Status.Used);
    }

    [Fact]
    public async Task Off_it_learns_and_loads_nothing()
    {
        _prefetcher.Dispose();
        _prefetcher = Make(new CachingOptions());
        Assert.False(_prefetcher.IsOn);
        await RoundsAsync(6, "a", "b");
        _cache.Invalidate(Kinds.Tag("a"));
        await AskAsync("a");
        Assert.Equal((0, 0), (_prefetcher.Status.Started, _prefetcher.Status.Keys));
    }

    [Fact]
    public void Habits_of_before_fade_and_the_keys_are_bounded()
    {
        var successors = new Successors();
        void Follow(string first, string second)
        {
            successors.Asked(1, first, 0, _ => true);
            successors.Asked(1, second, 0, _ => true);
            successors.Asked(1, "end", 0, _ => true);
        }
        for (var i = 0; i < 1_000; i++)
            Follow("a", "b");
        Assert.Equal("b", Successors.Next(successors.Asked(1, "a", 0, _ => false), 0.6)?.Key);
        // A thousand times are outweighed by some tens.
        for (var i = 0; i < 60; i++)
            Follow("a", "c");
        Assert.Equal("c", Successors.Next(successors.Asked(1, "a", 0, _ => false), 0.6)?.Key);

        for (var i = 0; i < 3 * Successors.MostKeys; i++)
            successors.Asked(2, Name(i), 0, _ => true);
        Assert.Equal(Successors.MostKeys, successors.Count);
        Assert.Null(Successors.Next(successors.Asked(1, "a", 0, _ => false), 0.6));
    }

    public void Dispose()
    {
        _prefetcher.Dispose();
        _services.Dispose();
    }

    private Prefetcher Make(CachingOptions options) =>
        new(options, _cache, _load, _services.GetRequiredService<CacheMetrics>(), _time, NullLogger<Prefetcher>.Instance);

    /// <summary>One after the other, a while between rounds.</summary>
    private async Task RoundsAsync(int count, params string[] keys)
    {
        for (var i = 0; i < count; i++)
        {
            foreach (var key in keys)
                await AskAsync(key);
            _time.Pass(TimeSpan.FromSeconds(10));
        }
    }

    /// <summary>As the pipeline does.</summary>
    private async Task AskAsync(string key, int client = 1)
    {
        var isThere = _cache.TryGet(Kinds.Memory, key, out _);
        var answer = _cache.ReadAsync(Kinds.Memory, key, _source, null, Kinds.Tag("a", CacheReach.Memory));
        _prefetcher.Asked(client, Kinds.Memory, key, isThere, async stop => await _cache.ReadAsync(Kinds.Memory, key, _source, stop, Kinds.Tag("a", CacheReach.Memory)));
        _time.Pass(Moment);
        await answer;
    }

    private Task SettledAsync() => Eventually.TrueAsync(() => Task.FromResult(_prefetcher.Running == 0), "the loads ahead of time ended");

    private static string Name(int i) => string.Create(CultureInfo.InvariantCulture, $"key-{i}");

    private sealed record Ask(string Key) : IRequest<string>, ICacheable<string>
    {
        public static CacheKind<string> CacheKind => Kinds.Memory;

        public CacheTag[] CacheTags => [Kinds.Tag("a", CacheReach.Memory)];

        public string? CacheKey(TimeProvider time) => Key;
    }

    private sealed class AskHandler(Source source) : IRequestHandler<Ask, string>
    {
        public Task<string> Handle(Ask request, CancellationToken cancellationToken) => source.ComputeAsync(cancellationToken);
    }

    private sealed class Busy : ICacheLoad
    {
        public double Load { get; set; }
    }
}
