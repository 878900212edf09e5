using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>Whether the broker listens, how many connections there are, and what of it somebody has to know.</summary>
internal sealed class MqttHealth(MqttListener listener, ListenOptions listen, RetainedStore retained, BrokerMetrics metrics, IServer server, IHostApplicationLifetime lifetime) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        int[] ports = [.. new[] { listen.Mqtt, listen.MqttTls }.Where(port => port != 0)];
        var alarms = new List<Alarm>();
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        // The listeners begin last.
        var isUp = lifetime.ApplicationStarted.IsCancellationRequested;
        var missing = ports.Where(port => isUp && !addresses.Any(address => address.EndsWith($":{port}", StringComparison.Ordinal))).ToList();
        foreach (var port in missing)
            alarms.Add(new Alarm("mqtt_not_listening", AlarmLevel.Critical, $"nothing listens on MQTT port {port}", "Look for the reason in the host's log, and start it again."));
        if (metrics.CutClient is { } client)
            alarms.Add(new Alarm("mqtt_backlog_cut", AlarmLevel.Warning, $"messages with QoS 1 or 2 were cut from the backlog of {client}", "Let it read faster or connect more often, end its session, or raise Gateway__MqttMaxQueuedMessages and Gateway__MqttMaxQueuedKiB."));
        if (retained.Refused > 0)
            alarms.Add(new Alarm("mqtt_retained_full", AlarmLevel.Warning, $"{retained.Refused} messages were not retained: there are {retained.Count} already", "Clear retained messages that nobody needs, or raise Gateway__MqttMaxRetained and Gateway__MqttMaxRetainedMiB."));
        return Task.FromResult(AlarmHealth.Of($"{(ports.Length == 0 ? "no port of its own" : $"port {string.Join(" and ", ports)}")}, {listener.Count} connections", alarms, isUseless: missing.Count > 0));
    }
}
