using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Host.Operations;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: everything it needs does; a viewer sees each component.</summary>
internal static class HealthEndpoints
{
    internal sealed record Readiness(string Status, IReadOnlyList<ComponentState>? Components, IReadOnlyList<AlarmState>? Alarms);

    /// <param name="Level">critical or warning.</param>
    internal sealed record AlarmState(string Name, string Level, string Component, DateTime Since, string What, string Remedy);

    /// <param name="Status">healthy, degraded or unhealthy.</param>
    internal sealed record ComponentState(string Name, string Status, string? Description);

    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/health/live", () => Results.Json(new { status = "live" }))
            .AllowAnonymous().WithTags("Health").WithSummary("The process answers");

        app.MapGet("/health/ready", async (HealthCheckService health, AlarmBoard alarms, IAuthorizationService authorization, HttpContext http, CancellationToken stop) =>
            {
                var report = await health.CheckHealthAsync(stop);
                // Degraded still takes readings in; it is told to those who may know, not to a load balancer.
                var isReady = report.Status != HealthStatus.Unhealthy;
                var mayLook = (await authorization.AuthorizeAsync(http.User, Policies.View)).Succeeded;
                var standing = alarms.Update(report);
                var answer = new Readiness(
                    isReady ? "ready" : "not ready", mayLook ? StatesOf(report) : null,
                    mayLook ? [.. standing.Select(a => new AlarmState(a.Name, a.IsCritical ? "critical" : "warning", a.Component, a.Since, a.What, a.Remedy))] : null);
                return Results.Json(answer, Json.Options, statusCode: isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
            })
            .AllowAnonymous().WithTags("Health").Produces<Readiness>().Produces<Readiness>(503).WithSummary("Everything that the host needs answers");
    }

    public static IReadOnlyList<ComponentState> StatesOf(HealthReport report) =>
        [.. report.Entries.Select(e => new ComponentState(e.Key, NameOf(e.Value.Status), e.Value.Description))];

    private static string NameOf(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}
