using IoT.Host.Demo;

namespace IoT.Host.Pages;

/// <summary>What the page calls online, and which devices it marks as simulated.</summary>
internal static class Presence
{
    /// <summary>A device is online when its last reading was stored no longer ago than this.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    private const string DemoLabel = "demo";

    private static readonly HashSet<string> DemoIds = [.. DemoDevices.All.Select(d => d.Id)];

    public static bool IsOnline(DateTime? lastSeen, DateTime now) => lastSeen > now - Window;

    public static bool IsDemo(IReadOnlyDictionary<string, string> labels) => labels.TryGetValue(DemoLabel, out var value) && value == "true";

    /// <summary>For places that know nothing of a device but its id.</summary>
    public static bool IsDemo(string deviceId) => DemoIds.Contains(deviceId);
}
