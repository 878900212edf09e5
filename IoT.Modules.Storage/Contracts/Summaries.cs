using System.Buffers.Text;
using System.Globalization;
using System.Text;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Cache;
using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>How long a bucket is; each begins at a whole multiple of it, UTC.</summary>
public enum SummaryBucketWidth
{
    FiveMinutes,
    Hour,
    Day,
}

/// <summary>What one member of the payload did in one bucket.</summary>
/// <param name="Bucket">Its beginning, UTC.</param>
/// <param name="Metric">The member; nested names are joined with a dot, a dot of a name's own is <c>%2E</c>.</param>
/// <param name="Count">Readings that had it as a number.</param>
/// <param name="First">The value of the earliest of them by timestamp; of several at the same time, the one that came first.</param>
/// <param name="Last">The value of the latest; of several at the same time, the one that came last.</param>
public sealed record SummaryBucket(DateTime Bucket, string DataType, string Metric, long Count, double Avg, double Min, double Max, double First, double Last);

/// <summary>A place in a list of buckets: everything after it by bucket, data_type and metric.</summary>
public readonly record struct SummaryCursor(DateTime Bucket, string DataType, string Metric)
{
    private const int LongestText = 8_192;

    public override string ToString() =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Bucket.Ticks}\0{DataType}\0{Metric}")));

    public static bool TryParse(string text, out SummaryCursor cursor)
    {
        cursor = default;
        if (text.Length > LongestText || !Base64Url.IsValid(text))
            return false;
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split('\0');
        if (parts.Length != 3 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) || ticks > DateTime.MaxValue.Ticks)
            return false;
        cursor = new SummaryCursor(new DateTime(ticks, DateTimeKind.Utc), parts[1], parts[2]);
        return true;
    }
}

/// <summary>
/// A device's readings summed up, oldest bucket first, up to the last batch that was stored. Every bucket that has a part in the time
/// from <paramref name="From"/> (included) to <paramref name="To"/> (excluded) is there whole; those without readings are left out.
/// Fails as not found for a device that isn't registered.
/// </summary>
public sealed record GetSummary(string DeviceId, DateTime? From, DateTime? To, string? DataType, string? Metric, SummaryBucketWidth Width, SummaryCursor? After, int Limit)
    : IRequest<Outcome<Page<SummaryBucket>>>, ILimited, ISeesAcknowledged, ICacheable<Outcome<Page<SummaryBucket>>>
{
    public static CacheKind<Outcome<Page<SummaryBucket>>> CacheKind => ReadingCaches.Summaries;

    public CacheTag[] CacheTags => [ReadingTags.ClosedHours(DeviceId), ReadingTags.All];

    /// <summary>Whole buckets that are over.</summary>
    public string? CacheKey(TimeProvider time) =>
        From is { } from && To is { } to && ReadingTags.IsOver(to, time) && (Width != SummaryBucketWidth.Day || ReadingTags.IsOver(to.Date == to ? to : to.Date.AddDays(1), time))
            ? string.Create(CultureInfo.InvariantCulture, $"{DeviceId}/{from.Ticks}/{to.Ticks}/{Width}/{Limit}/{DataType?.Length ?? -1}/{DataType}/{Metric}/{(Metric is null ? 0 : 1)}/{After}")
            : null;

    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>Makes the summaries anew from the readings that there are, in the background, while others come in. Fails as a conflict while that goes on.</summary>
public sealed record RebuildSummaries : IRequest<Outcome<SummaryStatus>>;

/// <summary>Folds now what is pending, what was acknowledged before included, instead of within a minute. Answers are the same before and after.</summary>
public sealed record FoldSummaries : IRequest<Outcome<Done>>, ISeesAcknowledged;

/// <summary>Asks how the summaries are.</summary>
public sealed record GetSummaryStatus : IRequest<SummaryStatus>;

/// <param name="State"><c>current</c>, <c>rebuilding</c>, <c>incomplete</c> (a rebuild is needed or failed) or <c>off</c>.</param>
/// <param name="Done">Parts of the rebuild that are done.</param>
/// <param name="Total">Parts of it in all; 0 when there was none.</param>
public sealed record SummaryStatus(string State, int Done, int Total, string? Trouble);
