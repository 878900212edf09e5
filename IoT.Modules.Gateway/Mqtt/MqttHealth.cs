using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>How many MQTT connections there are.</summary>
internal sealed class MqttHealth(MqttListener listener, ListenOptions listen) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(HealthCheckResult.Healthy(listen.Mqtt == 0 ? "off" : $"port {listen.Mqtt}, {listener.Connections.Count} connections"));
}
