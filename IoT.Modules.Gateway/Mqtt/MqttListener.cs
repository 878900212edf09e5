using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Server;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>Hands Kestrel's connections to the broker, each in a <see cref="MqttConnection"/>.</summary>
internal sealed class MqttListener(GatewayOptions options, TimeProvider time) : ConnectionHandler, IMqttServerAdapter
{
    private readonly ConcurrentDictionary<MqttConnection, bool> _connections = new();
    private MqttServerOptions? _serverOptions;

    public Func<IMqttChannelAdapter, Task>? ClientHandler { get; set; }

    /// <summary>Connections that are open, those still signing in included.</summary>
    public ICollection<MqttConnection> Connections => _connections.Keys;

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        // The broker starts before Kestrel listens and stops after it, so the handler is there.
        if (ClientHandler is not { } handle || _serverOptions is null)
            return;
        var formatter = new MqttPacketFormatterAdapter(new MqttBufferWriter(_serverOptions.WriterBufferSize, _serverOptions.WriterBufferSizeMax));
        using var adapter = new MqttConnection(connection, formatter, options, time);
        _connections[adapter] = true;
        MqttConnection.Current = adapter;
        try
        {
            await handle(adapter);
        }
        finally
        {
            _connections.TryRemove(adapter, out _);
        }
    }

    public Task StartAsync(MqttServerOptions options, IMqttNetLogger logger)
    {
        _serverOptions = options;
        return Task.CompletedTask;
    }

    public Task StopAsync() => Task.CompletedTask;

    public void Dispose()
    {
        // Kestrel owns the connections.
    }
}
