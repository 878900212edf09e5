using IoT.Modules.Caching.Contracts;
using IoT.Modules.Caching.Database;
using IoT.Modules.Caching.Memory;
using IoT.Modules.Caching.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace IoT.Modules.Caching;

/// <summary>Memory, Redis and the database as one cache.</summary>
public static class CachingModule
{
    /// <summary>Before the module that brings the <see cref="ICacheDatabase"/> starts, and hence after it stops, nothing is asked of it.</summary>
    public static IServiceCollection AddCaching(this IServiceCollection services, IConfiguration configuration)
    {
        var options = configuration.GetSection(CachingOptions.Section).Get<CachingOptions>() ?? new();
        var redis = configuration.GetConnectionString("Redis");
        services.AddSingleton(options);
        services.AddSingleton<CacheMetrics>();
        services.AddSingleton(provider => Build(options, redis, provider));
        services.AddSingleton(provider => new Prefetcher(
            options, provider.GetRequiredService<TieredCache>(), provider.GetService<ICacheLoad>(), provider.GetRequiredService<CacheMetrics>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<Prefetcher>>()));
        services.AddHostedService<CacheKeeper>();
        return services;
    }

    /// <summary>What is wrong with a connection string for Redis; null when nothing is.</summary>
    public static string? WhatIsWrongWith(string redis)
    {
        try
        {
            return Parse(redis).EndPoints.Count == 0 ? "it names no server" : null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            return exception.Message;
        }
    }

    internal static TieredCache Build(CachingOptions options, string? redis, IServiceProvider provider)
    {
        var time = provider.GetRequiredService<TimeProvider>();
        var loggers = provider.GetRequiredService<ILoggerFactory>();
        var generations = new Generations();
        return new TieredCache(
            options, generations,
            string.IsNullOrWhiteSpace(redis) ? null : new RedisLevel(Parse(redis), options, generations, time, loggers.CreateLogger<RedisLevel>()),
            options.L3CacheSizeMiB > 0 && provider.GetService<ICacheDatabase>() is { } database
                ? new DatabaseLevel(database, options.L3CacheSizeMiB * 1024L * 1024L, time, loggers.CreateLogger<DatabaseLevel>())
                : null,
            provider.GetRequiredService<CacheMetrics>(), time);
    }

    private static ConfigurationOptions Parse(string redis)
    {
        var parsed = ConfigurationOptions.Parse(redis);
        parsed.ClientName ??= "iot";
        // The circuit is ours: the library keeps trying to connect, and what can't be sent at once fails at once.
        parsed.AbortOnConnectFail = false;
        // For INFO alone, which tells one run of a server from another.
        parsed.AllowAdmin = true;
        parsed.BacklogPolicy = BacklogPolicy.FailFast;
        parsed.ReconnectRetryPolicy = new LinearRetry(500);
        parsed.ConnectRetry = 0;
        parsed.ConnectTimeout = 2_000;
        return parsed;
    }
}
