using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Cache;
using IoT.Modules.Storage.Readings;
using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A stored reading.</summary>
/// <param name="Timestamp">UTC.</param>
/// <param name="Payload">One JSON object, as text.</param>
public sealed record StoredReading(long Id, string DeviceId, DateTime Timestamp, string DataType, string Payload, string Status);

/// <summary>A place in a device's history: everything strictly older (or as old, with a smaller id) comes after it.</summary>
public readonly record struct HistoryCursor(DateTime Timestamp, long Id)
{
    public override string ToString() =>
        Base64Url.EncodeToString(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Timestamp.Ticks}.{Id}")));

    public static bool TryParse(string text, out HistoryCursor cursor)
    {
        cursor = default;
        if (text.Length > 64 || !Base64Url.IsValid(text))
            return false;
        var parts = Encoding.ASCII.GetString(Base64Url.DecodeFromChars(text)).Split('.');
        if (parts.Length != 2
            || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) || ticks > DateTime.MaxValue.Ticks
            || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            return false;
        cursor = new HistoryCursor(new DateTime(ticks, DateTimeKind.Utc), id);
        return true;
    }
}

/// <summary>
/// A device's readings, newest first (by timestamp, then id), from <paramref name="From"/> (included) to <paramref name="To"/>
/// (excluded). Readings that arrive while one pages are newer than the cursor or in their place; none is seen twice.
/// Fails as not found for a device that isn't registered.
/// </summary>
/// <param name="Limit">Readings at most; the caller bounds it. A page of large payloads ends earlier, with a cursor.</param>
public sealed record GetHistory(string DeviceId, DateTime? From, DateTime? To, string? DataType, HistoryCursor? After, int Limit)
    : IRequest<Outcome<HistoryPage>>, ILimited, ISeesAcknowledged, ICacheable<Outcome<HistoryPage>>
{
    public static CacheKind<Outcome<HistoryPage>> CacheKind => ReadingCaches.History;

    public CacheTag[] CacheTags => [ReadingTags.ClosedHours(DeviceId), ReadingTags.All];

    /// <summary>Hours that are over, from their newest reading on; what is paged or streamed through after that is not asked for again.</summary>
    public string? CacheKey(TimeProvider time) =>
        After is null && From is { } from && To is { } to && ReadingTags.IsOver(to, time)
            ? string.Create(CultureInfo.InvariantCulture, $"{DeviceId}/{from.Ticks}/{to.Ticks}/{Limit}/{(DataType is null ? 0 : 1)}/{DataType}")
            : null;

    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>One page of history; <paramref name="Next"/> is null on the last one.</summary>
public sealed record HistoryPage(IReadOnlyList<StoredReading> Items, HistoryCursor? Next);

/// <summary>The newest reading of each data_type, by data_type.</summary>
public sealed class LatestReadings
{
    private LatestReadings(IReadOnlyList<StoredReading> items, ReadOnlyMemory<byte> json) => (Items, Json) = (items, json);

    public IReadOnlyList<StoredReading> Items { get; }

    /// <summary>The same as the API answers it, UTF-8.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    internal static LatestReadings Of(IReadOnlyList<StoredReading> items)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var format = new ReadingFormat.JsonPage(json))
        {
            format.Begin();
            foreach (var reading in items)
                format.Write(reading);
            format.End(null);
        }
        return new LatestReadings(items, json.WrittenSpan.ToArray());
    }
}

/// <summary>The newest reading of each data_type of a device, by data_type.</summary>
public sealed record GetLatest(string DeviceId) : IRequest<Outcome<LatestReadings>>, ILimited, ISeesAcknowledged, ICacheable<Outcome<LatestReadings>>
{
    public static CacheKind<Outcome<LatestReadings>> CacheKind => ReadingCaches.Latest;

    public CacheTag[] CacheTags => [ReadingTags.Latest(DeviceId), ReadingTags.All];

    public string? CacheKey(TimeProvider time) => DeviceId;

    public static RequestGate Gate => RequestGate.Query;
}
