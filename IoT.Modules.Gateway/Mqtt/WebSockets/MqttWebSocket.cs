using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Gateway.Mqtt.WebSockets;

/// <summary>MQTT over WebSocket: <c>/mqtt</c> on the HTTP ports, subprotocol <c>mqtt</c>, under the limits of MQTT over TCP.</summary>
internal static class MqttWebSocket
{
    public const string Path = "/mqtt";

    private const string Subprotocol = "mqtt";

    /// <summary>Whoever connects signs in with CONNECT, so that the endpoint itself asks for nothing.</summary>
    public static void MapMqttWebSocket(this IEndpointRouteBuilder routes) =>
        routes.Map(Path, HandleAsync).AllowAnonymous().ExcludeFromDescription();

    private static async Task HandleAsync(HttpContext http, MqttListener listener, MqttConnectionLimit limit)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            http.Response.Headers.Upgrade = "websocket";
            await Results.Problem("This address speaks MQTT over WebSocket.", statusCode: StatusCodes.Status426UpgradeRequired).ExecuteAsync(http);
            return;
        }
        if (!http.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol))
        {
            await Results.Problem("The client must offer the subprotocol mqtt.", statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(http);
            return;
        }
        // The client's keep-alive is MQTT's own; WebSocket pings would only double it.
        using var socket = await http.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = Subprotocol, KeepAliveInterval = TimeSpan.Zero });
        await using var connection = new WebSocketConnection(http, socket);
        await connection.ServeAsync(served => limit.HandleAsync(served, listener.OnConnectedAsync));
    }
}
