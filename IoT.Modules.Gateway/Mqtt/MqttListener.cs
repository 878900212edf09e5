using System.Collections.Concurrent;
using IoT.Modules.Gateway.Mqtt.Connections;
using Microsoft.AspNetCore.Connections;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>Serves MQTT on the connections of whatever transport it is hung on, and knows those that are open.</summary>
internal sealed class MqttListener(ConnectionServices services) : ConnectionHandler
{
    private readonly ConcurrentDictionary<MqttConnection, bool> _connections = new();
    private Traffic _ended;

    // Counted beside the dictionary, whose Count takes a thousand locks when ten thousand are open.
    private int _count;
    private int _most;

    /// <summary>Connections that are open, those still signing in included.</summary>
    public IEnumerable<MqttConnection> Connections => _connections.Keys;

    public int Count => _count;

    /// <summary>The most that were open at once.</summary>
    public int Most => _most;

    /// <summary>Of all connections since the start.</summary>
    public Traffic Traffic
    {
        get
        {
            lock (_connections)
                return _connections.Keys.Aggregate(_ended, static (sum, connection) => sum + Traffic.Of(connection));
        }
    }

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        using var mqtt = new MqttConnection(connection, services);
        lock (_connections)
        {
            _connections[mqtt] = true;
            _most = Math.Max(_most, ++_count);
        }
        try
        {
            await mqtt.RunAsync();
        }
        finally
        {
            lock (_connections)
            {
                _connections.TryRemove(mqtt, out _);
                _count--;
                _ended += Traffic.Of(mqtt);
            }
        }
    }
}

/// <summary>What went over connections.</summary>
internal readonly record struct Traffic(long MessagesReceived, long MessagesSent, long PublishesReceived, long PublishesSent, long BytesReceived, long BytesSent)
{
    public static Traffic Of(MqttConnection connection) => new(
        connection.MessagesReceived, connection.Output.MessagesSent, connection.PublishesReceived, connection.Output.PublishesSent, connection.BytesReceived, connection.Output.BytesSent);

    public static Traffic operator +(Traffic a, Traffic b) => new(
        a.MessagesReceived + b.MessagesReceived, a.MessagesSent + b.MessagesSent, a.PublishesReceived + b.PublishesReceived,
        a.PublishesSent + b.PublishesSent, a.BytesReceived + b.BytesReceived, a.BytesSent + b.BytesSent);
}
