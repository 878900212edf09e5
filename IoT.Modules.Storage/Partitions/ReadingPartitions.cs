using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Readings;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Partitions;

/// <summary>The partitions of <c>device_data</c>, and which readings find none.</summary>
internal sealed class ReadingPartitions(PostgresPools database, StorageOptions options, ReadingWindow window, TimeProvider time, ILogger<ReadingPartitions> logger)
{
    public const string Table = "device_data";

    // Longer than any setting of the gateway lets readings be ahead: a clock that was set back meanwhile.
    private static readonly TimeSpan FurthestAhead = TimeSpan.FromDays(31);

    public TimePartitions Partitions { get; } = new(Table, options.PartitionBy, "", database, time, logger);

    /// <summary>At a start, before anything comes in.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await Partitions.ReplaceEmptyAheadAsync(cancellationToken);
        await EnsureAheadAsync(cancellationToken);
    }

    public Task EnsureAheadAsync(CancellationToken cancellationToken) => Partitions.EnsureAheadAsync(options.PartitionsAhead, cancellationToken);

    /// <summary>Whether PostgreSQL found no partition for a row: it has gone since it was looked for.</summary>
    public static bool IsMissing(PostgresException exception) =>
        exception.SqlState == PostgresErrorCodes.CheckViolation && exception.ConstraintName is null;

    /// <summary>
    /// The request with every reading in it having a partition, made on demand where need be. Those that can't have one, because they
    /// became too old while they waited or because there are enough partitions for times that nobody expected, go to the quarantine.
    /// </summary>
    public async ValueTask<StoreReadings> PlaceAsync(StoreReadings request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var oldest = window.OldestAt(now);
        var newest = now.UtcDateTime + FurthestAhead;
        List<(int Index, string Reason)>? refused = null;
        for (var i = 0; i < request.Readings.Count; i++)
        {
            var at = request.Readings[i].Timestamp;
            if (at >= oldest && at <= newest && Partitions.Holds(at))
                continue;
            var reason = at < oldest ? FormattableString.Invariant($"timestamp: older than what is kept, which begins at {oldest:yyyy-MM-dd'T'HH:mm:ss'Z'}")
                : at > newest ? "timestamp: too far ahead"
                : await Partitions.EnsureAsync(at, options.PartitionsOnDemand, cancellationToken) == TimePartitions.Made.TooMany
                    ? FormattableString.Invariant($"timestamp: there are already {options.PartitionsOnDemand} partitions made on demand (Storage__PartitionsOnDemand), and none for this time")
                    : null;
            if (reason is not null)
                (refused ??= []).Add((i, reason));
        }
        if (refused is null)
            return request;

        var places = refused.Select(r => r.Index).ToHashSet();
        var entries = refused.Select(r => QuarantineEntry.Of(
            request.Readings[r.Index].Device.Id, topic: null, protocol: null, now.UtcDateTime, r.Reason, StoreReadingsHandler.JsonOf(request.Readings[r.Index])));
        return request with
        {
            Readings = [.. request.Readings.Where((_, i) => !places.Contains(i))],
            Quarantine = [.. request.Quarantine, .. entries],
        };
    }
}
