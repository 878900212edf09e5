using System.Net;
using IoT.Modules.Gateway.Backup;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Http;
using IoT.Modules.Gateway.Import;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.WebSockets;
using IoT.Modules.Gateway.Tls;
using Microsoft.AspNetCore.Builder;
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
        services.AddSingleton<Imports>();
        services.AddSingleton<ImportedChunks>();
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

        services.AddMqtt(options);

        services.AddHealthChecks()
            .AddCheck<IngestHealth>("ingest")
            .AddCheck<MqttHealth>("mqtt")
            .AddCheck<MqttStateHealth>("mqtt_state");
        if (listen.HasTls)
        {
            services.AddSingleton<CertificateKeeper>();
            services.AddHostedService(provider => provider.GetRequiredService<CertificateKeeper>());
            services.AddHealthChecks().AddCheck<CertificateKeeper>("certificate");
        }
        services.Configure<KestrelServerOptions>(kestrel => Listen(kestrel, listen, options));
        return services;
    }

    /// <summary>Writes a backup of everything into one file; answers the exit code.</summary>
    public static Task<int> BackupAsync(IConfiguration configuration, string file, TextWriter output, CancellationToken cancellationToken) =>
        BackupCommands.BackupAsync(configuration, file, output, cancellationToken);

    /// <summary>Restores a backup into an empty system; answers the exit code.</summary>
    public static Task<int> RestoreAsync(IConfiguration configuration, string file, TextWriter output, CancellationToken cancellationToken) =>
        BackupCommands.RestoreAsync(configuration, file, output, cancellationToken);

    /// <summary>Maps this module's part of <c>/api/v1</c>.</summary>
    public static IEndpointRouteBuilder MapGateway(this IEndpointRouteBuilder api)
    {
        api.MapPostData();
        api.MapImportReadings();
        api.MapRetryQuarantined();
        api.MapGetLedger();
        return api;
    }

    /// <summary>Maps MQTT over WebSocket, outside <c>/api/v1</c>.</summary>
    public static void MapMqtt(this WebApplication app)
    {
        app.UseWebSockets();
        app.MapMqttWebSocket();
    }

    private static void Listen(KestrelServerOptions kestrel, ListenOptions listen, GatewayOptions options)
    {
        // Kestrel's own limit is one for all listeners; each protocol has its own here.
        var metrics = kestrel.ApplicationServices.GetRequiredService<IngestMetrics>();
        var time = kestrel.ApplicationServices.GetRequiredService<TimeProvider>();
        var httpLimit = new ConnectionLimit("http", options.MaxHttpConnections, metrics, time);
        var mqttLimit = kestrel.ApplicationServices.GetRequiredService<MqttConnectionLimit>();
        kestrel.AddServerHeader = false;
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(options.HttpKeepAliveSeconds);
        var address = listen.Address == "localhost" ? IPAddress.Loopback : IPAddress.Parse(listen.Address);
        if (listen.Http != 0)
            kestrel.Listen(address, listen.Http, http => http.Use(next => connection => httpLimit.HandleAsync(connection, next, RefusedConnection.AnswerAsync)));
        if (listen.Mqtt != 0)
            kestrel.Listen(address, listen.Mqtt, mqtt => mqtt.Use(next => connection => mqttLimit.HandleAsync(connection, next)).UseConnectionHandler<MqttListener>());
        if (!listen.HasTls)
            return;
        var certificates = kestrel.ApplicationServices.GetRequiredService<CertificateKeeper>();
        if (listen.Https != 0)
        {
            kestrel.Listen(address, listen.Https, https =>
            {
                https.Use(next => connection => httpLimit.HandleAsync(connection, next, null));
                https.UseHttps(certificates.Https);
            });
        }
        if (listen.MqttTls != 0)
        {
            kestrel.Listen(address, listen.MqttTls, tls =>
            {
                tls.Use(next => connection => mqttLimit.HandleAsync(connection, next));
                tls.UseHttps(certificates.Mqtt);
                tls.UseConnectionHandler<MqttListener>();
            });
        }
    }
}
