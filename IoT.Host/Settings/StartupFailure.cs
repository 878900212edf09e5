using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Connections;

namespace IoT.Host.Settings;

/// <summary>The failures of a start that an operator can act on, each as a clear line; anything else is a bug and keeps its stack.</summary>
internal static class StartupFailure
{
    public static string? Describe(Exception exception) => exception switch
    {
        StartupException => $"The platform can't start. {exception.Message}",
        // Kestrel's own words: "Failed to bind to address http://127.0.0.1:8080: address already in use."
        IOException { InnerException: AddressInUseException } => $"The platform can't start. {exception.Message} Set the Listen__ setting of that port to a free one, or stop the other program.",
        System.Net.Sockets.SocketException => $"The platform can't start. Listen__Address: {exception.Message}.",
        AggregateException { InnerExceptions: [var only] } => Describe(only),
        _ => null,
    };
}
