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
    // A page that is larger is not kept: few of them would put out everything else.
    private const int MostCharacters = 512 * 1024;

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

    /// <summary>After the commit, before anybody is told.</summary>
    public void Stored(ReadOnlySpan<Reading> readings)
    {
        var hour = ReadingTags.HourOf(time.GetUtcNow().UtcDateTime);
        DeviceEntry? last = null, lastLate = null;
        foreach (var reading in readings)
        {
            if (!ReferenceEquals(reading.Device, last))
                cache.Invalidate(ReadingTags.Latest(reading.Device.Id));
            last = reading.Device;
            if (reading.Timestamp >= hour || ReferenceEquals(reading.Device, lastLate))
                continue;
            lastLate = reading.Device;
            cache.Invalidate(ReadingTags.ClosedHours(reading.Device.Id));
        }
    }

    /// <summary>Readings or summaries are gone, or were made anew.</summary>
    public void Removed() => cache.Invalidate(ReadingTags.All);

    public Task Handle(DeviceAccessChanged notification, CancellationToken cancellationToken)
    {
        cache.Invalidate(ReadingTags.Latest(notification.DeviceId));
        cache.Invalidate(ReadingTags.ClosedHours(notification.DeviceId));
        return Task.CompletedTask;
    }

    private static long SizeOf(IReadOnlyList<StoredReading> items) => items.Sum(r => 200L + 2L * (r.Payload.Length + r.DataType.Length));
}
