using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using MediatR;

namespace IoT.Modules.Storage.Cache;

/// <summary>
/// What is kept of readings, and what makes it go. Latest values follow every reading that is stored. Hours that are over are kept for
/// long: a late reading takes those of its device, retention and a rebuild of the summaries those of all.
/// </summary>
internal sealed class ReadingCaches(TieredCache cache, TimeProvider time) : INotificationHandler<DeviceAccessChanged>
{
    private const string LatestGroup = "latest";
    private const string ReadingsGroup = "readings";

    // An hour is taken for over this much later: clocks of hosts that share a database differ.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(5);

    // A page that is larger is not kept: few of them would put out everything else.
    private const int MostCharacters = 512 * 1024;

    private static readonly CacheTag AllReadings = CacheTag.Of(ReadingsGroup, "*", CacheReach.Database);

    // It goes with every reading: a copy further away would be old before it is read.
    public static CacheKind<Outcome<LatestReadings>> Latest { get; } = new("storage", "latest", outcome => SizeOf(outcome.Value.Items) + outcome.Value.Json.Length)
    {
        Judge = outcome => outcome.Failure is null ? CacheVerdict.Keep : CacheVerdict.Discard,
    };

    // One index range of one device: the database's own cache table would be no faster.
    public static CacheKind<Outcome<HistoryPage>> History { get; } = new("storage", "history", 1, CacheReach.Redis, new HistoryCodec(), outcome => SizeOf(outcome.Value.Items))
    {
        Judge = outcome => outcome.Failure is null && outcome.Value.Items.Sum(r => (long)r.Payload.Length) <= MostCharacters ? CacheVerdict.Keep : CacheVerdict.Discard,
    };

    public static CacheKind<Outcome<Page<SummaryBucket>>> Summaries { get; } = new("storage", "summary", 1, CacheReach.Database, new SummaryCodec(), outcome => outcome.Value.Items.Count * 250L)
    {
        Judge = outcome => outcome.Failure is null ? CacheVerdict.Keep : CacheVerdict.Discard,
    };

    public static CacheTag[] LatestTags(string deviceId) => [CacheTag.Of(LatestGroup, deviceId, CacheReach.Memory), AllReadings];

    public static CacheTag[] Tags(string deviceId) => [CacheTag.Of(ReadingsGroup, deviceId, CacheReach.Database), AllReadings];

    /// <summary>Whether everything before that time is in an hour that is over.</summary>
    public static bool IsOver(DateTime to, TimeProvider time) => to <= HourOf(time.GetUtcNow().UtcDateTime - Grace);

    /// <summary>After the commit, before anybody is told.</summary>
    public void Stored(ReadOnlySpan<Reading> readings)
    {
        var hour = HourOf(time.GetUtcNow().UtcDateTime);
        DeviceEntry? last = null, lastLate = null;
        foreach (var reading in readings)
        {
            if (!ReferenceEquals(reading.Device, last))
                cache.Invalidate(CacheTag.Of(LatestGroup, reading.Device.Id, CacheReach.Memory));
            last = reading.Device;
            if (reading.Timestamp >= hour || ReferenceEquals(reading.Device, lastLate))
                continue;
            lastLate = reading.Device;
            cache.Invalidate(CacheTag.Of(ReadingsGroup, reading.Device.Id, CacheReach.Database));
        }
    }

    /// <summary>Readings or summaries are gone, or were made anew.</summary>
    public void Removed() => cache.Invalidate(AllReadings);

    public Task Handle(DeviceAccessChanged notification, CancellationToken cancellationToken)
    {
        cache.Invalidate(CacheTag.Of(LatestGroup, notification.DeviceId, CacheReach.Memory));
        cache.Invalidate(CacheTag.Of(ReadingsGroup, notification.DeviceId, CacheReach.Database));
        return Task.CompletedTask;
    }

    private static DateTime HourOf(DateTime at) => new(at.Ticks - at.Ticks % TimeSpan.TicksPerHour, DateTimeKind.Utc);

    private static long SizeOf(IReadOnlyList<StoredReading> items) => items.Sum(r => 200L + 2L * (r.Payload.Length + r.DataType.Length));
}
