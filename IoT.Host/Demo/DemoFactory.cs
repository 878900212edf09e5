using System.Text.Json;
using IoT.Modules.Gateway;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Protocol;

namespace IoT.Host.Demo;

/// <summary>Registers the demo devices and runs them, each over an MQTT connection of its own, until the host stops.</summary>
internal sealed partial class DemoFactory(
    IMediator mediator, StorageReadiness readiness, ListenOptions listen, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<DemoFactory> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    private const string ModelName = "factory";

    // What a chart shows at once when the demo is new.
    private static readonly TimeSpan Past = TimeSpan.FromHours(3);
    private static readonly TimeSpan PastStep = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (lifetime.ApplicationStarted.Register(started.SetResult))
            await started.Task.WaitAsync(stoppingToken);
        await Task.WhenAll(DemoDevices.All.Select(device => RunAsync(device, stoppingToken)).Append(PutRulesAsync(stoppingToken)));
    }

    /// <summary>The model of the factory and its rules, unless somebody has put others under their name.</summary>
    private async Task PutRulesAsync(CancellationToken stop)
    {
        foreach (var kind in new[] { DocumentKind.Model, DocumentKind.Rules })
        {
            while ((await mediator.Send(new ListVersions(kind, ModelName), stop)).Failure is { Kind: FailureKind.NotFound or FailureKind.Unavailable } missing)
            {
                var put = missing.Kind == FailureKind.NotFound ? (await mediator.Send(new PutShipped(kind, ModelName, "demo"), stop)).Failure : missing;
                if (put is null)
                    break;
                LogTrouble(ModelName, put.Detail);
                await Task.Delay(Retry, time, stop);
            }
        }
    }

    private async Task RunAsync(DemoDevice device, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var (token, isNew) = await CredentialAsync(device, stop);
                await PublishAsync(device, token, isNew, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is MqttCommunicationException or InvalidOperationException or OperationCanceledException)
            {
                LogTrouble(device.Id, exception.Message);
                await Task.Delay(Retry, time, stop);
            }
        }
    }

    // Tokens are not kept anywhere: a demo device gets a new one with each start.
    private async Task<(string Token, bool IsNew)> CredentialAsync(DemoDevice device, CancellationToken stop)
    {
        var created = await mediator.Send(
            new CreateDevice(device.Id, device.Name, device.Type, device.Location, new Dictionary<string, string> { ["demo"] = "true" }), stop);
        if (created.Failure is null)
            return (created.Value.Token, true);
        var rotated = await mediator.Send(new RotateToken(device.Id), stop);
        return rotated.Failure is null ? (rotated.Value.Token, false) : throw new InvalidOperationException(rotated.Failure.Detail);
    }

    private async Task PublishAsync(DemoDevice device, string token, bool isNew, CancellationToken stop)
    {
        using var client = new MqttClientFactory().CreateMqttClient();
        await client.ConnectAsync(
            new MqttClientOptionsBuilder()
                .WithTcpServer(listen.Address is "0.0.0.0" or "::" ? "localhost" : listen.Address, listen.Mqtt)
                .WithClientId(device.Id)
                .WithCredentials(device.Id, token)
                .WithProtocolVersion(MQTTnet.Formatter.MqttProtocolVersion.V500)
                .Build(),
            stop);
        if (isNew)
            await SendAsync(client, device, PastReadings(device), stop);

        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stop))
        {
            var at = time.GetUtcNow().UtcDateTime;
            if (device.Payload(at) is { } payload)
                await SendAsync(client, device, new { timestamp = at, data_type = device.DataType, payload }, stop);
        }
    }

    private List<object> PastReadings(DemoDevice device)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var readings = new List<object>();
        for (var at = now - Past; at < now; at += PastStep)
        {
            if (device.Payload(at) is { } payload)
                readings.Add(new { timestamp = at, data_type = device.DataType, payload });
        }
        return readings;
    }

    private static async Task SendAsync(IMqttClient client, DemoDevice device, object readings, CancellationToken stop) =>
        await client.PublishAsync(
            new MqttApplicationMessageBuilder()
                .WithTopic($"devices/{device.Id}/data")
                .WithPayload(JsonSerializer.SerializeToUtf8Bytes(readings))
                .WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce)
                .Build(),
            stop);

    [LoggerMessage(3000, LogLevel.Warning, "Demo {DeviceId} starts again: {Reason}")]
    private partial void LogTrouble(string deviceId, string reason);
}

internal static class DemoSetup
{
    public static void AddDemo(this IServiceCollection services, IConfiguration configuration)
    {
        var options = configuration.GetSection(DemoOptions.Section).Get<DemoOptions>() ?? new();
        services.AddSingleton(options);
        if (options.Enabled)
            services.AddHostedService<DemoFactory>();
    }
}
