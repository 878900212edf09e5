using System.Buffers.Text;
using System.Globalization;
using System.Text;
using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Which devices a question is about: those that fit all of it; all devices when nothing is given.</summary>
/// <param name="Ids">Null: any. An id that isn't registered fails the question as not found.</param>
public sealed record DeviceFilter(IReadOnlyList<string>? Ids = null, string? Location = null, string? Type = null);

/// <summary>A place in a list ordered by device and data_type: everything after it.</summary>
public readonly record struct SeriesCursor(string DeviceId, string DataType)
{
    private const int LongestText = 1_024;

    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{DeviceId}\0{DataType}"));

    public static bool TryParse(string text, out SeriesCursor cursor)
    {
        cursor = default;
        if (text.Length > LongestText || !Base64Url.IsValid(text))
            return false;
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split('\0');
        if (parts.Length != 2 || !Contracts.DeviceId.IsValid(parts[0]))
            return false;
        cursor = new SeriesCursor(parts[0], parts[1]);
        return true;
    }
}

/// <summary>The newest reading of each data_type of each device, by device id and data_type.</summary>
public sealed record GetLatestOfDevices(DeviceFilter Devices, string? DataType, SeriesCursor? After, int Limit)
    : IRequest<Outcome<Page<StoredReading>>>, ILimited, ISeesAcknowledged
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>
/// Readings of several devices, newest first (by timestamp, then id). Fails as invalid, with what to narrow, when a page might have to
/// look at more than <c>Storage__MaxQueryReadings</c>.
/// </summary>
public sealed record GetReadings(DeviceFilter Devices, DateTime? From, DateTime? To, string? DataType, HistoryCursor? After, int Limit)
    : IRequest<Outcome<HistoryPage>>, ILimited, ISeesAcknowledged
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>A place in a stream of readings: after a reading, within its series.</summary>
public sealed record StreamPlace(SeriesCursor Series, HistoryCursor Reading);

/// <summary>
/// The next readings of a stream over several devices: by device id and data_type, within each newest first. However many there are,
/// each request costs what it answers.
/// </summary>
/// <param name="After">Null: from the start.</param>
public sealed record ReadStreamPage(DeviceFilter Devices, DateTime? From, DateTime? To, string? DataType, StreamPlace? After, int Limit)
    : IRequest<Outcome<StreamPage>>, ILimited, ISeesAcknowledged
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>A part of a stream; <paramref name="Next"/> is null when it is the last.</summary>
public sealed record StreamPage(IReadOnlyList<StoredReading> Items, StreamPlace? Next);

/// <summary>
/// Numbers of payloads over time, each series thinned to at most <paramref name="Points"/> points that keep its extremes: the time is
/// parted, and of each part the smallest and the largest value stay, at their times.
/// </summary>
/// <param name="Metrics">Members of the payload, nested names joined with a dot; null: all numbers.</param>
public sealed record GetChart(DeviceFilter Devices, DateTime? From, DateTime? To, string? DataType, IReadOnlyList<string>? Metrics, int Points)
    : IRequest<Outcome<Chart>>, ILimited, ISeesAcknowledged
{
    public const int MaxPoints = 10_000;

    public static RequestGate Gate => RequestGate.Query;
}

/// <param name="Items">By device, data_type and metric.</param>
/// <param name="Resolution">
/// <c>raw</c>: every reading was looked at. <c>5m</c> or <c>hour</c>: there are too many, and the extremes are those of summaries of that
/// width, each point at the beginning of its bucket.
/// </param>
public sealed record Chart(IReadOnlyList<ChartSeries> Items, string Resolution);

/// <param name="Points">Oldest first.</param>
public sealed record ChartSeries(string DeviceId, string DataType, string Metric, IReadOnlyList<SeriesPoint> Points);

public readonly record struct SeriesPoint(DateTime Timestamp, double Value);

/// <summary>As <see cref="SummaryBucket"/>, of a device.</summary>
public sealed record DeviceSummaryBucket(DateTime Bucket, string DeviceId, string DataType, string Metric, long Count, double Avg, double Min, double Max, double First, double Last);

/// <summary>A place in a list of buckets of several devices.</summary>
public readonly record struct DeviceSummaryCursor(DateTime Bucket, string DeviceId, string DataType, string Metric)
{
    private const int LongestText = 8_192;

    public override string ToString() =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Bucket.Ticks}\0{DeviceId}\0{DataType}\0{Metric}")));

    public static bool TryParse(string text, out DeviceSummaryCursor cursor)
    {
        cursor = default;
        if (text.Length > LongestText || !Base64Url.IsValid(text))
            return false;
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split('\0');
        if (parts.Length != 4 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) || ticks > DateTime.MaxValue.Ticks)
            return false;
        cursor = new DeviceSummaryCursor(new DateTime(ticks, DateTimeKind.Utc), parts[1], parts[2], parts[3]);
        return true;
    }
}

/// <summary><see cref="GetSummary"/> over several devices, by bucket, device, data_type and metric.</summary>
public sealed record GetSummaryOfDevices(DeviceFilter Devices, DateTime? From, DateTime? To, string? DataType, string? Metric, SummaryBucketWidth Width, DeviceSummaryCursor? After, int Limit)
    : IRequest<Outcome<Page<DeviceSummaryBucket>>>, ILimited, ISeesAcknowledged
{
    public static RequestGate Gate => RequestGate.Query;
}
