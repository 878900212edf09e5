using System.Diagnostics.CodeAnalysis;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>The contract's topics, and what the protocol allows as topic names and filters.</summary>
internal static class MqttTopics
{
    public const string Devices = "devices/";
    public const string Inferences = "inferences/";

    /// <summary>The id in <c>devices/{id}/data</c>.</summary>
    public static bool IsDeviceData(string topic, [NotNullWhen(true)] out string? deviceId)
    {
        deviceId = null;
        if (!topic.StartsWith(Devices, StringComparison.Ordinal) || !topic.EndsWith("/data", StringComparison.Ordinal) || topic.Length <= Devices.Length + "/data".Length)
            return false;
        var id = topic[Devices.Length..^"/data".Length];
        if (id.Contains('/', StringComparison.Ordinal))
            return false;
        deviceId = id;
        return true;
    }

    /// <summary>Topics that are the platform's: not part of a general broker.</summary>
    public static bool IsReserved(string topicOrFilter) =>
        topicOrFilter.StartsWith(Devices, StringComparison.Ordinal) || topicOrFilter == "devices"
        || topicOrFilter.StartsWith(Inferences, StringComparison.Ordinal) || topicOrFilter == "inferences"
        || topicOrFilter.StartsWith("$SYS", StringComparison.Ordinal);

    /// <summary>No wildcard, no NUL, no replacement character (MQTTnet puts it where the bytes were not UTF-8), not empty.</summary>
    public static bool IsValidName(string? topic) => !string.IsNullOrEmpty(topic) && topic.AsSpan().IndexOfAny("#+\0\uFFFD") < 0;

    /// <summary>Wildcards only as whole levels, <c>#</c> only as the last.</summary>
    public static bool IsValidFilter(string? filter)
    {
        if (string.IsNullOrEmpty(filter) || filter.AsSpan().IndexOfAny("\0\uFFFD") >= 0)
            return false;
        var levels = filter.Split('/');
        for (var i = 0; i < levels.Length; i++)
        {
            var level = levels[i];
            if (level.Contains('#', StringComparison.Ordinal) && (level != "#" || i != levels.Length - 1))
                return false;
            if (level.Contains('+', StringComparison.Ordinal) && level != "+")
                return false;
        }
        return true;
    }
}
