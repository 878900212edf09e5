using IoT.Host.Demo;
using IoT.Host.Operations;
using IoT.Host.Pages;
using IoT.Host.Pipeline;
using IoT.Host.Settings;
using IoT.Host.SignIn;
using IoT.Modules.Caching;
using IoT.Modules.Gateway;
using IoT.Modules.Semantics;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;

if (HealthProbe.IsAskedFor(args))
    return await HealthProbe.RunAsync(args);

var command = HostCommand.Of(ref args);
var listen = new ListenOptions();
try
{
    var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
    builder.Configuration.IgnoreBlankVariables();
    SettingsCheck.ThrowIfWrong(builder.Configuration);
    builder.Configuration.GetSection(ListenOptions.Section).Bind(listen);
    if (command is not null)
        return await command.RunAsync(builder.Configuration);

    builder.AddLogging();
    builder.AddTelemetry();
    builder.Services.AddSingleton(TimeProvider.System);
    builder.Services.AddStorage(builder.Configuration);
    builder.Services.AddCaching(builder.Configuration);
    builder.Services.AddSemantics(builder.Configuration);
    builder.Services.AddGateway(builder.Configuration);
    builder.Services.AddPipeline(builder.Configuration);
    builder.Services.AddSignIn();
    builder.Services.AddApiDescription();
    builder.Services.AddAlarms();
    builder.AddPages();
    builder.Services.AddDemo(builder.Configuration);
    builder.Services.AddReadyMessage();
    builder.ConfigureShutdown();

    var app = builder.Build();
    app.UseOperations();
    app.UseSignIn();
    app.MapMqtt();
    app.MapHealth();
    app.MapMetrics();
    app.MapApiDescription();
    app.MapSitePages();
    app.MapGroup("/api/v1").MapStorage().MapSemantics().MapGateway().MapCache();
    await app.RunAsync();
    return Environment.ExitCode;
}
catch (OperationCanceledException) when (Environment.ExitCode != 0)
{
    // What had begun has broken the start off, and has said why.
    return Environment.ExitCode;
}
catch (Exception exception) when (StartupFailure.Describe(exception, listen) is { } line)
{
    await Console.Error.WriteLineAsync(line);
    return 1;
}
