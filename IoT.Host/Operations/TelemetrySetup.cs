using IoT.Host.Pipeline;
using IoT.Modules.Storage.Contracts;
using OpenTelemetry.Metrics;

namespace IoT.Host.Operations;

/// <summary>Metrics of the host, its modules, ASP.NET Core, Kestrel, Npgsql and the runtime, as Prometheus text.</summary>
internal static class TelemetrySetup
{
    public static void AddTelemetry(this WebApplicationBuilder builder) =>
        builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics
            .AddMeter(RequestTelemetry.Name, "IoT.Gateway", "IoT.Semantics", "IoT.Storage", "IoT.Caching", "Npgsql", "System.Runtime", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel")
            .AddPrometheusExporter());

    public static void MapMetrics(this WebApplication app) =>
        app.MapPrometheusScrapingEndpoint("/metrics").RequireAuthorization(Policies.View);
}
