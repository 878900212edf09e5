using IoT.Host.SignIn;
using Serilog;
using Serilog.Events;

namespace IoT.Host.Operations;

/// <summary>What every request passes and how the host stops.</summary>
internal static class OperationsSetup
{
    private const double SlowMilliseconds = 1_000;

    public static void ConfigureShutdown(this WebApplicationBuilder builder)
    {
        // Connections drain, then the queue, then PostgreSQL stops; each has its own, shorter limit.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(90));
        // The listeners are the settings' alone: what the base image puts into ASPNETCORE_HTTP_PORTS would only warn.
        builder.WebHost.UseSetting(WebHostDefaults.HttpPortsKey, "");
        builder.WebHost.UseSetting(WebHostDefaults.ServerUrlsKey, "");
    }

    public static void UseOperations(this WebApplication app)
    {
        app.UseSerilogRequestLogging(options => options.GetLevel = (http, elapsed, exception) =>
            exception is not null || http.Response.StatusCode >= 500 ? LogEventLevel.Warning
            : elapsed > SlowMilliseconds ? LogEventLevel.Information
            : LogEventLevel.Debug);
        app.UseCompression();
        app.UseErrorAnswers();
        app.UseSecurityHeaders();
    }

    // Problem details for programs, a page for people: the inner ones answer first, and the outer ones leave an answer alone.
    // (The outer ones stand on the app itself because a branch can't route again.)
    private static void UseErrorAnswers(this WebApplication app)
    {
        app.UseExceptionHandler("/error/500");
        app.UseStatusCodePagesWithReExecute("/error/{0}");
        app.UseWhen(http => SignInSetup.IsForPrograms(http.Request.Path), programs => programs
            .UseExceptionHandler(failed => failed.Run(http => Results.Problem().ExecuteAsync(http)))
            .UseStatusCodePages(answer => Results.Problem(statusCode: answer.HttpContext.Response.StatusCode).ExecuteAsync(answer.HttpContext)));
    }

    private static void UseSecurityHeaders(this WebApplication app) =>
        app.Use((http, next) =>
        {
            var headers = http.Response.Headers;
            headers.XContentTypeOptions = "nosniff";
            headers.XFrameOptions = "DENY";
            headers["Referrer-Policy"] = "same-origin";
            // The API's browser brings styles and a worker of its own; every other page has neither.
            headers.ContentSecurityPolicy = http.Request.Path.StartsWithSegments("/docs")
                ? "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
                : "default-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
            return next(http);
        });
}
