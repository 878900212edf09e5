using IoT.Modules.Gateway.Ingest;
using Microsoft.AspNetCore.Connections;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>How many MQTT connections are open at once, over TCP, TLS and WebSocket together.</summary>
internal sealed class MqttConnectionLimit(GatewayOptions options, IngestMetrics metrics, TimeProvider time)
{
    private readonly ConnectionLimit _limit = new("mqtt", options.MaxMqttConnections, metrics, time);

    public Task HandleAsync(ConnectionContext connection, ConnectionDelegate next) => _limit.HandleAsync(connection, next, null);
}
