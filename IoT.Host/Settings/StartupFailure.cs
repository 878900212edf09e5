using IoT.Modules.Gateway;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Connections;

namespace IoT.Host.Settings;

/// <summary>The failures of a start that an operator can act on, each as a clear line; anything else is a bug and keeps its stack.</summary>
internal static class StartupFailure
{
    public static string? Describe(Exception exception, ListenOptions listen) => exception switch
    {
        StartupException => $"The platform can't start. {exception.Message}",
        // Kestrel's own words: "Failed to bind to address http://127.0.0.1:8080: address already in use."
        IOException { InnerException: AddressInUseException } => $"The platform can't start. {exception.Message} Set {SettingOf(exception.Message, listen)} to a free port, or stop the other program.",
        System.Net.Sockets.SocketException => $"The platform can't start. Listen__Address: {exception.Message}.",
        AggregateException { InnerExceptions: [var only] } => Describe(only, listen),
        _ => null,
    };

    private static string SettingOf(string message, ListenOptions listen)
    {
        (string Key, int Port)[] ports =
        [
            ("Listen__Http", listen.Http), ("Listen__Mqtt", listen.Mqtt), ("Listen__MqttTls", listen.MqttTls), ("Listen__Https", listen.Https),
        ];
        var named = ports.FirstOrDefault(p => p.Port != 0 && message.Contains($":{p.Port}:", StringComparison.Ordinal)).Key;
        return named ?? "the Listen__ setting of that port";
    }
}
