using System.Reflection;
using IoT.Modules.Caching;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Gateway;
using IoT.Modules.Semantics;
using IoT.Modules.Storage;
using MediatR;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace IoT.Host.Pipeline;

/// <summary>
/// MediatR: registration and behaviours, all of it here, so that another version of it is one edit. Everything is a singleton:
/// handlers hold pools and directories, never a request's state.
/// </summary>
internal static class PipelineSetup
{
    private static readonly Type[] HandlerInterfaces = [typeof(IRequestHandler<,>), typeof(INotificationHandler<>)];

    public static void AddPipeline(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<ServiceFactory>(provider => provider.GetRequiredService);
        services.AddSingleton<IMediator, Mediator>();
        services.AddHandlers(typeof(StorageModule).Assembly);
        services.AddHandlers(typeof(SemanticsModule).Assembly);
        services.AddHandlers(typeof(GatewayModule).Assembly);
        services.AddHandlers(typeof(PipelineSetup).Assembly);

        services.AddSingleton<RequestTelemetry>();
        services.AddSingleton<RequestGates>();
        services.AddSingleton<ICacheLoad, QueryLoad>();
        // It costs every request something.
        if (configuration.GetSection(CachingOptions.Section).Get<CachingOptions>()?.PrefetchEnabled == true)
            services.AddHttpContextAccessor();
        services.AddSingleton(provider => new RequestClient(provider.GetService<IHttpContextAccessor>()));
        // From the outside in. A behaviour applies to the requests that its constraints admit.
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(TelemetryBehaviour<,>));
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(ValidationBehaviour<,>));
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(FreshnessBehaviour<,>));
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(CacheBehaviour<,>));
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(LimitBehaviour<,>));
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(DatabaseFailureBehaviour<,>));
    }

    private static void AddHandlers(this IServiceCollection services, Assembly assembly)
    {
        foreach (var type in assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false, IsGenericTypeDefinition: false }))
        {
            foreach (var handled in type.GetInterfaces().Where(i => i.IsGenericType && HandlerInterfaces.Contains(i.GetGenericTypeDefinition())))
            {
                services.TryAddSingleton(type);
                services.AddSingleton(handled, provider => provider.GetRequiredService(type));
            }
        }
    }
}
