using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.IngestLog;

internal static partial class IngestLogMessages
{
    [LoggerMessage(2200, LogLevel.Information, "Ingest log {LogId}: {Segments} segments, sequences {First} to {Last}, {Damages} damages, read in {Milliseconds} ms")]
    public static partial void Opened(this ILogger logger, Guid logId, int segments, long first, long last, int damages, long milliseconds);

    [LoggerMessage(2201, LogLevel.Error, "Ingest log damaged ({Kind}): {Segment}, bytes {FromOffset} to {ToOffset}, sequences {First} to {Last} are lost")]
    public static partial void Damaged(this ILogger logger, DamageKind kind, string segment, long fromOffset, long toOffset, long first, long last);

    [LoggerMessage(2202, LogLevel.Warning, "Ingest log: a crash left {Bytes} unfinished bytes in {Segment} at {Offset}; they are cleared, sequences {First} to {Last} are passed over")]
    public static partial void TornCleared(this ILogger logger, long bytes, string segment, long offset, long first, long last);

    [LoggerMessage(2203, LogLevel.Warning, "Ingest log: log.id was missing or damaged and is written again from the segments, id {LogId}")]
    public static partial void IdentityRestored(this ILogger logger, Guid logId);

    [LoggerMessage(2204, LogLevel.Critical, "Ingest log failed; nothing more is acknowledged and the host must stop")]
    public static partial void Failed(this ILogger logger, Exception exception);

    [LoggerMessage(2205, LogLevel.Error, "The disk has no space for the next segment of the ingest log ({Bytes} bytes); trying again: {Error}")]
    public static partial void OutOfSpace(this ILogger logger, long bytes, string error);

    [LoggerMessage(2206, LogLevel.Information, "The ingest log has space again")]
    public static partial void SpaceAgain(this ILogger logger);

    [LoggerMessage(2207, LogLevel.Error, "Ingest log is full: {Bytes} of {Budget} bytes; readings are refused until the database has taken some")]
    public static partial void Full(this ILogger logger, long bytes, long budget);
}
