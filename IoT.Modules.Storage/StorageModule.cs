using Dapper;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Cache;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Devices;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.People;
using IoT.Modules.Storage.Quarantine;
using IoT.Modules.Storage.Queries;
using IoT.Modules.Storage.Readings;
using IoT.Modules.Storage.Retention;
using IoT.Modules.Storage.Summaries;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Modules.Storage;

/// <summary>Devices, people, readings, partitions, in a PostgreSQL of its own or a given one.</summary>
public static class StorageModule
{
    public static IServiceCollection AddStorage(this IServiceCollection services, IConfiguration configuration)
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;

        services.AddSingleton(configuration.GetSection(StorageOptions.Section).Get<StorageOptions>() ?? new());
        services.AddSingleton(configuration.GetSection(DataOptions.Section).Get<DataOptions>() ?? new());
        services.AddSingleton(configuration.GetSection(SecurityOptions.Section).Get<SecurityOptions>() ?? new());

        services.AddSingleton<DeviceDirectory>();
        services.AddSingleton<ApiKeyDirectory>();
        services.AddSingleton<PeopleDirectory>();
        services.AddSingleton<FirstAdminLogin>();
        services.AddSingleton<FirstAdmin>();
        services.AddSingleton<DirectoryLoader>();
        services.AddSingleton<CredentialChanges>();
        services.AddSingleton<CredentialMirror>();
        services.AddSingleton<PostgresPools>();
        services.AddSingleton(provider => new DatabaseAccess(provider.GetRequiredService<PostgresPools>()));
        services.AddSingleton<StoreActivity>();
        services.AddSingleton<Migrator>();
        services.AddSingleton<MigrationsBesideIngest>();
        services.AddSingleton<ICacheDatabase, CacheDatabase>();
        services.AddSingleton<ReadingCaches>();
        services.AddSingleton(provider => new ReadingWindow(TimeSpan.FromDays(provider.GetRequiredService<StorageOptions>().RetentionDays)));
        services.AddSingleton<ReadingPartitions>();
        services.AddSingleton<PartitionRemover>();
        services.AddSingleton<RetentionKeeper>();
        services.AddSingleton<MessageIds>();
        services.AddSingleton<DeviceSeries>();
        services.AddSingleton<QueryLog>();
        services.AddSingleton<SeriesOf>();
        services.AddSingleton<QuarantineKeeper>();
        services.AddSingleton<StorageReadiness>();
        services.AddSingleton<StorageStartup>();
        services.AddHostedService(provider => provider.GetRequiredService<StorageStartup>());
        services.AddHostedService(provider => provider.GetRequiredService<CredentialMirror>());
        services.AddSingleton<ReplicaWatch>();
        services.AddHostedService(provider => provider.GetRequiredService<ReplicaWatch>());
        services.AddHostedService<PartitionMaintenance>();
        // Its loop too comes after the startup: what is registered before it has begun when the start fails, and dies with a stack trace.
        services.AddSummaries();
        services.AddHostedService(provider => provider.GetRequiredService<MigrationsBesideIngest>());
        services.AddHostedService<LastSeenFlusher>();
        services.AddHostedService<SeriesFlusher>();
        services.AddHealthChecks()
            .AddCheck<DatabaseHealth>("postgresql").AddCheck<MigrationsBesideIngest>("schema").AddCheck<MessageIdHealth>("message_ids")
            .AddCheck<QuarantineHealth>("quarantine").AddCheck<RetentionHealth>("retention").AddCheck<SummaryHealth>("summaries");
        if (!string.IsNullOrWhiteSpace(configuration.GetConnectionString("PostgresReplica")))
            services.AddHealthChecks().AddCheck<ReplicaWatch>("replica");
        return services;
    }

    /// <summary>What a start with these settings would do to the database's schema, in words; answers the exit code.</summary>
    public static Task<int> PreflightAsync(IConfiguration configuration, TextWriter output, CancellationToken cancellationToken) =>
        Preflight.RunAsync(
            configuration, configuration.GetSection(DataOptions.Section).Get<DataOptions>() ?? new(), configuration.GetSection(StorageOptions.Section).Get<StorageOptions>() ?? new(), output, cancellationToken);

    /// <summary>Maps this module's part of <c>/api/v1</c>.</summary>
    public static IEndpointRouteBuilder MapStorage(this IEndpointRouteBuilder api)
    {
        api.MapDevices();
        api.MapImportDevices();
        api.MapReadings();
        api.MapQueries();
        api.MapExport();
        api.MapPeople();
        api.MapQuarantine();
        api.MapRetention();
        api.MapSummaries();
        return api;
    }
}
