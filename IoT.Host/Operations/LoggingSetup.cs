using System.Globalization;
using IoT.Modules.Storage.Contracts;
using Serilog;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace IoT.Host.Operations;

/// <summary>Serilog to the console: readable in a terminal, JSON in a container.</summary>
internal static class LoggingSetup
{
    public static void AddLogging(this WebApplicationBuilder builder)
    {
        var options = builder.Configuration.GetSection(LoggingOptions.Section).Get<LoggingOptions>() ?? new();
        var isJson = options.Format == LogFormat.Json
            || (options.Format == LogFormat.Auto && Environment.GetEnvironmentVariable("DOTNET_RUNNING_IN_CONTAINER") == "true");
        var logger = new LoggerConfiguration()
            .MinimumLevel.Is(options.Level)
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Warning)
            .MinimumLevel.Override("Microsoft.AspNetCore.DataProtection", LogEventLevel.Error)
            // The page and /health/ready show states; each look at them is not news.
            .MinimumLevel.Override("Microsoft.Extensions.Diagnostics.HealthChecks", LogEventLevel.Fatal)
            .MinimumLevel.Override("IoT.Host.SignIn", LogEventLevel.Warning)
            .MinimumLevel.Override("Npgsql", LogEventLevel.Error)
            // Printed as one line by Program; its stack says nothing to an operator.
            .Filter.ByExcluding(e => e.Exception is StartupException or IOException { InnerException: Microsoft.AspNetCore.Connections.AddressInUseException } && IsOfTheStart(e))
            .Enrich.FromLogContext();
        logger = isJson
            ? logger.WriteTo.Console(new RenderedCompactJsonFormatter())
            : logger.WriteTo.Console(outputTemplate: "{Timestamp:HH:mm:ss} {Level:u3} {Message:lj} {NewLine}{Exception}", formatProvider: CultureInfo.InvariantCulture);
        builder.Services.AddSerilog(logger.CreateLogger(), dispose: true);
    }

    // What ends the host later is only in the log.
    private static bool IsOfTheStart(LogEvent e) =>
        e.Properties.GetValueOrDefault(Serilog.Core.Constants.SourceContextPropertyName) is ScalarValue { Value: string source } && source.StartsWith("Microsoft.", StringComparison.Ordinal);
}
