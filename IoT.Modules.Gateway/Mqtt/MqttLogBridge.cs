using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Exceptions;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>MQTTnet's own messages in our log: its default logger swallows them. What a client does wrong is news at debug level only.</summary>
internal sealed partial class MqttLogBridge(ILogger logger) : IMqttNetLogger
{
    public bool IsEnabled => true;

    public void Publish(MqttNetLogLevel logLevel, string source, string message, object[]? parameters, Exception? exception)
    {
        if (logLevel < MqttNetLogLevel.Warning)
            return;
        var text = parameters is { Length: > 0 } ? string.Format(System.Globalization.CultureInfo.InvariantCulture, message, parameters) : message;
        if (logLevel == MqttNetLogLevel.Error && !IsOfClient(exception))
            LogError(exception, source, text);
        else
            LogClientTrouble(source, text, exception?.Message);
    }

    // Packets that aren't, connections broken off, sockets that come and go.
    private static bool IsOfClient(Exception? exception) =>
        exception is MqttProtocolViolationException or MqttCommunicationException or ConnectionResetException or ConnectionAbortedException or IOException;

    [LoggerMessage(2110, LogLevel.Error, "{Source}: {Message}")]
    private partial void LogError(Exception? exception, string source, string message);

    [LoggerMessage(2111, LogLevel.Debug, "{Source}: {Message} {Reason}")]
    private partial void LogClientTrouble(string source, string message, string? reason);
}
