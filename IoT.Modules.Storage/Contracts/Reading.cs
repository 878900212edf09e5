using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>One reading, checked and ready to store.</summary>
/// <param name="Device">Whose it is.</param>
/// <param name="Timestamp">UTC, to the microsecond: PostgreSQL keeps no more.</param>
/// <param name="DataType">1 to 50 characters.</param>
/// <param name="Payload">One JSON object, UTF-8, known to be acceptable to <c>jsonb</c>.</param>
/// <param name="MessageId">1 to 128 characters that make it one of its device's, however often it is sent; null: none.</param>
public readonly record struct Reading(DeviceEntry Device, DateTime Timestamp, string DataType, ReadOnlyMemory<byte> Payload, string? MessageId = null);

/// <summary>A lane of an ingest log and how far it has been stored.</summary>
/// <param name="LogId">Which log: several hosts may share a database, and a log may be begun anew.</param>
/// <param name="Lane">Which of its lanes, from 0.</param>
/// <param name="Sequence">Everything of the lane up to this sequence number is stored.</param>
public readonly record struct LanePosition(Guid LogId, int Lane, long Sequence);

/// <summary>
/// Stores the readings that a lane holds from <paramref name="From"/> (not included) to <paramref name="To"/>, and moves the lane's
/// position there, in one transaction: whatever is killed, they are stored once. Registers devices seen for the first time. A reading
/// that PostgreSQL refuses goes to the quarantine with its reason; one whose message id its device has used before, within the time that
/// ids are kept, is dropped. Without readings and entries it just moves the position.
/// </summary>
/// <param name="Quarantine">Entries for the quarantine that the lane holds, stored likewise.</param>
/// <exception cref="System.Data.Common.DbException">PostgreSQL is away or answered with a transient error; the same request may be sent again.</exception>
/// <exception cref="InvalidOperationException">The lane stands elsewhere in the database: another host drains this log, or a backup was restored.</exception>
public sealed record StoreReadings(IReadOnlyList<Reading> Readings, IReadOnlyList<QuarantineEntry> Quarantine, LanePosition From, long To) : IRequest<StoreResult>;

/// <param name="Stored">Readings stored by this request.</param>
/// <param name="Duplicates">Readings that were stored before, by their message ids.</param>
/// <param name="Quarantined">Readings and entries that went to the quarantine.</param>
/// <param name="Ledger">What the transaction has added to the counts of the devices concerned.</param>
public readonly record struct StoreResult(int Stored, int Duplicates, int Quarantined, IReadOnlyList<LedgerCounts> Ledger);

/// <summary>The positions of a log's lanes, by lane; made at 0 when the database does not know the log.</summary>
/// <param name="Lanes">How many lanes the log is to have when the database does not know it.</param>
public sealed record OpenLanes(Guid LogId, int Lanes) : IRequest<IReadOnlyList<LanePosition>>;

/// <summary>Gives a log another number of lanes, all at one position. Only when everything before it is stored.</summary>
public sealed record ReplaceLanes(Guid LogId, int Lanes, long Sequence) : IRequest<IReadOnlyList<LanePosition>>;

/// <summary>News, published after the fact: what is summed up of readings in this time, or the readings themselves, are there no longer, or are others.</summary>
/// <param name="From">Included, UTC.</param>
/// <param name="To">Excluded, UTC.</param>
public sealed record ReadingsRemoved(DateTime From, DateTime To) : INotification;

/// <summary>
/// News, published after the commit: these readings are in the database. In order for each device; payloads are valid only until the
/// handler returns.
/// </summary>
public sealed record ReadingsStored(IReadOnlyList<Reading> Readings) : INotification
{
    /// <summary>Their ids in <c>device_data</c>, in the same order; null when the answer to their commit was lost.</summary>
    public IReadOnlyList<long>? Ids { get; init; }
}
