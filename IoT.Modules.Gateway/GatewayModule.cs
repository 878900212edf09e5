using System.Net;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Http;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt;
using IoT.Modules.Gateway.Mqtt.Durable;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Modules.Gateway;

/// <summary>Protocols in and out: HTTP ingest, the MQTT broker, and the one path by which readings reach storage.</summary>
public static class GatewayModule
{
    public static IServiceCollection AddGateway(this IServiceCollection services, IConfiguration configuration)
    {
        var options = configuration.GetSection(GatewayOptions.Section).Get<GatewayOptions>() ?? new();
        var listen = configuration.GetSection(ListenOptions.Section).Get<ListenOptions>() ?? new();
        services.AddSingleton(options);
        services.AddSingleton(listen);

        services.AddSingleton<IngestActivity>();
        services.AddSingleton<IngestProgress>();
        services.AddSingleton<IngestMetrics>();
        services.AddSingleton<ReadingParser>();
        services.AddSingleton<DeviceRates>();
        services.AddSingleton<Admission>();
        services.AddSingleton<IngestLogService>();
        services.AddSingleton(provider => new LogTrim(() => provider.GetRequiredService<IngestLogService>().Log));
        services.AddSingleton<MessageCache>();
        services.AddSingleton<BrokerFeed>();
        services.AddSingleton<Ledger>();
        services.AddSingleton(provider => new Intake(
            () => provider.GetRequiredService<IngestLogService>().Log, provider.GetRequiredService<MessageCache>(), provider.GetRequiredService<Ledger>(), provider.GetRequiredService<IngestMetrics>(),
            provider.GetRequiredService<GatewayOptions>().CompressLogAboveBytes, provider.GetRequiredService<BrokerFeed>()));
        services.AddSingleton<Drain>();
        services.AddHostedService(provider => provider.GetRequiredService<IngestLogService>());
        services.AddHostedService<LedgerFlusher>();
        services.AddHostedService(provider => provider.GetRequiredService<Drain>());

        services.AddSingleton<BrokerStateWriter>();
        services.AddSingleton<IBrokerJournal, BrokerJournal>();
        services.AddHostedService(provider => provider.GetRequiredService<BrokerStateWriter>());
        services.AddSingleton<MqttAccess>();
        services.AddSingleton<MqttListener>();
        services.AddSingleton<MqttBroker>();
        services.AddHostedService(provider => provider.GetRequiredService<MqttBroker>());

        services.AddHealthChecks()
            .AddCheck<IngestHealth>("ingest")
            .AddCheck<MqttHealth>("mqtt")
            .AddCheck<MqttStateHealth>("mqtt_state");
        services.Configure<KestrelServerOptions>(kestrel => Listen(kestrel, listen, options));
        return services;
    }

    /// <summary>Maps this module's part of <c>/api/v1</c>.</summary>
    public static IEndpointRouteBuilder MapGateway(this IEndpointRouteBuilder api)
    {
        api.MapPostData();
        api.MapRetryQuarantined();
        api.MapGetLedger();
        return api;
    }

    private static void Listen(KestrelServerOptions kestrel, ListenOptions listen, GatewayOptions options)
    {
        // Kestrel's own limit is one for all listeners; each protocol has its own here.
        var metrics = kestrel.ApplicationServices.GetRequiredService<IngestMetrics>();
        var time = kestrel.ApplicationServices.GetRequiredService<TimeProvider>();
        var httpLimit = new ConnectionLimit("http", options.MaxHttpConnections, metrics, time);
        var mqttLimit = new ConnectionLimit("mqtt", options.MaxMqttConnections, metrics, time);
        kestrel.AddServerHeader = false;
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(options.HttpKeepAliveSeconds);
        var address = listen.Address == "localhost" ? IPAddress.Loopback : IPAddress.Parse(listen.Address);
        if (listen.Http != 0)
            kestrel.Listen(address, listen.Http, http => http.Use(next => connection => httpLimit.HandleAsync(connection, next, RefusedConnection.AnswerAsync)));
        if (listen.Mqtt != 0)
            kestrel.Listen(address, listen.Mqtt, mqtt => mqtt.Use(next => connection => mqttLimit.HandleAsync(connection, next, null)).UseConnectionHandler<MqttListener>());
    }
}
