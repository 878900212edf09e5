using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>The contract's topics, and what the protocol allows as topic names and filters.</summary>
internal static class MqttTopics
{
    public const string Devices = "devices/";
    public const string Inferences = "inferences/";
    public const string Share = "$share/";
    public const string Sys = "$SYS";

    /// <summary>Levels in a name or a filter: each costs a step in the trie. As many as Mosquitto takes.</summary>
    public const int MaxLevels = 201;

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
        || topicOrFilter.StartsWith(Sys, StringComparison.Ordinal);

    /// <summary>
    /// Whether right UTF-8 has control characters or what Unicode calls no characters. A server may refuse them (3.1.1 1.5.3, 5 1.5.4), and
    /// Mosquitto does. In the values of properties they are let through: there people put text of any kind.
    /// </summary>
    public static bool HasDisallowed(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOfAnyInRange((byte)0, (byte)0x1F) >= 0 || utf8.Contains((byte)0x7F))
            return true;
        if (Ascii.IsValid(utf8))
            return false;
        while (Rune.DecodeFromUtf8(utf8, out var rune, out var length) is System.Buffers.OperationStatus.Done)
        {
            if (rune.Value is >= 0x80 and <= 0x9F or >= 0xFDD0 and <= 0xFDEF || (rune.Value & 0xFFFE) == 0xFFFE)
                return true;
            utf8 = utf8[length..];
        }
        return false;
    }

    /// <summary>Of right UTF-8 without NUL: no wildcard, not empty, not too deep.</summary>
    public static bool IsValidName(ReadOnlySpan<byte> topic) =>
        !topic.IsEmpty && topic.IndexOfAny((byte)'#', (byte)'+') < 0 && topic.Count((byte)'/') < MaxLevels;

    /// <summary>Wildcards only as whole levels, <c>#</c> only as the last; a share has a name and a filter.</summary>
    public static bool IsValidFilter(string filter)
    {
        if (IsShared(filter))
            return TrySplitShared(filter, out var name, out var inner) && name.AsSpan().IndexOfAny('#', '+') < 0 && IsValidPlainFilter(inner);
        return IsValidPlainFilter(filter);
    }

    public static bool IsShared(string filter) => filter.StartsWith(Share, StringComparison.Ordinal) || filter == "$share";

    /// <summary>Name and filter of <c>$share/{name}/{filter}</c>.</summary>
    public static bool TrySplitShared(string filter, out string name, out string inner)
    {
        (name, inner) = ("", filter);
        if (!filter.StartsWith(Share, StringComparison.Ordinal))
            return false;
        var end = filter.IndexOf('/', Share.Length);
        if (end <= Share.Length || end == filter.Length - 1)
            return false;
        (name, inner) = (filter[Share.Length..end], filter[(end + 1)..]);
        return true;
    }

    private static bool IsValidPlainFilter(string filter)
    {
        if (filter.Length == 0 || filter.AsSpan().Count('/') >= MaxLevels)
            return false;
        for (var at = filter.AsSpan().IndexOfAny('#', '+'); at >= 0;)
        {
            var isWholeLevel = (at == 0 || filter[at - 1] == '/') && (at == filter.Length - 1 || filter[at + 1] == '/');
            if (!isWholeLevel || (filter[at] == '#' && at != filter.Length - 1))
                return false;
            var next = filter.AsSpan(at + 1).IndexOfAny('#', '+');
            at = next < 0 ? -1 : at + 1 + next;
        }
        return true;
    }
}
