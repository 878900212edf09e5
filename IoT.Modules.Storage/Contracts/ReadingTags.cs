using IoT.Modules.Caching.Contracts;

namespace IoT.Modules.Storage.Contracts;

/// <summary>What a value that is computed from readings carries, so that it goes when they change. Invalidated once they are in the database, before a query could be answered without them.</summary>
public static class ReadingTags
{
    private const string LatestGroup = "latest";
    private const string ReadingsGroup = "readings";

    // An hour is taken for over this much later: clocks of hosts that share a database differ.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(5);

    /// <summary>Every device's readings: retention and a rebuild of the summaries invalidate it.</summary>
    public static CacheTag All { get; } = CacheTag.Of(ReadingsGroup, "*", CacheReach.Database);

    /// <summary>Of what follows every reading of a device, and its registration. It stays in memory: further away it would be old before it is read.</summary>
    public static CacheTag Latest(string deviceId) => CacheTag.Of(LatestGroup, deviceId, CacheReach.Memory);

    /// <summary>Of what is computed from a device's hours that are over (<see cref="IsOver"/>): a late reading invalidates it.</summary>
    public static CacheTag ClosedHours(string deviceId) => CacheTag.Of(ReadingsGroup, deviceId, CacheReach.Database);

    /// <summary>Whether everything before that time (UTC) is in an hour that is over.</summary>
    public static bool IsOver(DateTime to, TimeProvider time) => to <= HourOf(time.GetUtcNow().UtcDateTime - Grace);

    internal static DateTime HourOf(DateTime at) => new(at.Ticks - at.Ticks % TimeSpan.TicksPerHour, DateTimeKind.Utc);
}
