using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using IoT.Modules.Gateway.Ingest;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>How many MQTT connections are open at once, in all and from one address, and how many begin a second, over TCP, TLS and WebSocket together.</summary>
internal sealed class MqttConnectionLimit(GatewayOptions options, IngestMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly ConnectionLimit _limit = new("mqtt", options.MaxMqttConnections, metrics, time);
    private readonly ConcurrentDictionary<IPAddress, int> _ofAddress = new();
    private readonly TokenBucketRule _handshakes = new(options.MqttHandshakesPerSecond, TimeSpan.FromSeconds(1), options.MqttHandshakesPerSecond, time);
    private long _begun;

    public Task HandleAsync(ConnectionContext connection, ConnectionDelegate next) => _limit.HandleAsync(connection, limited => HandleLimitedAsync(limited, next), null);

    private async Task HandleLimitedAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
        try
        {
            if (_ofAddress.AddOrUpdate(address, 1, static (_, count) => count + 1) > options.MqttMaxConnectionsPerAddress || !await WaitForTurnAsync(connection))
            {
                metrics.ConnectionRefused("mqtt");
                connection.Abort(new ConnectionAbortedException("Too many connections."));
                return;
            }
            // A client without a keep-alive that is gone without a word is noticed by the system.
            connection.Features.Get<IConnectionSocketFeature>()?.Socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await next(connection);
        }
        finally
        {
            if (_ofAddress.AddOrUpdate(address, 0, static (_, count) => count - 1) == 0)
                _ofAddress.TryRemove(new KeyValuePair<IPAddress, int>(address, 0));
        }
    }

    /// <summary>Before TLS begins: what it costs is what the limit is for. False when its turn does not come soon, or it has gone.</summary>
    private async ValueTask<bool> WaitForTurnAsync(ConnectionContext connection)
    {
        var since = time.GetTimestamp();
        while (!_handshakes.TryTake(ref _begun, 1, out var wait))
        {
            if (time.GetElapsedTime(since) > LongestWait || connection.ConnectionClosed.IsCancellationRequested)
                return false;
            await Task.Delay(wait, time, CancellationToken.None);
        }
        return true;
    }
}
