using IoT.Modules.Semantics.Conversion;
using IoT.Modules.Semantics.Documents;
using IoT.Modules.Semantics.Facts;
using IoT.Modules.Semantics.Infer;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Semantics.Shipped;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Modules.Semantics;

/// <summary>A model of the site and rules over it and over live readings: what follows, since when, and why.</summary>
public static class SemanticsModule
{
    public static IServiceCollection AddSemantics(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(configuration.GetSection(SemanticsOptions.Section).Get<SemanticsOptions>() ?? new());
        services.AddSingleton<LiveFaults>();
        services.AddSingleton<Metrics>();
        services.AddSingleton<LatestValues>();
        services.AddSingleton<LatestValueStore>();
        services.AddSingleton<DocumentStore>();
        services.AddSingleton<RefusedDocuments>();
        services.AddSingleton<InferenceStore>();
        services.AddSingleton<InferenceTracker>();
        services.AddSingleton<InferenceOutbox>();
        services.AddSingleton<InferCache>();
        services.AddSingleton<RangeReadings>();
        services.AddSingleton<Converter>();
        services.AddSingleton<IHistoryFormat, ObservationFormat>();
        services.AddSingleton<KnowledgeFactory>();
        services.AddSingleton<SemanticEngine>();
        services.AddSingleton<SemanticsMetrics>();
        services.AddHostedService(provider => provider.GetRequiredService<InferenceOutbox>());
        services.AddHostedService<SemanticsService>();
        services.AddHealthChecks().AddCheck<SemanticsHealth>("semantics");
        return services;
    }

    /// <summary>Maps this module's part of <c>/api/v1</c>.</summary>
    public static IEndpointRouteBuilder MapSemantics(this IEndpointRouteBuilder api)
    {
        api.ServiceProvider.GetRequiredService<SemanticsMetrics>();
        api.MapDocuments();
        api.MapShipped();
        api.MapFacts();
        api.MapInferences();
        api.MapInfer();
        api.MapConversion();
        return api;
    }
}
